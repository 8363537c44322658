"""llama-server: the window of a slot, never that of the training, and a key that the list does not ask for."""

import json
from typing import Any

from pointsman.engines import llamacpp
from pointsman.served import Answer, Finding

ENTRY: dict[str, Any] = {"id": "tiny", "object": "model", "meta": {"n_ctx": 4096, "n_ctx_train": 131072}}
PROPS = Answer(200, b'{"default_generation_settings": {"n_ctx": 8192}, "total_slots": 2}')


def read(*entries: dict[str, Any], props: Answer | None = None) -> Finding:
    body = json.dumps({"models": [{"name": "tiny"}], "object": "list", "data": entries}).encode()
    answers = {"/v1/models": Answer(200, body)}
    return llamacpp.read(answers | ({"/props": props} if props else {}))


def test_the_window_is_that_of_one_slot() -> None:
    """`n_ctx` of the list, which is already divided by the number of slots."""
    assert read(ENTRY, props=PROPS).models[0].context_window == 4096


def test_props_tell_where_the_list_does_not() -> None:
    """An older list has `n_ctx_train` alone: then /props tells."""
    old = {"id": "tiny", "meta": {"n_ctx_train": 131072}}
    assert read(old, props=PROPS).models[0].context_window == 8192


def test_the_training_window_is_never_taken() -> None:
    """What the model could do is not what the server was started with."""
    assert read({"id": "tiny", "meta": {"n_ctx_train": 131072}}).models[0].context_window == 0


def test_props_tell_whether_the_key_is_good() -> None:
    """The list is open to everybody, so only /props can refuse."""
    assert read(ENTRY, props=PROPS).credentials_valid is True
    assert read(ENTRY).credentials_valid is None
    refused = read(ENTRY, props=Answer(401, b'{"error":{"message":"Invalid API Key"}}'))
    assert (refused.ok, refused.reason, refused.credentials_valid) == (False, "Unauthorized", False)


def test_missing_props_are_no_failure() -> None:
    """A server behind a proxy that shows /v1 only is well."""
    assert read(ENTRY, props=Answer(404)).ok
    assert read(ENTRY, props=Answer(0, error="Timeout")).ok


def test_a_router_tells_which_models_are_loaded() -> None:
    """Without a model of its own it lists many, with a status; /props is then about none of them."""
    router = read({"id": "a", "status": {"value": "loaded"}}, {"id": "b", "status": {"value": "unloaded"}}, props=PROPS)
    assert [(model.loaded, model.context_window) for model in router.models] == [(True, 0), (False, 0)]


def test_loading_is_its_own_reason() -> None:
    """While the model is being loaded every path answers 503."""
    body = b'{"error":{"message":"Loading model","type":"unavailable_error","code":503}}'
    assert llamacpp.read({"/v1/models": Answer(503, body)}).reason == "ModelLoading"


def test_slots_show_what_they_work_on() -> None:
    """Each with its task and its tokens; an idle server has nothing that could move."""
    busy = llamacpp.look(Answer(200, b'[{"id":0,"is_processing":true,"id_task":2,"n_prompt_tokens":87},{"id":1}]'))
    assert busy
    assert (busy.running, busy.figures) == (1.0, {"id_task0": 2.0, "n_prompt_tokens0": 87.0})
    idle = llamacpp.look(Answer(200, b'[{"id":0,"is_processing":false}]'))
    assert idle
    assert (idle.running, idle.figures) == (0.0, {})


def test_metrics_do_where_there_are_no_slots() -> None:
    """Started with --no-slots it answers 501 there."""
    text = b"llamacpp:tokens_predicted_total 12\nllamacpp:requests_processing 1\nllamacpp:n_tokens_max 5\n"
    shown = llamacpp.look(Answer(200, text))
    assert shown
    assert (shown.running, len(shown.figures)) == (1.0, 2)
    assert llamacpp.look(Answer(501, b'{"error":{"code":501}}')) is None


def test_bodies_that_are_neither_are_no_look() -> None:
    """Nothing raises."""
    for body in (b"[]", b"[1, null]", b"{}", b"[" * 100_000, b"\xff\xfe", b""):
        assert llamacpp.look(Answer(200, body)) is None
