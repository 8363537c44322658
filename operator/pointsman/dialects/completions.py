"""OpenAI's legacy completions (`/v1/completions`), passed through: a prompt is continued, by its very model alone.

A stream is data-only chunks, each with pieces of text by choice; every prompt of a list has `n` choices. Each choice
ends with a `finish_reason`, a last chunk without choices may carry the usage, `[DONE]` closes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import Raw

from pointsman.dialects import body as bodies
from pointsman.dialects import errors, refusals, skim, usages
from pointsman.exchange import Failure, FailureKind, Head, Signal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pointsman.dialects.told import Told
    from pointsman.exchange import Usage
    from pointsman.sse import Frame
    from pointsman.table import Model, Provider

PATH: Final = "/v1/completions"

_NONE: Final = frozenset[str]()
_MANY: Final = 1 << 16  # choices; more than any server gives
read_error = refusals.read_error
write_error = errors.write_error
read_usage = usages.read_body


class _Choice(msgspec.Struct):
    text: str | None = None
    finish_reason: str | None = None


class _Chunk(msgspec.Struct):
    choices: list[_Choice] | None = None
    error: Any = None
    usage: Raw = usages.ABSENT


class _PlainChoice(msgspec.Struct, gc=False):
    text: skim.Filled
    finish_reason: skim.Blank = None


class _Plain(msgspec.Struct, gc=False):
    """A chunk with no more than words in it."""

    choices: list[_PlainChoice]
    error: None = None
    usage: None = None


_COUNT: Final = msgspec.json.Decoder(int)
_PROMPTS: Final = msgspec.json.Decoder(list[str | list[int]])
_CHUNK: Final = msgspec.json.Decoder(_Chunk)
_PLAIN: Final = msgspec.json.Decoder(_Plain)
_BAD: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_CUT_OFF: Final = Failure(FailureKind.CONNECT_FAILURE, "the stream was closed before any choice had ended")
_EMPTY: Final = Failure(FailureKind.INVALID_RESPONSE, "an empty answer")


def read_head(body: bytes) -> Head:
    """What the gateway needs of a request; BadRequestError says what is wrong with it."""
    fields = bodies.read_fields(body)
    model, stream = bodies.read_model(fields), bodies.read_stream(fields)
    limit = usages.read_limit(fields, "max_tokens")
    return Head(model, stream, fields, choices=_choices(fields), max_tokens=limit, size=len(body))


def with_model(fields: dict[str, Raw], model: Model, provider: Provider) -> tuple[bytes, tuple[str, ...]]:
    """The request for a target: its name for the model, all else as received; at OpenRouter with its pin."""
    return bodies.write(fields, model, provider, _NONE, _NONE)


class Scanner:
    """Follows one streamed answer. State: how many choices have ended, and whether anything was said."""

    __slots__ = ("_choices", "_finished", "_spoke", "usage")

    ending = False  # what completes an answer here is known: see `closing`

    def __init__(self, head: Head) -> None:
        self._choices = head.choices
        self._finished = 0
        self._spoke = False
        self.usage: Usage | None = None

    def go_on(self) -> None:
        """The client has had words of this answer already: without further ones it is not empty."""
        self._spoke = True

    def quiet(self, run: bytes) -> bool:
        """Whether a run of whole frames, after the first output, is JSON with nothing to look at."""
        return skim.is_plain(run, _PLAIN)

    def feed(self, frame: Frame) -> Signal | Failure:
        """What a frame means; a Failure for an error in the stream, for what is no chunk, and for an empty answer."""
        data = frame.data
        if not data:
            return Signal.PREAMBLE
        if data == b"[DONE]":
            return self._end()
        try:
            chunk = skim.decode(_CHUNK, data)
        except _BAD:
            return Failure(FailureKind.INVALID_RESPONSE, f"no chunk of a completion: {data[:80]!r}")
        if chunk.error:
            return errors.read_stream_error(chunk.error)
        self.usage = usages.read(chunk.usage) or self.usage
        return self._read(chunk.choices or [])

    def closing(self) -> bytes | None:
        """What completes a stream that ended here; None: it was cut."""
        return b"data: [DONE]\n\n" if self._finished >= self._choices else None

    def _end(self) -> Signal | Failure:
        if self._finished:
            return Signal.TERMINAL
        return _CUT_OFF if self._spoke else _EMPTY

    def _read(self, choices: list[_Choice]) -> Signal | Failure:
        spoken = False
        for choice in choices:
            spoken = spoken or bool(choice.text)
            if choice.finish_reason:
                self._finished += 1
                broken = errors.read_reason(choice.finish_reason)
                if broken is not None:
                    return broken
                # A prompt may be continued by nothing at all: the end is then the answer.
                spoken = True
        self._spoke = self._spoke or spoken
        return Signal.OUTPUT if spoken else Signal.PREAMBLE


def read_whole(status: int, body: bytes) -> Failure | Usage | None:
    """What an unstreamed answer says that it cost, if it does; a Failure: it is none."""
    return whole_ok(status, body) or read_usage(body)


def whole_ok(status: int, body: bytes) -> Failure | None:
    """Why an unstreamed answer is none; None: it is one."""
    try:
        answer = _CHUNK.decode(body)
    except _BAD:
        page = "an HTML page" if errors.looks_like_html(body) else f"no completion: {body[:80]!r}"
        return Failure(FailureKind.INVALID_RESPONSE, page, status)
    if answer.error:
        return read_error(status, body)
    for choice in answer.choices or ():
        broken = errors.read_reason(choice.finish_reason)
        if broken is not None:
            return broken
    return None if answer.choices else Failure(FailureKind.INVALID_RESPONSE, "an empty answer", status)


def is_error(body: bytes) -> bool:
    """Whether an error body is in OpenAI's shape, and so can be passed on."""
    return errors.has_object(body, "error")


def write_stream_error(status: int, code: str, message: str, told: Told | None = None) -> bytes:  # noqa: ARG001
    """The event that ends a broken stream; SDKs raise on it."""
    return b"data: %b\n\n" % write_error(status, code, message)


def said(event: Mapping[str, Any]) -> None:
    """No event can be told again: nobody takes a completion up."""


def resaid(event: dict[str, Any], texts: Mapping[str, str]) -> dict[str, Any]:  # noqa: ARG001 - as a dialect's
    """Never called, as nothing is told again."""
    return event


def _choices(fields: Mapping[str, Raw]) -> int:
    """How many choices an answer has: `n` for each prompt. What cannot be read the target will complain of."""
    try:
        each = _COUNT.decode(fields["n"]) if "n" in fields else 1
    except _BAD:
        each = 1
    try:
        prompts = len(_PROMPTS.decode(fields["prompt"])) if "prompt" in fields else 1
    except _BAD:
        prompts = 1  # a text, or the tokens of one
    return min(max(each, 1) * max(prompts, 1), _MANY)
