"""One answer on one connection: what the act says, byte by byte, and a look at whether the caller is still there."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
import time
from typing import Any, Final

from wall import answers, faults, frames
from wall.answers import Answer
from wall.faults import Act
from wall.journal import Attempt, Place

_DAMAGED: Final = frozenset({"broken", "garbled"})
_LOOK: Final = 0.05  # seconds between looks at whether the caller has gone


class GoneError(Exception):
    """The caller has closed the connection."""


class Course:
    """One answer on one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self.whole = False

    def take(self, attempt: Attempt, place: Place, act: Act, ident: str) -> None:
        self.attempt, self.place, self.act, self.ident = attempt, place, act, ident

    async def refuse(self, status: int, body: bytes, kind: str, extra: str = "") -> bool:
        head = f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{extra}\r\n"
        self._writer.write(head.encode() + body)
        await self._writer.drain()
        return True

    async def run(self, body: dict[str, Any]) -> bool:
        """True: the connection lives on."""
        act = self.act
        if act.reset:
            return self._reset()
        if act.refuse:
            return await self._refuse()
        if act.delay:
            self.attempt.fault = "late"
            await self._wait(act.delay)
        if self.attempt.prefill is not None and not act.prefills:
            return await self._refused("invalid_prefill", 400)
        answer = self._say(body)
        if self.attempt.streamed:
            return await self._stream(answer, body)
        return await self._whole(answer)

    def _say(self, body: dict[str, Any]) -> Answer:
        act, prefill = self.act, self.attempt.prefill
        words = {
            "text": answers.pieces(answers.TEXT),
            "other": answers.pieces(answers.OTHER),
            "short": answers.pieces(answers.TEXT)[:12],
            "none": (),
        }.get(act.text) or (answers.big() if act.text == "big" else ())
        text = "".join(words)
        if prefill and text.startswith(prefill):
            words = answers.pieces(text[len(prefill) :])
        return Answer(self.attempt.model, words, act.call, answers.prompt_tokens(body))

    # Refusals

    async def _refuse(self) -> bool:
        act = self.act
        self._broke(f"status {act.refuse}")
        if act.page:
            page = b"<!DOCTYPE html>\n<html><body><h1>Bad Gateway</h1></body></html>\n"
            return await self.refuse(act.refuse, page, "text/html; charset=utf-8")
        return await self._refused(act.code, act.refuse, act.retry_after)

    async def _refused(self, code: str, status: int, retry_after: int = 0) -> bool:
        document = frames.error(self.attempt.dialect, status, faults.MESSAGES.get(code, f"error {status}"), code)
        extra = f"Retry-After: {retry_after}\r\n" if retry_after else ""
        return await self.refuse(status, json.dumps(document).encode(), "application/json", extra)

    def _reset(self) -> bool:
        self._broke("reset")
        sock = self._writer.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()
        return False

    # Whole answers

    async def _whole(self, answer: Answer) -> bool:
        act = self.act
        document = frames.whole(self.attempt.dialect, answer, self.ident)
        if act.ending == "error":
            self._broke("error")
            error = frames.error(self.attempt.dialect, 500, "overloaded", "overloaded")
            return await self.refuse(200, json.dumps(error).encode(), "application/json")
        body = json.dumps(document, ensure_ascii=False).encode()
        if act.framing == "torn":
            return await self._chunked(_torn(body), ended=True)
        if act.unfinished:
            await self._chunked([body], ended=False)
            self._broke("unfinished")
            return await self._linger() if act.unfinished == "open" else False
        if act.ending:
            return await self._half(body)
        await self.refuse(200, body, "application/json")
        self.attempt.first = time.monotonic()
        self.whole = True
        return True

    async def _half(self, body: bytes) -> bool:
        ending, half = self.act.ending, len(body) // 2
        if ending == "herd":
            await self._gather()
            return self._reset()
        if ending in _DAMAGED:
            self._broke(ending)
            return await self.refuse(200, _damaged(body.decode(), ending).encode(), "application/json")
        if ending == "end":
            self._broke("end")
            return await self._chunked([body[:half]], ended=True)
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        await self._send(head.encode() + body[:half])
        await asyncio.sleep(0.05)
        if ending != "pause":
            return await self._break()
        self._broke("pause")
        await self._wait(faults.PAUSE)
        await self._send(body[half:])
        return True

    async def _chunked(self, parts: list[bytes], *, ended: bool) -> bool:
        await self._send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
        for part in parts:
            await self._chunk(part)
            await asyncio.sleep(0.002)
        if ended:
            await self._send(b"0\r\n\r\n")
        return ended

    # Streams

    async def _stream(self, answer: Answer, body: dict[str, Any]) -> bool:
        options = body.get("stream_options") or {}
        usage = isinstance(options, dict) and options.get("include_usage") is True
        events = frames.events(self.attempt.dialect, answer, self.ident, usage=usage)
        kind = "text/event-stream" if self.act.framing == "nospace" else "text/event-stream; charset=utf-8"
        await self._send(f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        if self.act.framing == "bom":
            await self._chunk(b"\xef\xbb\xbf")
        spoken = 0
        for event in events:
            output = event.mark in {"text", "args"}
            if self._ends_before(spoken, output=output) and not await self._end():
                return False
            if event.mark == "last" and self.act.unfinished:
                self._broke("unfinished")
                return await self._linger() if self.act.unfinished == "open" else await self._close()
            hurt = self.act.ending in _DAMAGED and output and spoken == self.act.after
            await self._event(event, hurt=self.act.ending if hurt else "")
            spoken += output
            self.attempt.spoken = spoken
        await self._send(b"0\r\n\r\n")
        self.whole = self.act.ending not in _DAMAGED
        return True

    def _ends_before(self, spoken: int, *, output: bool) -> bool:
        after = self.act.after
        return after is not None and (after < 0 or (output and spoken == after))

    async def _end(self) -> bool:
        """What comes instead of the next piece; True: that piece after all."""
        ending = self.act.ending
        if ending in {*_DAMAGED, "pause"}:
            self._broke(ending)
            await self._wait(faults.PAUSE if ending == "pause" else 0)
            return True
        if ending == "herd":
            await self._gather()
            return self._reset()
        if ending in {"error", "end"}:
            if ending == "error":
                first = self.act.after == -1
                await self._event(frames.stream_error(self.attempt.dialect, self.ident, first=first))
            self._broke(ending)
            await self._send(b"0\r\n\r\n")
            return False
        if ending == "pings":
            return await self._ping()
        await asyncio.sleep(0.05)  # what was written must be on its way: a reset would take it back
        return await self._break()

    async def _event(self, event: frames.Event, hurt: str = "") -> None:
        if self.act.pace and event.mark == "text":
            await self._wait(self.act.pace)
        raw = _framed(event, self.act.framing, hurt)
        if self.act.framing in {"torn", "bytes"}:
            for part in _torn(raw) if self.act.framing == "torn" else [raw[at : at + 1] for at in range(len(raw))]:
                await self._chunk(part)
                await asyncio.sleep(0.001 if self.act.framing == "torn" else 0)
            return
        await self._chunk(raw)

    # Parts of the above

    async def _break(self) -> bool:
        ending = self.act.ending
        if ending == "reset":
            return self._reset()
        self._broke(ending)
        return await self._linger() if ending == "hang" else await self._close()

    async def _ping(self) -> bool:
        self._broke("pings")
        sign = b'event: ping\ndata: {"type": "ping"}\n\n' if self.attempt.dialect == frames.MESSAGES else b": busy\n\n"
        for _ in range(int(faults.SILENCE)):
            await self._chunk(sign)
            await self._wait(1.0)
        return False

    async def _close(self) -> bool:
        await self._writer.drain()
        return False

    async def _linger(self) -> bool:
        await self._wait(faults.SILENCE)
        return False

    async def _gather(self) -> None:
        self.place.gathered += 1
        if self.place.gathered >= self.act.herd:
            self.place.stampede.set()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.place.stampede.wait(), 15)

    def _broke(self, fault: str) -> None:
        self.attempt.broke, self.attempt.fault = time.monotonic(), fault

    async def _chunk(self, data: bytes) -> None:
        await self._send(b"%x\r\n%b\r\n" % (len(data), data))

    async def _send(self, data: bytes) -> None:
        self._look()
        self.attempt.first = self.attempt.first or time.monotonic()
        self._writer.write(data)
        await self._writer.drain()

    async def _wait(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._look()
            await asyncio.sleep(min(left, _LOOK))
        self._look()

    def _look(self) -> None:
        if self._reader.at_eof() or self._writer.transport.is_closing():
            self.attempt.gone = time.monotonic()
            raise GoneError


def _framed(event: frames.Event, framing: str, hurt: str) -> bytes:
    text = event.data if isinstance(event.data, str) else json.dumps(event.data, ensure_ascii=False)
    text = _damaged(text, hurt) if hurt else text
    space = "" if framing == "nospace" else " "
    lines = [f"event:{space}{event.name}"] if event.name else []
    lines.append(f"data:{space}{text}")
    if framing == "comments":
        lines = [": keep-alive", *lines, "retry: 3000"]
    end = "\r\n" if framing == "crlf" else "\n"
    before = f":{end}{end}" if framing == "comments" else ""
    return (before + end.join(lines) + end + end).encode()


def _damaged(text: str, how: str) -> str:
    """Half of a document, or all of it with a comma for its third colon."""
    if how == "broken":
        return text[: len(text) // 2]
    parts = text.split('": ')
    return '": '.join(parts[:3]) + '", ' + '": '.join(parts[3:])


def _torn(raw: bytes) -> list[bytes]:
    """In two at each byte that goes on a code point, else in halves: no code point of more bytes stays in one piece."""
    cuts = [at for at, byte in enumerate(raw) if 0x80 <= byte < 0xC0] or [len(raw) // 2]
    return [part for start, end in zip([0, *cuts], [*cuts, len(raw)], strict=True) if (part := raw[start:end])]
