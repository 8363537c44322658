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
