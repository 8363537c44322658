"""LiteLLM: limits in the list or in /model/info, and a bad key that is a 400."""

import json

from pointsman.served import Answer, Finding, ServedModel
from pointsman.vendors import litellm


def read(listed: list[dict[str, object]], info: list[dict[str, object]] | None = None) -> Finding:
    answers = {"/v1/models": Answer(200, json.dumps({"data": listed, "object": "list"}).encode())}
    if info is not None:
        answers["/model/info"] = Answer(200, json.dumps({"data": info}).encode())
    return litellm.read(answers)


def test_limits_of_the_list_are_taken() -> None:
    """max_input_tokens and max_output_tokens, where the proxy knows them."""
    found = read([{"id": "tiny", "max_input_tokens": 2048, "max_output_tokens": 512}, {"id": "dead"}])
    assert found.models == (ServedModel("tiny", context_window=2048, max_tokens=512), ServedModel("dead"))


def test_model_info_tells_the_rest() -> None:
    """Of several deployments of a model the smallest window holds; the list wins where it tells."""
    info: list[dict[str, object]] = [
        {"model_name": "m", "model_info": {"max_input_tokens": 128000, "supports_vision": True}},
        {"model_name": "m", "model_info": {"max_input_tokens": 8192, "max_output_tokens": 4096}},
        {"model_name": "told", "model_info": {"max_input_tokens": 1, "supports_reasoning": True}},
        {"model_name": "none", "model_info": None},
    ]
    found = read([{"id": "m"}, {"id": "told", "max_input_tokens": 500}, {"id": "none"}], info)
    assert found.models == (
        ServedModel("m", context_window=8192, max_tokens=4096),
        ServedModel("told", context_window=500, reasoning=True),
        ServedModel("none"),
    )


def test_a_bad_key_without_a_database_is_unauthorized() -> None:
    """A proxy without a database says 400 no_db_connection where others say 401."""
    body = b'{"error":{"message":"No connected db.","type":"no_db_connection","param":null,"code":"400"}}'
    found = litellm.read({"/v1/models": Answer(400, body)})
    assert (found.reason, found.credentials_valid) == ("Unauthorized", False)
    assert litellm.read({"/v1/models": Answer(400, b"{}")}).reason == "UnexpectedStatus"
