"""Any OpenAI-compatible server."""

import json

from pointsman.served import Answer, ServedModel
from pointsman.vendors import compatible


def test_fields_of_several_servers_are_taken() -> None:
    """Whatever stands behind it, a window that is told in a known field is read."""
    entries = [
        {"id": "a", "max_model_len": 1},
        {"id": "b", "context_length": 2},
        {"id": "c", "context_window": 3, "max_completion_tokens": 9},
        {"id": "d", "meta": {"n_ctx": 4}},
        {"name": "e"},
    ]
    found = compatible.read({"/v1/models": Answer(200, json.dumps({"data": entries}).encode())})
    assert [(model.id, model.context_window) for model in found.models] == [
        ("a", 1), ("b", 2), ("c", 3), ("d", 4), ("e", 0),
    ]  # fmt: skip
    assert found.models[2] == ServedModel("c", context_window=3, max_tokens=9)


def test_a_list_alone_does_not_prove_a_key() -> None:
    """Many such servers show their list to everybody."""
    assert compatible.read({"/v1/models": Answer(200, b'{"data":[]}')}).credentials_valid is None
