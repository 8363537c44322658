"""A server of all three dialects in which the name of the model picks the fault. It keeps what it was sent.

ok                     answers well               slow         a word every 50 ms
status-N               error N in OpenAI's shape  html-N       a page with status N
rate-limited           429, Retry-After: 7        context, policy, wrong   400 of that kind
wrong-field            400 with the parameter that is wrong and a code of its own
empty                  an answer without words    garbage      200, but no JSON and no event
error-first            an error as first event    preamble-error   the preamble, then an error
cut-before             reset before the head      cut-preamble, cut-mid, reset-mid   …after it, after two words
end-mid                a proper end in the middle of the answer      error-mid    an error after two words
stall-head, stall-preamble, stall-mid     nothing more comes, the connection stays
malformed              half an event, then more  no-done, no-done-open      all but the last event
crlf, torn, comments   odd, but right framing     tool, cut-tool   a tool call, or half of one   big    a 9 MiB answer
eof                    no length, ends by closing pid-N        answers well (for telling instances apart)

What `acts` adds is named there. `A+B+C`: the first request for that model gets A, the next B, all further ones C.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

WORDS = ("one ", "two ", "three ", "four ", "five.")
TEXT = "".join(WORDS)
BIG = 9 * 1024 * 1024
PREAMBLES = 1  # chat; the others are cut by kind


@dataclass
class Seen:
    """A request as it arrived; header names in lower case."""

    path: str
    fields: dict[str, str]
    body: dict[str, Any]
    gone: asyncio.Event = field(default_factory=asyncio.Event)  # the caller has closed the connection


class FakeUpstream:
    """State: the requests seen, and the connections open."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.connections = 0
        self.opened = 0
        self.port = 0
        self.key = ""  # when set, requests must carry it
        self.running = self.most = 0  # requests that are being answered, and how many ever were at once
        self.gate = asyncio.Event()  # what the acts wait for that wait
        self.serves = 0  # requests on one connection, after which the next finds it closed; 0: any number
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self, port: int = 0, **tls: Any) -> FakeUpstream:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port, limit=2**26, **tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def stop(self) -> None:
        """As when the process is killed: nobody listens, every connection is reset."""
        if self._server is not None:
            self._server.close()
            for writer in list(self._writers):
                _reset(writer)
            await asyncio.sleep(0)
            self._server = None

    def drop_connections(self) -> None:
        """Close what is open; the port stays."""
        for writer in list(self._writers):
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        self.connections += 1
        self.opened += 1
        served = 0
        try:
            while await self._one(reader, writer, stale=0 < self.serves <= served):
                served += 1
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self.connections -= 1
            self._writers.discard(writer)
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, stale: bool) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:]) if name}
        body = json.loads(await reader.readexactly(int(fields.get("content-length", 0))) or b"{}")
        if stale:
            return False
        seen = Seen(head[0].split(" ")[1], fields, body)
        self.seen.append(seen)
        answer = Answer(seen, reader, writer, self)
        if self.key and self.key not in {fields.get("authorization"), fields.get("x-api-key")}:
            return await answer.error(401, "bad key: sk-secret")
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            return await answer.give()
        finally:
            self.running -= 1

    def asked(self, model: str) -> list[Seen]:
        """The requests for a model."""
        return [seen for seen in self.seen if seen.body.get("model") == model]


