"""How a replica is spread over its GPUs."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.deploys import deploy
from pointsman.engines import vllm_container, vllm_parallelism


@pytest.mark.parametrize(
    ("gpus", "stated", "sizes"),
    [
        (4, {}, (4, 1, 1)),
        (4, {"tensor": 2}, (2, 1, 1)),
        (4, {"data": 2}, (2, 1, 2)),
        (8, {"pipeline": 2, "data": 2}, (2, 2, 2)),
        (8, {"nodes": 2}, (8, 2, 1)),
        (8, {"nodes": 2, "pipeline": 1}, (16, 1, 1)),
        (8, {"nodes": 2, "pipeline": 1, "data": 16, "expert": True}, (1, 1, 16)),
        (0, {}, (1, 1, 1)),
    ],
)
def test_what_is_not_stated_follows(gpus: int, stated: dict[str, Any], sizes: tuple[int, int, int]) -> None:
    """Tensor parallel over all that the others leave, pipeline parallel between nodes."""
    one = deploy(gpus=gpus, parallelism=stated)
    assert vllm_parallelism.resolve(one)[:3] == sizes
    assert not list(vllm_container.refusals(one))
    flags = zip(("tensor", "pipeline", "data"), sizes, strict=True)
    wanted = {f"--{name}-parallel-size={size}" for name, size in flags if size > 1}
    assert {word for word in vllm_container.args(one) if "-parallel-size=" in word} == wanted
    assert ("--enable-expert-parallel" in vllm_container.args(one)) is bool(stated.get("expert"))


@pytest.mark.parametrize(
    ("gpus", "stated", "path", "numbers"),
    [
        (1, {"tensor": 2}, "spec.deploy.parallelism.tensor: ", ["tensor 2", "= 2", "1 of spec.deploy.gpus"]),
        (8, {"data": 3}, "spec.deploy.parallelism: ", ["data 3", "= 6", "8 of spec.deploy.gpus"]),
        (
            8,
            {"nodes": 2, "tensor": 16},
            "spec.deploy.parallelism.tensor: ",
            ["16 x pipeline 2", "= 32", "16 GPUs (2 nodes x 8)"],
        ),
        (2, {"nodes": 3, "tensor": 2, "pipeline": 2}, "spec.deploy.parallelism.nodes: ", ["4 processes", "3 nodes"]),
        (
            2,
            {"nodes": 3, "tensor": 3, "pipeline": 1, "data": 2},
            "spec.deploy.parallelism.data: ",
            ["2 copies", "3 nodes"],
        ),
    ],
)
def test_what_does_not_fit_is_refused_with_the_numbers(
    gpus: int, stated: dict[str, Any], path: str, numbers: list[str]
) -> None:
    """VLLM would wait for GPUs that it does not have, or leave some that are paid for."""
    (refusal,) = vllm_container.refusals(deploy(gpus=gpus, parallelism=stated))
    assert refusal.startswith(path)
    assert all(number in refusal for number in numbers), refusal


def test_on_processors_the_number_means_processes() -> None:
    """There is nothing to run out of."""
    assert not list(vllm_container.refusals(deploy(gpus=0, parallelism={"tensor": 2})))


@pytest.mark.parametrize(
    ("image", "stated"),
    [("vllm-openai:v0.11.2", {"nodes": 2}), ("vllm-cpu:v0.8.5", {"data": 2}), ("vllm-openai:v0.7.3", {"expert": True})],
    ids=["nodes", "data", "expert"],
)
def test_an_image_that_is_too_old_for_it_is_refused(image: str, stated: dict[str, Any]) -> None:
    """It ends at once on a flag that it does not know."""
    (refusal,) = vllm_container.refusals(deploy(gpus=2, image=image, parallelism=stated))
    assert image in refusal


SIZES = st.fixed_dictionaries({}, optional=dict.fromkeys(("tensor", "pipeline", "data", "nodes"), st.integers(1, 16)))


@given(st.integers(1, 16), SIZES)
def test_what_is_not_refused_is_what_vllm_takes(gpus: int, stated: dict[str, int]) -> None:
    """Its own conditions: evenly over the nodes, no node with more than it has, node groups that come out even."""
    one = deploy(gpus=gpus, parallelism=stated)
    if list(vllm_container.refusals(one)):
        return
    spread = vllm_parallelism.resolve(one)
    each, rest = divmod(spread.world, spread.nodes)
    assert rest == 0
    assert each <= gpus
    local = max(each // (spread.tensor * spread.pipeline), 1) if spread.nodes > 1 else spread.data
    assert spread.nodes == 1 or spread.nodes % (spread.data // local) == 0
