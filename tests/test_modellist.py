"""The OpenAI list of models: statuses, what stands in its place, and bounds."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman import modellist
from pointsman.served import Answer, Finding, ServedModel


def listed(content: object, status: int = 200) -> Finding:
    return modellist.read({modellist.PATH: Answer(status, json.dumps(content).encode())}, modellist.named)


def test_a_list_is_read_in_its_order_and_each_id_once() -> None:
    """Of two entries with one id the first counts, and entries that are none are passed over."""
    found = listed({"object": "list", "data": [{"id": "b"}, {"id": "a"}, {"id": "b"}, {"id": 7}, "c", None]})
    assert found == Finding(ok=True, models=(ServedModel("b"), ServedModel("a")))


def test_an_empty_list_is_a_success() -> None:
    """A server without models answers: it has none."""
    assert listed({"data": []}) == Finding(ok=True)


@pytest.mark.parametrize(
    ("status", "reason", "valid"),
    [
        (401, "Unauthorized", False),
        (403, "Forbidden", False),
        (402, "QuotaExceeded", True),
        (404, "NotFound", None),
        (405, "NotFound", None),
        (429, "RateLimited", None),
        (500, "ServerError", None),
        (529, "ServerError", None),
        (400, "UnexpectedStatus", None),
        (301, "UnexpectedStatus", None),
    ],
)
def test_a_status_has_one_reason(status: int, reason: str, valid: bool | None) -> None:
    """Every status but 2xx is a failure with a stable reason, and only some tell of the credentials."""
    found = listed({"error": "x"}, status)
    assert (found.ok, found.reason, found.credentials_valid) == (False, reason, valid)


def test_a_refusal_says_what_to_mend() -> None:
    """The message names the field of the object that is wrong."""
    assert "spec.endpoint.credentials.secretRef" in listed({}, 401).message
    assert "spec.endpoint.baseUrl" in listed({}, 404).message


def test_a_loading_server_is_not_a_failed_one() -> None:
    """503 with llama-server's text means that the model is still being loaded."""
    loading = {"error": {"message": "Loading model", "type": "unavailable_error", "code": 503}}
    assert listed(loading, 503).reason == "ModelLoading"
    assert listed({"error": "busy"}, 503).reason == "ServerError"


@pytest.mark.parametrize(
    "body",
    [b"<!doctype html><title>KoboldCpp</title>", b'{"status": "ok"}', b"[]", b"null", b"", b"\xff\xfe", b"[" * 9],
)
def test_200_with_something_else_is_not_openai_compatible(body: bytes) -> None:
    """Only an object with a list in `data` or `models` is a model list; the message shows what came."""
    found = modellist.read({modellist.PATH: Answer(200, body, "text/html")}, modellist.named)
    assert (found.ok, found.reason) == (False, "NotOpenAICompatible")
    assert "text/html" in found.message


def test_the_excerpt_is_short_and_one_line() -> None:
    """Eighty characters at most, no control characters, whatever came."""
    assert modellist.excerpt(Answer(200, b"<html>\r\n\x1b[31m  x" + b"y" * 500)) == ("<html> [31m x" + "y" * 500)[:80]
    assert modellist.excerpt(Answer(200)) == "an empty body"


def test_a_redirect_names_where_to() -> None:
    """A redirect is not followed, as the key would go with it; its place is named."""
    found = modellist.read({modellist.PATH: Answer(308, message="https://new.example/v1/models")}, modellist.named)
    assert "https://new.example/v1/models" in found.message


def test_no_answer_keeps_the_reason_of_the_shell() -> None:
    """Status 0 carries the reason and message of whoever asked."""
    found = modellist.read({modellist.PATH: Answer(0, error="DNSFailure", message="no such host")}, modellist.named)
    assert found == Finding(ok=False, reason="DNSFailure", message="no such host")


def test_a_long_list_is_cut() -> None:
    """No server makes more models than a routing table can hold."""
    assert len(listed({"data": [{"id": f"m{i}"} for i in range(6000)]}).models) == modellist.MODELS


@pytest.mark.parametrize(
    ("value", "tokens"),
    [(2048, 2048), (2048.0, 2048), (0, 0), (-1, 0), (True, 0), ("2048", 0), (None, 0), (10**30, 0), (float("inf"), 0)],
)
def test_only_a_sensible_number_is_a_count_of_tokens(value: object, tokens: int) -> None:
    """Strings, booleans, and numbers beyond any window count as not told."""
    assert modellist.tokens(value) == tokens


@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode), st.integers(0, 999))
def test_any_bytes_give_a_finding(body: bytes, status: int) -> None:
    """Nothing that a stranger sends raises, and every message can be written as UTF-8."""
    found = modellist.read({modellist.PATH: Answer(status, body)}, modellist.named)
    assert found.ok == (not found.reason)
    found.message.encode()


def test_brackets_without_end_are_no_list() -> None:
    """A body that only nests is refused, not followed until the stack ends."""
    for body in (b"[" * 4_000_000, b'{"data":' * 400_000, b'{"data":[{"id":"m","x":' + b"[" * 100_000):
        assert modellist.read({modellist.PATH: Answer(200, body)}, modellist.named).reason == "NotOpenAICompatible"
