"""Streams on the wire, by the matrix' grammar: first what all streams of a gateway have in common, then the rest."""

from __future__ import annotations

import json
from typing import Any, Final

from matrix.grammar import breaches
from matrix.speech import CHAT, RESPONSES
from wall.seen import frames

Json = Any
DONE: Final = "the stream ends with `[DONE]`, which is no event of Responses"
NAMES: Final = "events have no `event:` line"
NUMBERS: Final = "events have no `sequence_number`"
FINISH: Final = "chunks have no `finish_reason`, which is required and null until the end"


def found(dialect: str, body: bytes) -> list[str]:
    """Each breach, in words."""
    common: list[str] = []
    if dialect == RESPONSES:
        body, common = _as_responses(body)
    if dialect == CHAT:
        body, common = _with_finish(body)
    return [*common, *breaches(dialect, body)]


def _as_responses(body: bytes) -> tuple[bytes, list[str]]:
    end = b"data: [DONE]\n\n"
    common = [DONE] if body.endswith(end) else []
    read = frames(body.removesuffix(end))[0]
    events: list[Json] = [json.loads(frame.data) for frame in read]
    if not any(frame.event for frame in read):
        common.append(NAMES)
    if not any("sequence_number" in event for event in events):
        common.append(NUMBERS)
    if not common:
        return body, []
    for number, event in enumerate(events):
        event["sequence_number"] = number
    written = [f"event: {event['type']}\ndata: {json.dumps(event, ensure_ascii=False)}\n\n" for event in events]
    return "".join(written).encode(), common


def _with_finish(body: bytes) -> tuple[bytes, list[str]]:
    out: list[str] = []
    missing = False
    for frame in frames(body)[0]:
        chunk: Json = None if frame.data == "[DONE]" else json.loads(frame.data)
        for choice in (chunk or {}).get("choices") or ():
            missing |= "finish_reason" not in choice
            choice.setdefault("finish_reason", None)
        out.append(frame.data if chunk is None else json.dumps(chunk, ensure_ascii=False))
    return "".join(f"data: {data}\n\n" for data in out).encode(), [FINISH] if missing else []
