"""Anthropic's Messages (`anthropic-messages`), passed through.

A stream is named events: `message_start`, then for each block start, deltas and stop, `message_delta` with the stop
reason, `message_stop`; `ping` at any time, `error` instead of the rest. vLLM and llama.cpp use ids and error types of
their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec
from msgspec import Raw

from pointsman.dialects import body as bodies
from pointsman.dialects import errors, needs, skim, usages
from pointsman.dialects.calls import UNREAD, Calls
from pointsman.dialects.messages import compat as compat_messages
from pointsman.dialects.messages import thoughts as messages_thoughts
from pointsman.dialects.told import Said
from pointsman.exchange import Failure, FailureKind, Head, Signal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pointsman.dialects.told import Told
    from pointsman.exchange import Usage
    from pointsman.sse import Frame
    from pointsman.table import Model, Provider

PATH: Final = "/v1/messages"

REASONING: Final = frozenset({"thinking", "output_config"})
"""How to reason: left out for a model that is not known to, unless the target is the vendor itself."""
FOREIGN: Final = REASONING | {
    "service_tier", "metadata", "container", "mcp_servers", "context_management",
}  # fmt: skip
"""What only the vendor itself understands, and others refuse or log: left out unless the target is that vendor."""
_RULES: Final = bodies.Rules(FOREIGN, REASONING, compat_messages.shape, hints=True)
_DELTAS: Final = ("text", "thinking", "partial_json", "signature", "citation")
_TYPES: Final = {
    400: "invalid_request_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}
_EMPTY_END: Final = frozenset({"end_turn", "stop_sequence"})
_STOPPED: Final = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
_CALL: Final = "tool_use"  # how the types of all blocks end that call something
_CUT: Final = frozenset({"max_tokens", "model_context_window_exceeded", "refusal"})
read_error = errors.read_error
read_usage = usages.read_body
without_thinking = messages_thoughts.without_thinking


class _Block(msgspec.Struct):
    type: str = ""
    text: str | None = None
    thinking: str | None = None
    id: str | None = None
    name: str | None = None


class _Event(msgspec.Struct):
    type: str = ""
    index: int | None = None
    message: Raw = usages.ABSENT
    usage: Raw = usages.ABSENT
    content_block: _Block | None = None
    delta: dict[str, Any] | None = None
    error: Any = None


class _Answer(msgspec.Struct):
    type: str = ""
    content: list[Raw] | None = None
    stop_reason: str | None = None
    error: Any = None


class _PlainDelta(msgspec.Struct, gc=False):
    type: Literal["text_delta", "thinking_delta", "signature_delta", "citations_delta"]


class _Plain(msgspec.Struct, gc=False):
    """An event with no more than words in it."""

    type: Literal["content_block_delta", "content_block_stop", "ping"]
    delta: _PlainDelta | None = None
    error: None = None


_EVENT: Final = msgspec.json.Decoder(_Event)
_ANSWER: Final = msgspec.json.Decoder(_Answer)
_BLOCK: Final = msgspec.json.Decoder(_Block)
_PLAIN: Final = msgspec.json.Decoder(_Plain)


def read_head(body: bytes) -> Head:
    """What the gateway needs of a request; BadRequestError says what is wrong with it."""
    fields = bodies.read_fields(body)
    limit = usages.read_limit(fields, "max_tokens")
    model, stream = bodies.read_model(fields), bodies.read_stream(fields)
    return Head(model, stream, fields, needs.messages(fields), max_tokens=limit, size=len(body))


def with_model(fields: dict[str, Raw], model: Model, provider: Provider) -> tuple[bytes, tuple[str, ...]]:
    """The request for a target: its name for the model; clean unless it is the vendor itself; what that leaves out.

    Anthropic's models do not get what they did not think themselves.
    """
    sent, thoughtless = messages_thoughts.for_target(fields, model, provider)
    body, dropped = bodies.fit(sent, model, provider, _RULES)
    return body, (tuple(sorted({*dropped, *thoughtless})) if thoughtless else dropped)


class Scanner:
    """Follows one streamed answer. State: whether anything was said, whether the stop reason came, the calls so far.

    From the first piece of a call on, every frame with data is a CALL, up to the TERMINAL; the stop reason, or what
    comes instead, is a Failure if a call is not whole.
    """

    __slots__ = ("_calls", "_spoke", "_stopped", "usage")

    ending = False  # what completes an answer here is known: see `closing`

    def __init__(self, head: Head) -> None:  # noqa: ARG002 - the same shape in every dialect
        self._spoke = False
        self._stopped = False
        self._calls = Calls()
        self.usage: Usage | None = None

    def go_on(self) -> None:
        """The client has had words of this answer already: without further ones it is not empty."""
        self._spoke = True

    def quiet(self, run: bytes) -> bool:
        """Whether a run of whole frames, after the first output, is JSON with nothing to look at."""
        return not self._calls and skim.is_plain(run, _PLAIN)

    def feed(self, frame: Frame) -> Signal | Failure:
        """What a frame means; a Failure for an error in the stream, for what is no event, and for an empty answer."""
        data = frame.data
        if not data or data == b"[DONE]":
            return Signal.PREAMBLE
        try:
            event = skim.decode(_EVENT, data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return Failure(FailureKind.INVALID_RESPONSE, f"no Messages event: {data[:80]!r}")
        kind = event.type or frame.event.decode("ascii", "replace")
        if kind == "error" or event.error:
            return errors.read_stream_error(event.error or {})
        if kind == "message_stop":
            return self._end()
        if kind == "message_start":
            self.usage = usages.read_body(event.message)
        if kind == "message_delta":
            self.usage = usages.merge(self.usage, usages.read(event.usage))
            return self._stop((event.delta or {}).get("stop_reason"))
        return self._read(kind, event)

    def closing(self) -> bytes | None:
        """What completes a stream that ended here; None: it was cut."""
        return _STOPPED if self._stopped else None

    def _read(self, kind: str, event: _Event) -> Signal:
        _take_call(self._calls, kind, event)
        spoken = _is_output(kind, event)
        self._spoke = self._spoke or spoken
        if self._calls:
            return Signal.CALL
        return Signal.OUTPUT if spoken else Signal.PREAMBLE

    def _end(self) -> Signal | Failure:
        if self._stopped:
            return Signal.TERMINAL
        if not self._calls:
            # What closes the stream well says nothing of why it ended: it was cut further up.
            return _CUT_OFF if self._spoke else _EMPTY
        return self._calls.fault() or Signal.TERMINAL

    def _stop(self, reason: Any) -> Signal | Failure:
        if not reason:
            return Signal.CALL if self._calls else Signal.PREAMBLE
        if not self._spoke and reason in _EMPTY_END:
            return _EMPTY
        failure = _judge(self._calls, reason)
        if failure is not None:
            return failure
        self._stopped = True
        # A refusal, or a limit that was hit before the first word, is an answer.
        return Signal.CALL if self._calls else Signal.OUTPUT


_CUT_OFF: Final = Failure(FailureKind.CONNECT_FAILURE, "the stream was closed before the message had ended")
_EMPTY: Final = Failure(FailureKind.INVALID_RESPONSE, "an empty answer")


def read_whole(status: int, body: bytes) -> Failure | Usage | None:
    """What an unstreamed answer says that it cost, if it does; a Failure: it is none."""
    return whole_ok(status, body) or read_usage(body)


def whole_ok(status: int, body: bytes) -> Failure | None:
    """Why an unstreamed answer is none; None: it is one."""
    try:
        answer = _ANSWER.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        page = "an HTML page" if errors.looks_like_html(body) else f"no message: {body[:80]!r}"
        return Failure(FailureKind.INVALID_RESPONSE, page, status)
    if answer.error:
        return errors.read_error(status, body)
    if answer.content or answer.stop_reason not in {None, *_EMPTY_END}:
        return _judge_whole(answer)
    return Failure(FailureKind.INVALID_RESPONSE, "an empty answer", status)


def is_error(body: bytes) -> bool:
    """Whether an error body is in the dialect's own shape, and so can be passed on."""
    return errors.has_object(body, "error", kind="error")