def _reset(writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


class Answer:
    """One answer, given as the model's name says. `give` tells whether the connection lives on."""

    def __init__(
        self, seen: Seen, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, upstream: FakeUpstream
    ) -> None:
        self.seen, self.reader, self.writer, self.upstream = seen, reader, writer, upstream
        model = str(seen.body.get("model"))
        faults = model.split("+")
        self.fault = faults[min(len(upstream.asked(model)), len(faults)) - 1]
        self.dialect = seen.path.rsplit("/", 1)[-1]  # completions, responses, messages
        self.streamed = seen.body.get("stream") is True

    async def give(self) -> bool:
        fault = self.fault
        if fault in ACTS:
            return await ACTS[fault](self)
        if fault.startswith(("status-", "html-")):
            kind, _, status = fault.partition("-")
            if kind == "html":
                return await self.whole(int(status), b"<!DOCTYPE html><h1>Bad gateway</h1>", "text/html")
            return await self.error(int(status), f"error {status}")
        if fault in _ERRORS:
            return await self.error(*_ERRORS[fault])
        if fault == "cut-before":
            _reset(self.writer)
            return False
        if fault == "stall-head":
            return await self.stall()
        if fault == "garbage":
            return await self.whole(200, b"it works!", "text/plain")
        return await (self.stream() if self.streamed else self.answer())

    async def error(self, status: int, message: str, code: str = "", extra: str = "", param: str | None = None) -> bool:
        body = json.dumps(
            {"error": {"message": message, "type": code or "error", "param": param, "code": code}}
        ).encode()
        return await self.whole(status, body, "application/json", extra)

    async def whole(self, status: int, body: bytes, kind: str = "application/json", extra: str = "") -> bool:
        head = f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{extra}\r\n"
        self.writer.write(head.encode() + body)
        await self.writer.drain()
        return True

    async def stall(self) -> bool:
        await self.reader.read()  # until the caller leaves
        self.seen.gone.set()
        return False

    async def answer(self) -> bool:
        if self.fault.startswith("stall"):
            return await self.stall()
        text = "" if self.fault == "empty" else "x" * BIG if self.fault == "big" else TEXT
        body = json.dumps(whole(self.dialect, text)).encode()
        if self.fault in {"cut-preamble", "cut-mid", "reset-mid"}:
            head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            self.writer.write(head.encode() + body[:30])
            await self.writer.drain()
            return False
        if self.fault == "eof":
            self.writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n" + body)
            await self.writer.drain()
            return False
        return await self.whole(200, body)

    async def stream(self) -> bool:
        events = stream_events(self.dialect, self.fault)
        self.writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n")
        self.writer.write(b"\r\n" if self.fault == "eof" else b"Transfer-Encoding: chunked\r\n\r\n")
        for event in events:
            if event is None:  # the fault
                return await self.break_off()
            await self.event(event)
        if self.fault == "no-done-open":
            return await self.stall()
        if self.fault == "eof":
            return False
        self.writer.write(b"0\r\n\r\n")
        await self.writer.drain()
        return True

    async def event(self, event: bytes) -> None:
        if self.fault == "crlf":
            event = event.replace(b"\n", b"\r\n")
        pieces = [event[i : i + 1] for i in range(len(event))] if self.fault == "torn" else [event]
        for piece in pieces:
            self.writer.write(piece if self.fault == "eof" else b"%x\r\n%b\r\n" % (len(piece), piece))
            if len(pieces) > 1:
                await asyncio.sleep(0)
        await self.writer.drain()
        await asyncio.sleep(0.05 if self.fault == "slow" else 0.002)

    async def break_off(self) -> bool:
        if self.fault.startswith("stall"):
            return await self.stall()
        if self.fault == "reset-mid":
            _reset(self.writer)
        if self.fault == "end-mid":
            self.writer.write(b"0\r\n\r\n")
            await self.writer.drain()
            return True
        return False


ACTS: dict[str, Callable[[Answer], Awaitable[bool]]] = {}  # filled by `acts`
_ERRORS: dict[str, tuple[Any, ...]] = {
    "loading": (503, "Loading model", "unavailable_error"),
    "rate-1": (429, "slow down", "rate_limit_exceeded", "Retry-After: 1\r\n"),
    "rate-limited": (429, "slow down", "rate_limit_exceeded", "Retry-After: 7\r\n"),
    "too-large": (413, "Request exceeds the maximum size", "request_too_large"),
    "context": (400, "This model's maximum context length is 2048 tokens.", "context_length_exceeded"),
    "context-unsaid": (400, "input is too long", "context_length_exceeded"),
    "policy": (400, "flagged by content policy", "content_policy_violation"),
    "wrong": (400, "messages[0].role: unknown", "invalid_request_error"),
    "wrong-field": (400, "tools[0]: no such type", "unsupported_parameter", "", "tools[0].type"),
}


def whole(dialect: str, text: str) -> dict[str, Any]:
    """An unstreamed answer."""
    if dialect == "completions":
        message = {"role": "assistant", "content": text or None}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        usage = {"prompt_tokens": 1, "completion_tokens": 5, "total_tokens": 6}
        return {
            "id": "c1",
            "object": "chat.completion",
            "created": 1,
            "model": "real",
            "choices": [choice],
            "usage": usage,
        }
    if dialect == "responses":
        part = {"type": "output_text", "text": text, "annotations": []}
        item = {"type": "message", "id": "m1", "role": "assistant", "status": "completed", "content": [part]}
        return {**_response("completed"), "output": [item] if text else []}
    usage = {"input_tokens": 1, "output_tokens": 5}
    content = [{"type": "text", "text": text}] if text else []
    return {"id": "m1", "type": "message", "role": "assistant", "model": "real", "content": content,
            "stop_reason": "end_turn", "stop_sequence": None, "usage": usage}  # fmt: skip


def stream_events(dialect: str, fault: str) -> list[bytes | None]:
    """The events of a stream; None stands where it breaks off."""
    before, words, after, last = _EVENTS[dialect]("tool" if fault == "cut-tool" else fault)
    if fault == "cut-tool":
        return [*before, *words[:1], None]
    if fault == "empty":
        return [*before, *after, *last]
    if fault == "error-first":
        return [_error(dialect), *last]
    if fault == "preamble-error":
        return [*before, _error(dialect)]
    if fault in {"cut-preamble", "stall-preamble"}:
        return [*before, None]
    if fault in {"cut-mid", "reset-mid", "stall-mid", "end-mid"}:
        return [*before, *words[:2], None]
    if fault == "error-mid":
        return [*before, *words[:2], _error(dialect)]
    if fault == "malformed":
        return [*before, *words[:2], words[2][:-20] + b"\n\n", *words[3:], *after, *last]
    if fault.startswith("no-done"):
        return [*before, *words, *after]
    if fault == "comments":
        return [b": hello\n\n", *before, b":\n\n", *words[:2], b": still here\n\n", *words[2:], *after, *last]
    return [*before, *words, *after, *last]


Parts = tuple[list[bytes], list[bytes], list[bytes], list[bytes]]


def _data(document: Any) -> bytes:
    return b"data: " + json.dumps(document, separators=(",", ":")).encode() + b"\n\n"


def _named(document: dict[str, Any]) -> bytes:
    return b"event: " + str(document["type"]).encode() + b"\n" + _data(document)


def _chat(fault: str) -> Parts:
    def chunk(delta: dict[str, Any], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        shell = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "real"}
        return _data({**shell, "choices": [choice]})

    if fault == "tool":
        call = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "weather", "arguments": ""}}
        words = [chunk({"tool_calls": [call]})]
        words += [
            chunk({"tool_calls": [{"index": 0, "function": {"arguments": part}}]}) for part in ('{"city":', '"Paris"}')
        ]
        return [chunk({"role": "assistant", "content": None})], words, [chunk({}, "tool_calls")], [b"data: [DONE]\n\n"]
    return (
        [chunk({"role": "assistant", "content": ""})],
        [chunk({"content": word}) for word in WORDS],
        [chunk({}, "stop")],
        [b"data: [DONE]\n\n"],
    )


