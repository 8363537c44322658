"""What error answers mean: bodies as real servers send them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.dialects import chat, errors, messages
from pointsman.exchange import FailureKind

VLLM_LONG = (
    "This model's maximum context length is 2048 tokens. However, your prompt contains at least 2049 input tokens."
)
REAL = [
    (400, {"error": {"message": VLLM_LONG, "type": "BadRequestError", "param": "input_tokens", "code": 400}}, "ContextLengthExceeded"),
    (400, {"type": "error", "error": {"type": "BadRequestError", "message": VLLM_LONG}}, "ContextLengthExceeded"),
    (400, {"error": {"code": 400, "message": "request (24011 tokens) exceeds the available context size (2048 tokens)",
                     "type": "exceed_context_size_error"}}, "ContextLengthExceeded"),
    (400, {"error": {"message": "too long", "type": "invalid_request_error", "code": "context_length_exceeded"}}, "ContextLengthExceeded"),
    (400, {"type": "error", "error": {"type": "invalid_request_error", "message": "prompt is too long: 300000 tokens > 200000 maximum"}}, "ContextLengthExceeded"),
    (400, {"error": {"message": "litellm.ContextWindowExceededError: …", "code": "400"}}, "ContextLengthExceeded"),
    (413, {"type": "error", "error": {"type": "request_too_large", "message": "Request too large"}}, "ContextLengthExceeded"),
    (429, {"error": {"message": "Request too large for model, TPM: Limit 6000, Requested 7000"}}, "ContextLengthExceeded"),
    (404, {"error": {"message": "The model `nope` does not exist.", "type": "NotFoundError", "code": 404}}, "ModelNotFound"),
    (404, {"type": "error", "error": {"type": "not_found_error", "message": "model 'nope' not found"}}, "ModelNotFound"),
    (400, {"error": {"message": "/chat/completions: Invalid model name passed in model=nope.", "code": "400"}}, "ModelNotFound"),
    (400, {"error": {"message": "No models loaded. Please load a model", "type": "invalid_request_error", "param": "model"}}, "ModelNotFound"),
    (404, {"detail": "Not Found"}, "ModelNotFound"),
    (401, {"error": "Unauthorized"}, "Authentication"),
    (401, {"error": {"message": "Invalid API Key", "type": "authentication_error", "code": 401}}, "Authentication"),
    (400, {"error": {"message": "No connected db.", "type": "no_db_connection", "code": "400"}}, "Authentication"),
    (402, {"error": {"message": "Insufficient credits", "code": 402}}, "Authentication"),
    (429, {"error": {"message": "You exceeded your current quota", "code": "insufficient_quota"}}, "Authentication"),
    (429, {"error": {"message": "Rate limit reached", "code": "rate_limit_exceeded"}}, "RateLimited"),
    (503, {"error": {"message": "Loading model", "type": "unavailable_error", "code": 503}}, "ServerError"),
    (529, {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, "ServerError"),
    (500, {"error": {"message": "litellm.InternalServerError: Connection error.", "code": "500"}}, "ServerError"),
    (408, {}, "Timeout"),
    (400, {"error": {"message": "flagged", "code": "content_policy_violation"}}, "ContentPolicy"),
    (403, {"error": {"message": "Your input was flagged by moderation", "code": 403}}, "ContentPolicy"),
    (400, {"error": {"message": "messages: at least one", "type": "invalid_request_error"}}, "BadRequest"),
    (422, {"detail": [{"loc": ["body"], "msg": "field required"}]}, "BadRequest"),
    (302, {}, "InvalidResponse"),
]  # fmt: skip


@pytest.mark.parametrize(("status", "body", "kind"), REAL)
def test_classifies_what_real_servers_say(status: int, body: object, kind: str) -> None:
    """Message, type and code all count, whichever server wrote them where."""
    assert errors.read_error(status, json.dumps(body).encode()).kind == kind


@pytest.mark.parametrize(
    ("status", "kind"),
    [(200, "InvalidResponse"), (404, "InvalidResponse"), (502, "ServerError"), (403, "Authentication")],
)
def test_a_page_is_not_an_api_error(status: int, kind: str) -> None:
    """An HTML body is a proxy's; its 404 says nothing of a model."""
    assert errors.read_error(status, b"\n<!DOCTYPE html><html>").kind == kind


ODD = [b"null", b"[]", b'{"error":null}', b'{"error":[1]}', b'{"error":{"message":{"a":1},"code":[2]}}', b"{" * 5000]


@given(st.integers(300, 599), st.binary(max_size=100) | st.sampled_from(ODD))
def test_no_body_is_too_odd(status: int, body: bytes) -> None:
    """Whatever an upstream sends, it has a kind, and its text is bounded."""
    failure = errors.read_error(status, body, 3.0)
    assert isinstance(failure.kind, FailureKind)
    assert len(failure.message) <= errors.MESSAGE_LIMIT
    assert (failure.status, failure.retry_after) == (status, 3.0)


@given(
    st.none()
    | st.text()
    | st.dictionaries(st.sampled_from(["message", "type", "code"]), st.none() | st.text() | st.integers())
)
def test_no_stream_error_is_too_odd(error: object) -> None:
    """The same for an error inside a stream."""
    assert isinstance(errors.read_stream_error(error).kind, FailureKind)


def test_own_shape_is_known() -> None:
    """OpenAI's shape on Anthropic's path (llama.cpp, vLLM) is rewritten before it reaches an Anthropic client."""
    openai = b'{"error":{"message":"m"}}'
    anthropic = b'{"type":"error","error":{"type":"x","message":"m"}}'
    assert chat.is_error(openai)
    assert chat.is_error(anthropic)
    assert messages.is_error(anthropic)
    assert not messages.is_error(openai)
    assert not chat.is_error(b'{"error":"Unauthorized"}')
    assert not chat.is_error(b"\xff")