def write_error(status: int, code: str, message: str, extra: Mapping[str, Any] | None = None) -> bytes:
    """An error body in Anthropic's shape; `code` and `extra` join the error object."""
    kind = _TYPES.get(status, "invalid_request_error" if status < 500 else "api_error")
    error = {"type": kind, "message": message, "code": code, **(extra or {})}
    return msgspec.json.encode({"type": "error", "error": error})


def write_stream_error(status: int, code: str, message: str, told: Told | None = None) -> bytes:  # noqa: ARG001
    """The event that ends a broken stream, of which the client was told so much; SDKs raise on it."""
    return b"event: error\ndata: " + write_error(status, code, message) + b"\n\n"


def _take_call(calls: Calls, kind: str, event: _Event) -> None:
    block = event.content_block
    if kind == "content_block_start" and block is not None and block.type.endswith(_CALL):
        calls.open(event.index, block.name or "", block.id or "")
    elif kind == "content_block_delta" and event.delta is not None and "partial_json" in event.delta:
        if not calls:
            calls.open(event.index)
        calls.add(event.index, str(event.delta["partial_json"] or ""))


def _judge(calls: Calls, reason: Any) -> Failure | None:
    return errors.read_reason(reason) or calls.fault(wanted=reason == "tool_use", cut=reason in _CUT)


def _judge_whole(answer: _Answer) -> Failure | None:
    calls = Calls()
    try:
        for place, block in enumerate(map(_BLOCK.decode, answer.content or ())):
            if block.type.endswith(_CALL):
                calls.open(place, block.name or "")
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return UNREAD
    return _judge(calls, answer.stop_reason)


def _is_output(kind: str, event: _Event) -> bool:
    if kind == "content_block_delta":
        return event.delta is not None and any(event.delta.get(name) for name in _DELTAS)
    if kind == "content_block_start":
        block = event.content_block
        # Text and thinking open empty; a tool call opens with its name.
        return block is not None and bool(block.type not in {"text", "thinking"} or block.text or block.thinking)
    return False


_PIECES: Final = {"text_delta": "text", "thinking_delta": "thinking"}
_SHAPES: Final = frozenset({"message_start", "content_block_start", "content_block_stop", "message_delta"})


def said(event: Mapping[str, Any]) -> Said | None:
    """What an event amounts to when it is told again; None: it belongs to a tool's call or a citation."""
    kind, index = event.get("type"), event.get("index", 0)
    if kind == "content_block_delta":
        delta = event.get("delta") or {}
        if delta.get("type") == "signature_delta":
            return Said(mark=f"signature {index}")  # of thinking that was told to its end
        name = _PIECES.get(str(delta.get("type")))
        return Said(((f"{index}.{name}", str(delta.get(name) or "")),)) if name else None
    if kind == "content_block_start" and (event.get("content_block") or {}).get("type") not in _PIECES.values():
        return None
    return Said(mark=f"{kind} {index}") if kind in _SHAPES else Said()


def resaid(event: dict[str, Any], texts: Mapping[str, str]) -> dict[str, Any]:
    """A delta with what is left of its text."""
    [(channel, text)] = texts.items()
    return {**event, "delta": {**event["delta"], channel.partition(".")[2]: text}}
