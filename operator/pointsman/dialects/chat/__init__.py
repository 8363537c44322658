"""OpenAI's chat completions (`openai-completions`), passed through.

A stream is data-only chunks; the first carries the role alone. Each choice ends with a `finish_reason`, a last chunk
without choices may carry the usage, `[DONE]` closes. Servers differ: Ollama's first chunk has content already, vLLM
calls reasoning `reasoning`, others `reasoning_content`; some forget `[DONE]`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import msgspec
from msgspec import Raw

from pointsman.dialects import body as bodies
from pointsman.dialects import errors, needs, skim, usages
from pointsman.dialects.calls import UNREAD, Calls, as_text
from pointsman.dialects.chat import compat as compat_chat
from pointsman.dialects.told import Said
from pointsman.exchange import Failure, FailureKind, Head, Signal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pointsman.dialects.told import Told
    from pointsman.exchange import Usage
    from pointsman.sse import Frame
    from pointsman.table import Model, Provider

PATH: Final = "/v1/chat/completions"

REASONING: Final = frozenset({"reasoning_effort"})
"""How to reason: left out for a model that is not known to, unless the target is the vendor itself."""
FOREIGN: Final = REASONING | {
    "service_tier", "store", "metadata", "prompt_cache_key", "prompt_cache_retention", "prompt_cache_options",
    "prediction", "safety_identifier", "moderation", "verbosity",
}  # fmt: skip
"""What only the vendor itself understands, and others refuse or log: left out unless the target is that vendor."""
_RULES: Final = bodies.Rules(FOREIGN, REASONING, compat_chat.shape, lasts=True, hints=True)

_OUTPUTS: Final = frozenset({
    "content", "reasoning_content", "reasoning", "reasoning_details", "refusal", "tool_calls", "function_call", "audio",
    "images",
})  # fmt: skip
_NOTHING: Final = (Raw(b"null"), Raw(b'""'), Raw(b"[]"), Raw(b"{}"))
_CHOICES: Final = msgspec.json.Decoder(int)
_CALLS_SAID: Final = ("tool_calls", "function_call")
_CUT: Final = frozenset({"length", "content_filter"})
read_error = errors.read_error
write_error = errors.write_error
read_usage = usages.read_body


class _Choice(msgspec.Struct):
    index: int | None = None
    delta: dict[str, Raw] | None = None
    message: dict[str, Raw] | None = None
    finish_reason: str | None = None
    error: Any = None  # OpenRouter's, with the reason "error"


class _Chunk(msgspec.Struct):
    choices: list[_Choice] | None = None
    error: Any = None
    usage: Raw = usages.ABSENT


class _Function(msgspec.Struct):
    name: str | None = None
    arguments: Any = None
    input: str | None = None


class _Call(msgspec.Struct):
    index: int | None = None
    id: str | None = None
    function: _Function | None = None
    custom: _Function | None = None


class _PlainDelta(msgspec.Struct, gc=False):
    tool_calls: skim.Empty = None
    function_call: None = None


class _PlainChoice(msgspec.Struct, gc=False):
    delta: _PlainDelta | None = None
    finish_reason: skim.Blank = None


class _Plain(msgspec.Struct, gc=False):
    """A chunk with no more than words in it."""

    choices: list[_PlainChoice] | None = None
    error: None = None
    usage: None = None


class _WholeMessage(msgspec.Struct, gc=False):
    content: skim.Filled
    tool_calls: skim.Empty = None
    function_call: None = None


class _WholeChoice(msgspec.Struct, gc=False):
    message: _WholeMessage
    index: int | None = None
    delta: None = None
    finish_reason: Literal["stop", "length"] = "stop"


class _Whole(msgspec.Struct, gc=False):
    """An answer of one choice with no more than words in it, that ended as answers do."""

    choices: Annotated[list[_WholeChoice], msgspec.Meta(min_length=1, max_length=1)]
    error: None = None
    usage: usages.Said | None = None


_WHOLE: Final = msgspec.json.Decoder(_Whole)
_CHUNK: Final = msgspec.json.Decoder(_Chunk)
_CALLS: Final = msgspec.json.Decoder(list[_Call])
_FUNCTION: Final = msgspec.json.Decoder(_Function)
_PLAIN: Final = msgspec.json.Decoder(_Plain)


def read_head(body: bytes) -> Head:
    """What the gateway needs of a request; BadRequestError says what is wrong with it."""
    fields = bodies.read_fields(body)
    choices = _read_choices(fields["n"]) if "n" in fields else 1
    limit = usages.read_limit(fields, "max_completion_tokens", "max_tokens")
    model, stream = bodies.read_model(fields), bodies.read_stream(fields)
    return Head(model, stream, fields, needs.chat(fields), choices, limit, len(body))


def with_model(fields: dict[str, Raw], model: Model, provider: Provider) -> tuple[bytes, tuple[str, ...]]:
    """The request for a target: its name for the model; clean unless it is the vendor itself; what that leaves out."""
    return bodies.fit(fields, model, provider, _RULES)


class Scanner:
    """Follows one streamed answer. State: how many choices have ended, what was said, the calls so far.

    From the first piece of a tool call on, every frame with data is a CALL, up to the TERMINAL; the last finish reason,
    or what comes instead, is a Failure if a call is not whole.
    """

    __slots__ = ("_calls", "_choices", "_cut", "_finished", "_spoke", "_wanted", "usage")

    ending = False  # what completes an answer here is known: see `closing`

    def __init__(self, head: Head) -> None:
        self._choices = head.choices
        self._finished = 0
        self._spoke = self._cut = self._wanted = False
        self._calls = Calls()
        self.usage: Usage | None = None

    def go_on(self) -> None:
        """The client has had words of this answer already: without further ones it is not empty."""
        self._spoke = True

    def quiet(self, run: bytes) -> bool:
        """Whether a run of whole frames, after the first output, is JSON with nothing to look at."""
        return not self._calls and skim.is_plain(run, _PLAIN)

    def feed(self, frame: Frame) -> Signal | Failure:
        """What a frame means; a Failure for an error in the stream, for what is no chunk, and for an empty answer."""
        data = frame.data
        if not data:
            return Signal.PREAMBLE
        if data == b"[DONE]":
            return self._end()
        try:
            chunk = skim.decode(_CHUNK, data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return Failure(FailureKind.INVALID_RESPONSE, f"no chat chunk: {data[:80]!r}")
        if chunk.error:
            return errors.read_stream_error(chunk.error)
        self.usage = usages.read(chunk.usage) or self.usage
        return self._read(chunk.choices or [])

    def closing(self) -> bytes | None:
        """What completes a stream that ended here; None: it was cut."""
        return b"data: [DONE]\n\n" if self._finished >= self._choices else None

    def _end(self) -> Signal | Failure:
        if not self._finished and not self._calls:
            # What closes the stream well says that no choice has ended: it was cut further up.
            return _CUT_OFF if self._spoke else _EMPTY
        return self._calls.fault(wanted=self._wanted, cut=self._cut) or Signal.TERMINAL

    def _read(self, choices: list[_Choice]) -> Signal | Failure:
        spoken = False
        for choice in choices:
            spoken = _has_output(choice.delta) or spoken
            if choice.delta and not _take_calls(self._calls, choice.index, choice.delta):
                return UNREAD
        for choice in choices:
            if choice.error:
                return errors.read_stream_error(choice.error)
            if choice.finish_reason:
                failure = self._finish(choice.finish_reason)
                if failure is not None:
                    return failure
                # An answer cut short by its limits or its filter is one; a stop before the first word is none.
                spoken = spoken or choice.finish_reason != "stop"
        self._spoke = self._spoke or spoken
        if not self._spoke and self._finished >= self._choices:
            return _EMPTY
        if self._calls:
            return Signal.CALL
        return Signal.OUTPUT if spoken else Signal.PREAMBLE

    def _finish(self, reason: str) -> Failure | None:
        self._finished += 1
        self._cut = self._cut or reason in _CUT
        self._wanted = self._wanted or reason == "tool_calls"
        broken = errors.read_reason(reason)
        if broken is not None or self._finished < self._choices:
            return broken
        return self._calls.fault(wanted=self._wanted, cut=self._cut)


_CUT_OFF: Final = Failure(FailureKind.CONNECT_FAILURE, "the stream was closed before any choice had ended")
_EMPTY: Final = Failure(FailureKind.INVALID_RESPONSE, "an empty answer")


def read_whole(status: int, body: bytes) -> Failure | Usage | None:
    """What an unstreamed answer says that it cost, if it does; a Failure: it is none."""
    try:
        said = _WHOLE.decode(body).usage
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return whole_ok(status, body) or read_usage(body)
    return None if said is None else usages.of(said)


def whole_ok(status: int, body: bytes) -> Failure | None:
    """Why an unstreamed answer is none; None: it is one."""
    try:
        answer = _CHUNK.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        page = "an HTML page" if errors.looks_like_html(body) else f"no chat completion: {body[:80]!r}"
        return Failure(FailureKind.INVALID_RESPONSE, page, status)
    if answer.error:
        return errors.read_error(status, body)
    calls, reasons, spoken = Calls(), set[str | None](), False
    for choice in answer.choices or ():
        spoken = _has_output(choice.message) or spoken
        reasons.add(choice.finish_reason)
        broken = errors.read_stream_error(choice.error) if choice.error else errors.read_reason(choice.finish_reason)
        if broken is not None or not _take_calls(calls, choice.index, choice.message or {}):
            return broken or UNREAD
    if not spoken and reasons <= {None, "stop"}:
        return Failure(FailureKind.INVALID_RESPONSE, "an empty answer", status)
    return calls.fault(wanted="tool_calls" in reasons, cut=not _CUT.isdisjoint(reasons))


def is_error(body: bytes) -> bool:
    """Whether an error body is in the dialect's own shape, and so can be passed on."""
    return errors.has_object(body, "error")


