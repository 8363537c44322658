"""LM Studio: loaded instances and their windows, from either of its own lists. Shapes are its documentation's."""

import json

from pointsman.served import Answer, Finding, ServedModel
from pointsman.vendors import lmstudio

UNKNOWN_PATH = Answer(200, b'{"error":"Unexpected endpoint or method. (GET /api/v1/models)"}')


def read(ids: list[str], new: object = None, old: object = None) -> Finding:
    listed = Answer(200, json.dumps({"object": "list", "data": [{"id": each} for each in ids]}).encode())
    return lmstudio.read(
        {
            "/v1/models": listed,
            "/api/v1/models": Answer(200, json.dumps(new).encode()) if new else UNKNOWN_PATH,
            "/api/v0/models": Answer(200, json.dumps(old).encode()) if old else UNKNOWN_PATH,
        }
    )


def instance(name: str, window: int) -> dict[str, object]:
    return {"id": name, "config": {"context_length": window, "parallel": 4}}


def test_a_loaded_model_has_the_window_that_it_was_loaded_with() -> None:
    """What the model could do (max_context_length) counts for nothing, loaded or not."""
    loaded = {
        "key": "qwen3-8b",
        "type": "llm",
        "display_name": "Qwen3 8B",
        "max_context_length": 131072,
        "loaded_instances": [instance("qwen3-8b", 16384)],
        "capabilities": {"vision": True, "trained_for_tool_use": True},
    }
    idle = {"key": "gemma", "type": "llm", "max_context_length": 32768, "loaded_instances": []}
    assert read(["qwen3-8b", "gemma"], new={"models": [loaded, idle]}).models == (
        ServedModel("qwen3-8b", "Qwen3 8B", context_window=16384, input=("text", "image"), loaded=True, tools=True),
        ServedModel("gemma", loaded=False),
    )


def test_what_a_model_does_not_take_is_stated() -> None:
    """A plain no to images is taken; nothing, or what is no yes or no, says nothing. Instances share it.

    To tools there is no no: a model that was not trained for them is given them in its prompt.
    """
    blind = {"key": "blind", "type": "llm", "loaded_instances": [instance("blind:2", 4096)]}
    plain = {"key": "plain", "type": "llm", "capabilities": {"vision": "false", "trained_for_tool_use": 0}}
    listed = {"models": [{**blind, "capabilities": {"vision": False, "trained_for_tool_use": False}}, plain]}
    found = {each.id: (each.input, each.tools) for each in read(["blind", "blind:2", "plain"], new=listed).models}
    assert found == {"blind": (("text",), None), "blind:2": (("text",), None), "plain": ((), None)}


def test_of_several_instances_the_smallest_window_holds() -> None:
    """Any of them may answer to the model's key; each answers to its own name with its own window."""
    model = {"key": "m", "type": "llm", "loaded_instances": [instance("m", 32768), instance("m:2", 8192)]}
    found = read(["m", "m:2"], new={"models": [model]})
    assert [(each.id, each.context_window) for each in found.models] == [("m", 32768), ("m:2", 8192)]
    renamed = {"key": "m", "type": "llm", "loaded_instances": [instance("x", 32768), instance("y", 8192)]}
    assert read(["m"], new={"models": [renamed]}).models[0].context_window == 8192


def test_the_older_list_tells_a_state() -> None:
    """Version 0.3 has no instances; where it tells the loaded window, that is taken."""
    old = [
        {"id": "a", "type": "vlm", "state": "loaded", "max_context_length": 32768, "loaded_context_length": 4096},
        {"id": "b", "type": "llm", "state": "not-loaded", "max_context_length": 32768},
    ]
    assert read(["a", "b"], old={"object": "list", "data": old}).models == (
        ServedModel("a", context_window=4096, input=("text", "image"), loaded=True),
        ServedModel("b", loaded=False),
    )


def test_embedding_models_are_left_out() -> None:
    """Nobody can talk with them."""
    assert read(["e"], new={"models": [{"key": "e", "type": "embedding", "loaded_instances": []}]}).models == ()
    assert read(["e"], old={"data": [{"id": "e", "type": "embeddings", "state": "loaded"}]}).models == ()


def test_the_openai_list_is_enough() -> None:
    """Its own lists may be missing: unknown paths are answered with 200 and an error."""
    assert read(["m"]).models == (ServedModel("m"),)
