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
    (503, {"error": {"message": "Loading model", "type": "unavailable_error", "code": 503}}, "ModelLoading"),
    (529, {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, "ServerError"),
    (500, {"error": {"message": "litellm.InternalServerError: Connection error.", "code": "500"}}, "ServerError"),
    (408, {}, "Timeout"),
    (400, {"error": {"message": "flagged", "code": "content_policy_violation"}}, "ContentPolicy"),
    (403, {"error": {"message": "Your input was flagged by moderation", "code": 403}}, "ContentPolicy"),
    (400, {"error": {"message": "messages: at least one", "type": "invalid_request_error"}}, "BadRequest"),
    (422, {"detail": [{"loc": ["body"], "msg": "field required"}]}, "BadRequest"),
    (302, {}, "InvalidResponse"),
]  # fmt: skip

LIMITS = [
    (402, "Your daily limit is reached", "RateLimited"),
    (402, "Usage limit reached, try again in 3 hours", "RateLimited"),
    (402, "Your workspace has reached its spend limit", "RateLimited"),
    (402, "Insufficient balance", "Authentication"),
    (429, "Your credit balance is too low", "Authentication"),
    (429, "weekly limit exceeded", "RateLimited"),
    (429, "Limit of requests per day exceeded, add to your credit balance for more", "RateLimited"),
    (429, "账户余额不足", "Authentication"),
    (429, "Too many requests", "RateLimited"),
    (429, "engine_overloaded_error", "ServerError"),
    (503, "Overloaded", "ServerError"),
    (529, "Overloaded", "ServerError"),
    (503, "llm server loading model", "ModelLoading"),
    (503, "Model Qwen/Qwen3-32B is currently loading", "ModelLoading"),
    (503, "The model is loading, please retry", "ModelLoading"),
    (429, "ModelNotReadyException: Model is not ready for inference", "ModelLoading"),
    (500, "error loading model: out of memory", "ServerError"),
    (400, "Failed to load model", "BadRequest"),
    (400, "messages.0.content.1.image.source.base64: image exceeds 5 MB maximum: 6291456 bytes > 5242880 bytes", "BadRequest"),
    (400, "At least one of the image dimensions exceed max allowed size: 8000 pixels", "BadRequest"),
    (413, "The image is too large", "BadRequest"),
    (400, "The image tokens exceed the model's maximum context length is 2048", "ContextLengthExceeded"),
]  # fmt: skip
WINDOWS = [
    (VLLM_LONG, 2048),
    ("request (24011 tokens) exceeds the available context size (2048 tokens), try increasing it", 2048),
    ("prompt is too long: 208310 tokens > 200000 maximum", 200_000),
    ("input length and `max_tokens` exceed context limit: 188240 + 21333 > 200000, decrease input length", 200_000),
    ("litellm.ContextWindowExceededError: litellm.BadRequestError: This model's maximum context length is 2048 tokens. However", 2048),
    ("the model has a context window of 8,192 tokens", 8192),
    ("the model is loaded with context length of only 4096 tokens, which is not enough", 4096),
    ("The input (5000 tokens) is longer than the model's context length (4096 tokens).", 4096),
    ("The decoder prompt (length 5000) is longer than the maximum model length of 4096. Make sure that `max_model_len`", 4096),
    ("This model's maximum prompt length is 131072 but the request contains 537812 tokens.", 131_072),
    ("The input token count (1196265) exceeds the maximum number of tokens allowed (1048575).", 1_048_575),
    ("Prompt contains 40000 tokens, too large for model with 32768 maximum context length", 32_768),
    ("Your input exceeds the context window of this model.", 0),
    ("maximum context length exceeded", 0),
    ("maximum context length is 99999999999999999999", 0),
]  # fmt: skip


@pytest.mark.parametrize(("status", "message", "kind"), LIMITS)
def test_a_limit_is_what_its_words_say(status: int, message: str, kind: str) -> None:
    """What is not paid for, what comes back by itself and what is loading are told apart, whatever the status."""
    assert errors.read_error(status, json.dumps({"error": {"message": message}}).encode()).kind == kind


@pytest.mark.parametrize(("message", "window"), WINDOWS)
def test_learns_the_window_from_the_refusal(message: str, window: int) -> None:
    """A target that refuses a prompt as too long mostly says how long it may be."""
    failure = errors.read_error(400, json.dumps({"error": {"message": message}}).encode())
    assert (failure.kind, failure.window) == (FailureKind.CONTEXT_LENGTH_EXCEEDED, window)
    assert errors.read_stream_error({"message": message}).window == window


def test_learns_the_window_from_its_own_field() -> None:
    """llama.cpp gives it as a number; of other errors no number is believed."""
    error = {"message": "too long", "type": "exceed_context_size_error", "n_prompt_tokens": 24011, "n_ctx": 4096}
    assert errors.read_error(400, json.dumps({"error": error}).encode()).window == 4096
    assert errors.read_error(500, b'{"error":{"message":"context window of 8192","code":1}}').window == 8192
    assert errors.read_error(400, b'{"error":{"message":"at most 5 tools","n_ctx":4096}}').window == 0


@pytest.mark.parametrize(
    ("reason", "kind"),
    [("error", "ServerError"), ("abort", "Timeout"), ("network_error", "Timeout"), ("malformed_response", "Timeout")],
)
def test_some_reasons_to_end_are_failures(reason: str, kind: str) -> None:
    """An answer that ends so is none, in any dialect; all other reasons are an answer's."""
    failure = errors.read_reason(reason)
    assert failure is not None
    assert failure.kind == kind
    chunk = {"choices": [{"message": {"content": "x"}, "finish_reason": reason}]}
    assert chat.whole_ok(200, json.dumps(chunk).encode()) == failure
    assert (
        messages.whole_ok(200, json.dumps({"content": [{"type": "text"}], "stop_reason": reason}).encode()) == failure
    )
    assert [errors.read_reason(other) for other in ("stop", "length", None, 3, [])] == [None] * 5


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


@pytest.mark.parametrize(
    ("status", "message", "large", "window"),
    [
        (413, "Request exceeds the maximum size: it must not exceed 33554432 bytes", True, 0),
        (413, "", True, 0),
        (400, "request_too_large", True, 0),
        (413, "This model's maximum context length is 8192", False, 8192),
        (413, "Too large: at most 8192 tokens", False, 8192),
        (400, "This model's maximum context length is 8192 tokens", False, 8192),
        (413, "The image is too large", False, 0),
        (503, "request entity", False, 0),
    ],
)
def test_bytes_are_no_tokens(status: int, message: str, large: bool, window: int) -> None:
    """A limit of a request's bytes is told apart from a window, and its number is none of tokens."""
    body = json.dumps({"error": {"message": message}}).encode()
    for failure in (
        errors.read_error(status, body),
        *([errors.read_stream_error({"message": message})] if status == 400 else []),
    ):
        assert (failure.too_large, failure.window) == (large, window)
