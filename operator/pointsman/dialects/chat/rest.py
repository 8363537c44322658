"""The rest of an answer in chat completions: read as any target streams it, written as chunks of the first answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Self

from pointsman.dialects.rest import STOP, Heard
from pointsman.dialects.told import Json, encode

if TYPE_CHECKING:
    from pointsman.dialects.told import Told

_REASONING: Final = ("reasoning", "reasoning_content", "reasoning_details")
_REASONING_SET: Final = frozenset(_REASONING)
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


class Answer:
    """Passes on chunks under the id that the client knows. State: whether a finish_reason came. Its usage stays."""

    def __init__(self, told: Told) -> None:
        self._first = told.first
        self._finished = False

    @classmethod
    def after(cls, told: Told) -> Self | None:
        return cls(told) if told.texts and _REASONING_SET.issuperset(told.texts) and not told.marks else None

    def feed(self, event: Json) -> bytes:
        choices = event.get("choices") or ()
        said = [one for choice in choices if (one := _without_reasoning(choice))]
        if choices and not said:
            return b""
        self._finished = self._finished or any(choice.get("finish_reason") for choice in said)
        known = {name: value for name, value in self._first.items() if name in event}
        return encode({**event, **known, "choices": said})

    def close(self) -> bytes | None:
        return b"data: [DONE]\n\n" if self._finished else None


def _without_reasoning(choice: Json) -> Json:
    """A choice; {}: nothing is left of it. The role was told before the reasoning."""
    delta: dict[str, Any] = choice.get("delta") or {}
    left = {name: value for name, value in delta.items() if name not in _REASONING_SET and name != "role"}
    return {**choice, "delta": left} if any(left.values()) or choice.get("finish_reason") else {}