def write_stream_error(status: int, code: str, message: str, told: Told | None = None) -> bytes:  # noqa: ARG001
    """The event that ends a broken stream, of which the client was told so much; SDKs raise on it."""
    return b"data: " + write_error(status, code, message) + b"\n\n"


def _has_output(said: dict[str, Raw] | None) -> bool:
    return any(name in _OUTPUTS and value not in _NOTHING for name, value in (said.items() if said is not None else ()))


def _take_calls(calls: Calls, choice: int | None, said: dict[str, Raw]) -> bool:
    """Adds the pieces of calls in a delta or a message; False: they cannot be read."""
    if not any(_filled(said, name) for name in _CALLS_SAID):
        return True
    try:
        pieces = _CALLS.decode(said["tool_calls"]) if _filled(said, "tool_calls") else []
        if _filled(said, "function_call"):
            pieces.append(_Call(index=-1, function=_FUNCTION.decode(said["function_call"])))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    for place, piece in enumerate(pieces):
        key = (choice or 0, place if piece.index is None else piece.index)
        function = piece.function or piece.custom or _Function()
        calls.open(key, function.name or "", piece.id or "", free=piece.custom is not None)
        calls.add(key, as_text(function.arguments) or function.input or "")
    return True


def _filled(said: dict[str, Raw], name: str) -> bool:
    return name in said and said[name] not in _NOTHING


