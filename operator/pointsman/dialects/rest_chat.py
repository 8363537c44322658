"""The rest of an answer in chat completions: read as any target streams it, written as chunks of the first answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Self

from pointsman.dialects.rest import STOP, Heard
from pointsman.dialects.told import Json, encode

if TYPE_CHECKING:
    from pointsman.dialects.told import Told

_REASONING: Final = ("reasoning", "reasoning_content", "reasoning_details")
_OTHER: Final = ("refusal", "audio", "images")


class Reader:
    """Reads chunks; None: a refusal, a sound, a second choice."""

    def hear(self, event: Json) -> Heard | None:
        usage = event.get("usage") or None
        choices = event.get("choices") or ()
        if not choices:
            return Heard(usage=usage)
        [choice] = choices
        delta = choice.get("delta") or {}
        if choice.get("index") or any(delta.get(name) for name in _OTHER):
            return None
        matched = choice.get("stop_reason")
        return Heard(
            text=delta.get("content") or "",
            reasoning=any(delta.get(name) for name in _REASONING),
            call=bool(delta.get("tool_calls") or delta.get("function_call")),
            stop=choice.get("finish_reason") or "",
            matched=matched if isinstance(matched, str) else "",
            usage=usage,
        )


class Rest:
    """Writes chunks under the id that the client knows."""

    def __init__(self, told: Told) -> None:
        self._base = {**told.first, "object": "chat.completion.chunk"}
        self.told = list(told.texts["content"])

    @classmethod
    def after(cls, told: Told) -> Self | None:
        """None: no text was told, or a finish_reason."""
        return cls(told) if "content" in told.texts and not told.marks else None

    def text(self, piece: str) -> bytes:
        return self._chunk({"content": piece})

    def call(self, event: Json) -> bytes:
        delta = event["choices"][0]["delta"]
        return self._chunk({name: delta[name] for name in ("tool_calls", "function_call") if delta.get(name)})

    def end(self, ending: Heard, own: bool) -> bytes:  # noqa: ARG002 - chat is what others are written from
        chunks = self._chunk({}, ending.stop or STOP)
        if ending.usage is not None:
            chunks += encode({**self._base, "choices": [], "usage": ending.usage})
        return chunks + b"data: [DONE]\n\n"

    def _chunk(self, delta: Json, finish: str | None = None) -> bytes:
        return encode({**self._base, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})
