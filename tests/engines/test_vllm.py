"""vLLM: the window, and adapters that have their parent's."""

import json

from pointsman.engines import vllm
from pointsman.served import Answer, Finding, ServedModel


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