def _read_choices(raw: Raw) -> int:
    try:
        return max(1, _CHOICES.decode(raw))
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return 1  # the target will say what is wrong with it


_TEXTS: Final = ("content", "reasoning", "reasoning_content")
_AT_ONCE: Final = _OUTPUTS.difference(_TEXTS)  # cannot be told in pieces


def said(event: Mapping[str, Any]) -> Said | None:
    """What a chunk amounts to when it is told again; None: a call, a refusal, more than one choice."""
    texts: list[tuple[str, str]] = []
    mark = ""
    for choice in event.get("choices") or ():
        delta = choice.get("delta") or {}
        if choice.get("index") or (not _AT_ONCE.isdisjoint(delta) and any(delta.get(name) for name in _AT_ONCE)):
            return None
        texts += [(name, piece) for name, piece in delta.items() if name in _TEXTS and piece and isinstance(piece, str)]
        mark = "finish" if choice.get("finish_reason") else mark
    return Said(tuple(texts), mark)


def resaid(event: dict[str, Any], texts: Mapping[str, str]) -> dict[str, Any]:
    """A chunk with what is left of its texts."""
    choices = [{**choice, "delta": {**(choice.get("delta") or {}), **texts}} for choice in event["choices"]]
    return {**event, "choices": choices}