def _response(status: str) -> dict[str, Any]:
    return {"id": "r1", "object": "response", "created_at": 1, "status": status, "model": "real", "output": [],
            "error": None, "incomplete_details": None, "parallel_tool_calls": True, "tool_choice": "auto", "tools": []}  # fmt: skip


def _responses(fault: str) -> Parts:
    item = {"type": "message", "id": "m1", "role": "assistant", "status": "in_progress", "content": []}
    place = {"item_id": "m1", "output_index": 0, "content_index": 0}
    part = {"type": "output_text", "text": "", "annotations": []}
    before: list[dict[str, Any]] = [
        {"type": "response.created", "response": _response("in_progress")},
        {"type": "response.in_progress", "response": _response("in_progress")},
        {"type": "response.output_item.added", "output_index": 0, "item": item},
        {"type": "response.content_part.added", **place, "part": part},
    ]
    words: list[dict[str, Any]] = [
        {"type": "response.output_text.delta", **place, "delta": word, "logprobs": []} for word in WORDS
    ]
    done = {"type": "response.output_text.done", **place, "text": TEXT, "logprobs": []}
    final = {"type": "response.completed", "response": whole("responses", "" if fault == "empty" else TEXT)}
    after: list[dict[str, Any]] = [] if fault == "empty" else [done]
    numbered = [before, words, after, [final]]
    number = 0
    for events in numbered:
        for event in events:
            event["sequence_number"] = number
            number += 1
    return tuple([_named(event) for event in events] for events in numbered)  # type: ignore[return-value]


def _messages(_fault: str) -> Parts:
    start = {**whole("messages", ""), "stop_reason": None}
    before = [
        _named({"type": "message_start", "message": start}),
        _named({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
        _named({"type": "ping"}),
    ]
    words = [
        _named({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": word}})
        for word in WORDS
    ]
    stop = {"stop_reason": "end_turn", "stop_sequence": None}
    after = [
        _named({"type": "content_block_stop", "index": 0}),
        _named({"type": "message_delta", "delta": stop, "usage": {"output_tokens": 5}}),
    ]
    return before, words, after, [_named({"type": "message_stop"})]


def _error(dialect: str) -> bytes:
    error = {"type": "overloaded_error", "message": "Overloaded", "code": "overloaded_error"}
    if dialect == "completions":
        return _data({"error": error})
    if dialect == "messages":
        return _named({"type": "error", "error": error})
    return _named(
        {"type": "response.failed", "response": {**_response("failed"), "error": error}, "sequence_number": 9}
    )


_EVENTS = {"completions": _chat, "responses": _responses, "messages": _messages}
