"""vLLM: the window, and adapters that have their parent's."""

import json

from pointsman.engines import vllm
from pointsman.served import Answer, Finding, Look, ServedModel


def read(*entries: dict[str, object]) -> Finding:
    return vllm.read({"/v1/models": Answer(200, json.dumps({"object": "list", "data": entries}).encode())})


def test_the_window_is_max_model_len() -> None:
    """Each served name has the window of the engine, and the list proves that the key was taken."""
    found = read({"id": "qwen", "parent": None, "max_model_len": 40960}, {"id": "alias", "max_model_len": 40960})
    assert [(model.id, model.context_window, model.loaded) for model in found.models] == [
        ("qwen", 40960, True),
        ("alias", 40960, True),
    ]
    assert found.credentials_valid


def test_an_adapter_inherits_its_parents_window() -> None:
    """A LoRA entry says null: its window is that of the model that it adapts, wherever that stands in the list."""
    found = read({"id": "lora", "parent": "qwen", "max_model_len": None}, {"id": "qwen", "max_model_len": 2048})
    assert found.models == (
        ServedModel("lora", context_window=2048, loaded=True),
        ServedModel("qwen", context_window=2048, loaded=True),
    )


def test_an_adapter_of_nothing_has_no_window() -> None:
    """A parent that is not listed, or is the adapter itself, tells nothing."""
    found = read({"id": "a", "parent": "gone"}, {"id": "b", "parent": "b"}, {"id": "c", "parent": {"x": []}})
    assert [model.context_window for model in found.models] == [0, 0, 0]


def test_its_401_is_a_string() -> None:
    """Its error body is no object; the status alone counts."""
    found = vllm.read({"/v1/models": Answer(401, b'{"error":"Unauthorized"}')})
    assert (found.reason, found.credentials_valid) == ("Unauthorized", False)


FIGURES = """# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{{engine="0",model_name="tiny"}} {running}
vllm:num_requests_running{{engine="1",model_name="tiny"}} 1.0
vllm:kv_cache_usage_perc{{engine="0",model_name="tiny"}} {blocks}
vllm:generation_tokens_total{{engine="0",model_name="tiny"}} 17.0
vllm:generation_tokens_created{{engine="0",model_name="tiny"}} 1.7952424788794234e+09
vllm:engine_sleep_state{{engine="0",model_name="tiny",sleep_state="awake"}} {awake}
vllm:engine_sleep_state{{engine="0",model_name="tiny",sleep_state="weights_offloaded"}} 0.0
http_requests_total{{handler="/metrics"}} 99.0
"""


def look(running: float = 2.0, blocks: float = 0.25, awake: float = 1.0) -> Look | None:
    return vllm.look(Answer(200, FIGURES.format(running=running, blocks=blocks, awake=awake).encode()))


def test_its_figures_move_with_the_engine_alone() -> None:
    """What the API server counts itself, such as our own looks, is no movement; blocks of a long prompt are."""
    first = look()
    assert first
    assert (first.running, first.asleep) == (3.0, False)
    assert len(first.figures) == 4
    assert look() == first
    moved = look(blocks=0.26)
    assert moved
    assert moved.figures != first.figures


def test_it_tells_that_it_sleeps() -> None:
    """No state but `awake` has to be known."""
    asleep = look(awake=0.0)
    assert asleep
    assert asleep.asleep


def test_figures_without_a_sleep_state_do_not_tell_of_sleep() -> None:
    """Those of releases that have none: whether it sleeps is to be asked elsewhere."""
    found = vllm.look(Answer(200, b'vllm:num_requests_running{engine="0"} 0.0'))
    assert found
    assert found.asleep is None


def test_it_tells_at_is_sleeping_too() -> None:
    """As captured; that it does not sleep is no look at its figures, and nothing else's JSON is one."""
    assert vllm.look(Answer(200, b'{"is_sleeping":true}')) == Look({}, asleep=True)
    for body in (b'{"is_sleeping":false}', b'{"is_sleeping":"true"}', b"{}", b'{"is_sleeping":', b'{"a":' * 100_000):
        assert vllm.look(Answer(200, body)) is None
    assert vllm.look(Answer(404, b'{"is_sleeping":true}')) is None


def test_figures_of_something_else_are_none() -> None:
    """A proxy's, an error page, or figures that are no numbers."""
    for answer in (
        Answer(404, b"vllm:num_requests_running 1"),
        Answer(200, b"<html>"),
        Answer(200, b"up 1"),
        Answer(200, b"vllm:num_requests_running NaN\nvllm:num_requests_waiting x"),
        Answer(0, error="Timeout"),
    ):
        assert vllm.look(answer) is None
