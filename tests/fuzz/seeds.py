"""What fuzzed inputs begin as, and the words that matter to their readers."""

from __future__ import annotations

import json
from typing import Final

from dialects import corpus
from gateway import fakeupstream, smuggling, test_upstream

NAMES: Final = ("completions", "responses", "messages")

HTTP: Final = (
    b"Content-Length: ", b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding:", b"Host: x\r\n", b"chunked",
    b"identity", b"Connection: close\r\n", b"Connection: upgrade\r\n", b"Upgrade: h2c\r\n", b"Expect: 100-continue\r\n",
    b"HTTP/1.0", b"HTTP/1.1", b"HTTP/2.0", b"0\r\n\r\n", b"5\r\nhello\r\n", b"Trailer: X\r\n",
)  # fmt: skip
ANSWERS: Final = (
    b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 101 Switching Protocols\r\n", b" 204 ", b" 304 ", b" 99 ",
)  # fmt: skip
EVENTS: Final = (
    b"data:", b"data: ", b"event: ", b"id: ", b"retry: ", b"\n\n", b"\r\r", b"\r\n\r\n", b"\n\r\n", b": ",
)  # fmt: skip
JSON: Final = (
    b'"model":', b'"choices":', b'"delta":', b'"type":', b'"error":', b'"tool_calls":', b'"content":', b'"n":',
    b'"stream":', b'"finish_reason":', b'"stop_reason":', b'"usage":', b'"message":', b'"response":', b'"max_tokens":',
    b"[DONE]", b"data: ", b"\n\n", b"{}", b"[]", b'""', b"1.5", b"9" * 400, b"[" * 200, b'{"a":' * 200,
)  # fmt: skip


def requests() -> list[bytes]:
    """HTTP requests, clean and not."""
    return [case.data + smuggling.CANARY for case in smuggling.ALL.values() if len(case.data) < 2000]


def answers() -> list[bytes]:
    """HTTP answers, clean and not."""
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(event), event) for event in (b"data: a\n\n", b"data: [DONE]\n\n"))
    known = {**test_upstream.GOOD_ODD, **test_upstream.BAD}
    return [
        *(data for data in known.values() if len(data) < 2000),
        test_upstream.HEAD + test_upstream.CHAT,
        _head(b"Transfer-Encoding: chunked") + chunks + b"0\r\n\r\n",
        _head(b"Connection: close") + b"data: a\n\n",
        _head(b"Content-Length: 0", b"Retry-After: 5", line=b"HTTP/1.1 429 Too Many Requests"),
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.0 200 OK\r\n\r\nhello",
    ]


def _head(*fields: bytes, line: bytes = b"HTTP/1.1 200 OK") -> bytes:
    return b"\r\n".join((line, *fields, b"", b""))


def streams() -> list[bytes]:
    """Event streams of all dialects, with each kind of line end."""
    found = [
        b"".join(event or b"" for event in fakeupstream.stream_events(name, fault))
        for name in NAMES
        for fault in ("ok", "tool", "comments", "cut-mid", "malformed")
    ]
    return [stream.replace(b"\n", end)[-1500:] for stream in found for end in (b"\n", b"\r\n", b"\r")]


def documents() -> list[bytes]:
    """Requests, answers and errors as JSON, single events, and whole streams as the dialects' scanners get them."""
    user = {"role": "user", "content": [{"type": "text", "text": "hi"}]}
    image = {"role": "user", "content": [{"type": "image", "source": {}}]}
    schema = {"type": "json_schema", "json_schema": {"name": "a", "schema": {}}}
    long = {"message": "maximum context length is 2048 tokens", "code": "context_length_exceeded"}
    plain = [
        {"model": "m", "input": [user], "stream": True, "reasoning": {"effort": "low"}},
        {"model": "m", "max_tokens": 5, "messages": [image], "tools": [{"name": "a"}]},
        {"model": "m", "n": 2, "messages": [user], "response_format": schema, "parallel_tool_calls": True},
        {"error": {"type": "invalid_request_error", **long}},
        {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
        {"object": "error", "message": "x", "code": 40303},
        {"detail": "Not Found"},
        *(fakeupstream.whole(name, "hi") for name in NAMES),
    ]
    found = [smuggling.BODY, b"<!DOCTYPE html><h1>Bad gateway</h1>", *(json.dumps(each).encode() for each in plain)]
    for stream in (stream for book in (corpus.CHAT, corpus.RESPONSES, corpus.MESSAGES) for stream in book.values()):
        found.append(b"".join(frame.encode() + b"\n\n" for frame, _ in stream))
        found += [frame.partition("data: ")[2].encode() for frame, _ in stream]
    return found


def conversations() -> list[bytes]:
    """Requests with all that dialects have words for, whole answers, and streams short enough to be mutated."""
    call = {"name": "f", "arguments": '{"a":1}'}
    seal = "pm1.WyJwIiwib3BlbmFpLXJlc3BvbnNlcyIseyJlbmNyeXB0ZWRfY29udGVudCI6ImcifV0"
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    asked = [
        {"model": "m", "stream": True, "n": 1, "stop": ["x"], "max_tokens": 9, "reasoning_effort": "low", "seed": 1,
         "tools": [{"type": "function", "function": {"name": "f", "parameters": schema, "strict": True}}],
         "tool_choice": {"type": "function", "function": {"name": "f"}},
         "response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": schema}},
         "messages": [
             {"role": "system", "content": "s"},
             {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}]},
             {"role": "assistant", "content": None, "reasoning_content": "r", "refusal": "no",
              "tool_calls": [{"id": "c", "type": "function", "function": call}]},
             {"role": "tool", "tool_call_id": "c", "content": "1"}]},
        {"model": "m", "instructions": "i", "reasoning": {"effort": "high", "summary": "auto"}, "store": False,
         "text": {"format": {"type": "json_schema", "name": "a", "schema": schema}, "verbosity": "low"},
         "tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "g"}]},
         "tools": [{"type": "namespace", "name": "n", "tools": [{"type": "function", "name": "g"}]},
                   {"type": "custom", "name": "p", "format": {"type": "grammar", "syntax": "lark", "definition": "d"}}],
         "input": [
             {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "t"}]},
             {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "s"}],
              "encrypted_content": seal},
             {"type": "function_call", "call_id": "c", "namespace": "n", **call},
             {"type": "function_call_output", "call_id": "c", "output": [{"type": "input_text", "text": "o"}]},
             {"type": "custom_tool_call", "call_id": "d", "name": "p", "input": "x"}]},
        {"model": "m", "max_tokens": 9, "system": [{"type": "text", "text": "s"}], "stop_sequences": ["x"],
         "thinking": {"type": "enabled", "budget_tokens": 2048}, "output_config": {"effort": "low"},
         "tools": [{"name": "f", "input_schema": schema}, {"type": "web_search_20250305", "name": "web_search"}],
         "tool_choice": {"type": "tool", "name": "f", "disable_parallel_tool_use": True},
         "messages": [
             {"role": "user", "content": "u"},
             {"role": "assistant", "content": [
                 {"type": "thinking", "thinking": "h", "signature": seal}, {"type": "redacted_thinking", "data": "d"},
                 {"type": "tool_use", "id": "c", "name": "f", "input": {"a": 1}}]},
             {"role": "user", "content": [
                 {"type": "tool_result", "tool_use_id": "c", "is_error": True, "content": "o"},
                 {"type": "image", "source": {"type": "url", "url": "http://x"}}]}]},
    ]  # fmt: skip
    return [*(json.dumps(document).encode() for document in asked), *documents(), *streams()]
