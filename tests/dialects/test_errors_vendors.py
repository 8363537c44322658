"""Errors of hosted vendors, in the shapes that their documentation and recordings show."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pointsman.dialects import chat, errors, messages
from pointsman.exchange import Failure, Head
from pointsman.sse import frames

Json = dict[str, Any]
QUOTA = "You exceeded your current quota, please check your plan and billing details."
TOKENS = (
    "Rate limit reached for gpt-5 in organization org-x on tokens per min (TPM): Limit 30000, Used 29000. "
    "Please try again in 6m0s."
)
CREDIT = "Your credit balance is too low to access the Anthropic API."
LONG = '{"detail":"maximum context length is 8192"}'


def openai(message: str, kind: str, code: str | None = None) -> Json:
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def anthropic(kind: str, message: str) -> Json:
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"}


def openrouter(code: int, message: str, **metadata: Any) -> Json:
    return {"error": {"code": code, "message": message, "metadata": metadata}, "user_id": "user_1"}


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (429, openai(QUOTA, "insufficient_quota", "insufficient_quota"), "Authentication"),
        (429, openai(TOKENS, "tokens", "rate_limit_exceeded"), "RateLimited"),
        (429, openai("Rate limit reached for requests", "requests", "rate_limit_exceeded"), "RateLimited"),
        (401, openai("Incorrect API key: sk-x.", "invalid_request_error", "invalid_api_key"), "Authentication"),
        (403, openai("Country, region, or territory not supported", "request_forbidden",
                     "unsupported_country_region_territory"), "Authentication"),
        (404, openai("The model `x` does not exist or you do not have access to it.", "invalid_request_error",
                     "model_not_found"), "ModelNotFound"),
        (500, openai("The server had an error while processing your request. Sorry about that!", "server_error"),
         "ServerError"),
        (503, openai("The engine is currently overloaded, please try again later", "server_error"), "ServerError"),
        (400, openai("Unsupported value: 'temperature' does not support 0.5 with this model.", "invalid_request_error",
                     "unsupported_value"), "BadRequest"),
        (429, anthropic("rate_limit_error", "This request would exceed your organization's rate limit of 50 requests "
                        "per minute"), "RateLimited"),
        (402, anthropic("billing_error", CREDIT), "Authentication"),
        (400, anthropic("invalid_request_error", CREDIT), "Authentication"),
        (401, anthropic("authentication_error", "invalid x-api-key"), "Authentication"),
        (403, anthropic("permission_error", "Your API key does not have permission"), "Authentication"),
        (404, anthropic("not_found_error", "model: claude-x"), "ModelNotFound"),
        (413, anthropic("request_too_large", "Request exceeds the maximum size"), "ContextLengthExceeded"),
        (500, anthropic("api_error", "Internal server error"), "ServerError"),
        (504, anthropic("timeout_error", "Request timed out"), "Timeout"),
        (529, anthropic("overloaded_error", "Overloaded"), "ServerError"),
        (402, openrouter(402, "This request requires more credits, or fewer max_tokens."), "Authentication"),
        (402, openrouter(402, "Too much in work", limit_source="openrouter_in_flight_budget"), "RateLimited"),
        (403, openrouter(403, "Input was flagged", reasons=["violence"], provider_name="X") | {}, "Authentication"),
        (403, openrouter(403, "m requires moderation, your input was flagged", reasons=["x"]), "ContentPolicy"),
        (408, openrouter(408, "Request timed out"), "Timeout"),
        (429, openrouter(429, "Provider returned error", raw="m is rate-limited upstream", provider_name="X"),
         "RateLimited"),
        (502, openrouter(502, "Provider returned error", raw="", provider_name="X"), "ServerError"),
        (503, openrouter(503, "No instances available"), "ServerError"),
        (404, openrouter(404, "No endpoints found that support tool use."), "Unsupported"),
        (404, openrouter(404, "No allowed providers are available for the selected model."), "ModelNotFound"),
        (400, openrouter(400, "Provider returned error", provider_name="X",
                         raw='{"error":{"message":"This model\'s maximum context length is 8192 tokens."}}'),
         "ContextLengthExceeded"),
        (200, openrouter(429, "Rate limited"), "RateLimited"), (200, openrouter(502, "Down"), "ServerError"),
    ],
)  # fmt: skip
def test_what_vendors_mean(status: int, body: Json, kind: str) -> None:
    """Billing and keys cool for long, limits as long as they say, overload briefly; what others may take goes on."""
    assert errors.read_error(status, json.dumps(body).encode()).kind == kind


def test_whose_error_openrouter_hands_on_is_told() -> None:
    """Its own text says only that there was one."""
    body = openrouter(400, "Provider returned error", raw=LONG, provider_name="X")
    failure = errors.read_error(400, json.dumps(body).encode())
    assert failure.message == f"Provider returned error: {LONG} (X)"
    assert failure.window == 8192


@pytest.mark.parametrize("metadata", [None, [], "x", {"raw": {"a": 1}}, {"raw": 1, "provider_name": 2}])
def test_odd_metadata(metadata: Any) -> None:
    """Whatever stands there, the error is told."""
    failure = errors.read_error(429, json.dumps({"error": {"message": "m", "metadata": metadata}}).encode())
    assert failure.message.startswith("m")


CUT: Json = {
    "id": "cmpl", "object": "chat.completion.chunk", "provider": "X",
    "error": {"code": "server_error", "message": "Provider disconnected unexpectedly"},
    "choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": "error"}],
}  # fmt: skip
CHOICE: Json = {
    "choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": "error",
                 "error": {"code": 429, "message": "Rate limit exceeded"}}],
}  # fmt: skip


@pytest.mark.parametrize(
    ("chunk", "kind", "message"),
    [(CUT, "ServerError", "Provider disconnected unexpectedly"), (CHOICE, "RateLimited", "Rate limit exceeded")],
)
def test_openrouter_fails_in_the_stream(chunk: Json, kind: str, message: str) -> None:
    """With status 200, at the top of a chunk or in its choice."""
    scanner = chat.Scanner(Head("m", True, {}))
    (frame,) = frames(b"data: " + json.dumps(chunk).encode() + b"\n\n")
    failure = scanner.feed(frame)
    assert isinstance(failure, Failure)
    assert (failure.kind, failure.message) == (kind, message)


def test_openrouter_fails_in_a_whole_answer() -> None:
    """The choice has the error that the body does not."""
    choice = {
        "index": 0,
        "message": {"content": "he"},
        "finish_reason": "error",
        "error": {"code": 502, "message": "cut"},
    }
    failure = chat.read_whole(200, json.dumps({"choices": [choice]}).encode())
    assert isinstance(failure, Failure)
    assert (failure.kind, failure.status) == ("ServerError", 502)


def test_anthropic_is_overloaded_in_the_stream() -> None:
    """Its 529 after the status line."""
    (frame,) = frames(
        b"event: error\ndata: " + json.dumps(anthropic("overloaded_error", "Overloaded")).encode() + b"\n\n"
    )
    failure = messages.Scanner(Head("m", True, {})).feed(frame)
    assert isinstance(failure, Failure)
    assert failure.kind == "ServerError"
