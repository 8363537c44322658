"""How a replica is spread over its GPUs: tensor times pipeline times data, over the nodes that it has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from pointsman.engines.vllm_layout import told, version

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pointsman.api.deploy import Deploy

_AT: Final = "spec.deploy.parallelism"
_NODES_SINCE: Final = (0, 12)  # --nnodes without Ray
_EXPERT_SINCE: Final = (0, 8)  # --enable-expert-parallel
_DATA_SINCE: Final = (0, 9)  # --data-parallel-size with one address for all of it


class Parallelism(NamedTuple):
    """All of it, nothing left to defaults. `nodes` are the Pods of one replica."""

    tensor: int
    pipeline: int
    data: int
    nodes: int
    expert: bool

    @property
    def world(self) -> int:
        """GPUs that are used, or on processors processes."""
        return self.tensor * self.pipeline * self.data


def nodes(deploy: Deploy) -> int:
    """Pods of one replica."""
    return (deploy.parallelism.nodes or 1) if deploy.parallelism else 1


def resolve(deploy: Deploy) -> Parallelism:
    """What is stated, and the defaults: pipeline parallel between nodes, tensor parallel over what is left."""
    stated = deploy.parallelism
    count = nodes(deploy)
    pipeline = (stated.pipeline if stated else None) or count
    data = (stated.data if stated else None) or 1
    left = count * max(deploy.gpus, 1) // (pipeline * data)
    tensor = (stated.tensor if stated else None) or max(left, 1)
    return Parallelism(tensor, pipeline, data, count, bool(stated and stated.expert))


def refusals(deploy: Deploy) -> Iterator[str]:
    """What vLLM cannot start with: it would wait for GPUs that it does not have, or end at once."""
    spread = resolve(deploy)
    if deploy.gpus:
        yield from _fits(deploy, spread)
    yield from _nodes(deploy, spread)
    if spread.data > 1 and version(deploy) < _DATA_SINCE:
        yield f"{_AT}.data: vLLM has it since 0.9, {told(deploy)} is older: take a newer image, or more replicas"
    if spread.expert and version(deploy) < _EXPERT_SINCE:
        yield f"{_AT}.expert: vLLM has it since 0.8, {told(deploy)} is older: take a newer image, or remove it"


def _fits(deploy: Deploy, spread: Parallelism) -> Iterator[str]:
    total = spread.nodes * deploy.gpus
    product = f"tensor {spread.tensor} x pipeline {spread.pipeline} x data {spread.data} = {spread.world}"
    have = (
        f"{total} GPUs ({spread.nodes} nodes x {deploy.gpus})" if spread.nodes > 1 else f"{total} of spec.deploy.gpus"
    )
    if spread.world > total:
        yield f"{_widest(deploy)}: {product} is more than the {have}: make it smaller, or ask for more GPUs"
    elif not (deploy.parallelism and deploy.parallelism.tensor) and spread.world != total:
        yield (
            f"{_AT}: {product} leaves some of the {have} without work: "
            "state tensor, or let pipeline x data divide the GPUs"
        )


def _widest(deploy: Deploy) -> str:
    stated = deploy.parallelism
    name = next((each for each in ("tensor", "data", "pipeline", "nodes") if stated and getattr(stated, each)), "")
    return f"{_AT}.{name}" if name else _AT


def _nodes(deploy: Deploy, spread: Parallelism) -> Iterator[str]:
    if spread.nodes == 1:
        return
    if version(deploy) < _NODES_SINCE:
        yield f"{_AT}.nodes: vLLM needs Ray for it before 0.12, {told(deploy)} is older: take a newer image"
    if spread.world % spread.nodes:
        yield f"{_AT}.nodes: {spread.world} processes cannot be shared evenly by {spread.nodes} nodes: change either"
        return
    # As vLLM groups nodes: those that hold one copy of the model, or the copies that one node holds.
    copies = max(spread.world // spread.nodes // (spread.tensor * spread.pipeline), 1)
    if spread.data % copies or spread.nodes % (spread.data // copies):
        yield f"{_AT}.data: {spread.data} copies cannot be shared evenly by {spread.nodes} nodes: change either"
