"""OpenAI's Responses (`openai-responses`), passed through.

A stream is typed events: `response.created` and `response.in_progress` echo the request, items open empty, deltas carry
the answer, and exactly one of `response.completed`, `.incomplete`, `.failed` ends it. LiteLLM sends no `event:` lines
and a `[DONE]`; llama.cpp leaves out sequence numbers and indexes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import Raw

from pointsman.dialects import body as bodies
from pointsman.dialects import errors
from pointsman.dialects.replay import Said
from pointsman.exchange import Failure, FailureKind, Head, Signal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pointsman.sse import Frame
    from pointsman.table import Model, Provider

PATH: Final = "/v1/responses"

REASONING: Final = frozenset({"reasoning", "include"})
"""How to reason: left out for a model that is not known to, unless the target is the vendor itself."""
FOREIGN: Final = REASONING | {
    "service_tier", "store", "metadata", "prompt_cache_key", "prompt_cache_retention", "safety_identifier",
    "client_metadata",
}  # fmt: skip
"""What only the vendor itself understands, and others refuse or log: left out unless the target is that vendor."""

_NOTHING: Final = (Raw(b"null"), Raw(b'""'), Raw(b"[]"), Raw(b"{}"))
_ENDS: Final = frozenset({"response.completed", "response.incomplete"})
_EMPTY_ITEMS: Final = frozenset({"message", "reasoning"})  # these open without content; a call opens with its name
read_error = errors.read_error
write_error = errors.write_error


class _Item(msgspec.Struct):
    type: str = ""


class _Answer(msgspec.Struct):
    status: str = ""
    output: list[Raw] | None = None
    error: Any = None
    incomplete_details: Any = None


class _Event(msgspec.Struct):
    type: str = ""
    delta: Raw = Raw(b"null")
    item: _Item | None = None
    response: _Answer | None = None
    error: Any = None
    message: str | None = None
    code: Any = None


_EVENT: Final = msgspec.json.Decoder(_Event)
_ANSWER: Final = msgspec.json.Decoder(_Answer)


def read_head(body: bytes) -> Head:
    """What the gateway needs of a request; BadRequestError says what is wrong with it."""
    fields = bodies.read_fields(body)
    tools = "tools" in fields and bodies.filled(fields, "tools")
    return Head(bodies.read_model(fields), bodies.read_stream(fields), fields, tools)


def with_model(fields: dict[str, Raw], model: Model, provider: Provider) -> bytes:
    """The request for a target: its name for the model; clean unless it is the vendor itself; else as received."""
    return bodies.write(fields, model, provider, FOREIGN, REASONING)


class Scanner:
    """Follows one streamed answer. State: whether anything was said."""

    __slots__ = ("_spoke",)

    def __init__(self, head: Head) -> None:  # noqa: ARG002 - the same shape in every dialect
        self._spoke = False

    def quiet(self, run: bytes) -> bool:
        """Whether a run of whole frames, after the first output, has nothing to look at; decodes nothing."""
        ends = run.count(b"\n\n")
        return (
            run.count(b"}\n\n") == ends == run.count(b"data: {")
            and b"response.completed" not in run
            and b"response.incomplete" not in run
            and b"response.failed" not in run
            and b'"error"' not in run
            and b"event: error" not in run
        )

    def feed(self, frame: Frame) -> Signal | Failure:
        """What a frame means; a Failure for an error in the stream, for what is no event, and for an empty answer."""
        if not frame.data or frame.data == b"[DONE]":
            return Signal.PREAMBLE
        try:
            event = _EVENT.decode(frame.data)
        except (msgspec.MsgspecError, RecursionError):
            return Failure(FailureKind.INVALID_RESPONSE, f"no Responses event: {frame.data[:80]!r}")
        kind = event.type or frame.event.decode("ascii", "replace")
        if kind in _ENDS:
            return self._end(event.response)
        if kind in {"error", "response.failed"} or (event.error and not kind):
            return errors.read_stream_error(_error_of(event))
        spoken = _is_output(kind, event)
        self._spoke = self._spoke or spoken
        return Signal.OUTPUT if spoken else Signal.PREAMBLE

    def closing(self) -> bytes | None:
        """What completes a stream that ended here; None: it was cut. Only its own last event makes it whole."""
        return None

    def _end(self, answer: _Answer | None) -> Signal | Failure:
        if self._spoke or (answer is not None and (answer.output or answer.incomplete_details)):
            return Signal.TERMINAL
        return Failure(FailureKind.INVALID_RESPONSE, "an empty answer")


def whole_ok(status: int, body: bytes) -> Failure | None:
    """Why an unstreamed answer is none; None: it is one."""
    try:
        answer = _ANSWER.decode(body)
    except (msgspec.MsgspecError, RecursionError):
        page = "an HTML page" if errors.looks_like_html(body) else f"no response object: {body[:80]!r}"
        return Failure(FailureKind.INVALID_RESPONSE, page, status)
    if answer.error:
        return errors.read_error(status, body)
    if answer.output or answer.incomplete_details or answer.status in {"queued", "in_progress"}:
        return None
    return Failure(FailureKind.INVALID_RESPONSE, "an empty answer", status)


def is_error(body: bytes) -> bool:
    """Whether an error body is in the dialect's own shape, and so can be passed on."""
    return errors.has_object(body, "error")


def write_stream_error(status: int, code: str, message: str) -> bytes:  # noqa: ARG001 - as in every dialect
    """The event that ends a broken stream; SDKs raise on it."""
    event = {"type": "error", "code": code, "message": message, "param": None, "sequence_number": 0}
    return b"event: error\ndata: " + msgspec.json.encode(event) + b"\n\n"


def _is_output(kind: str, event: _Event) -> bool:
    if kind.endswith(".delta"):
        return event.delta not in _NOTHING
    if kind == "response.output_item.added":
        return event.item is not None and event.item.type not in _EMPTY_ITEMS
    return kind == "response.output_item.done"


def _error_of(event: _Event) -> Any:
    if event.response is not None and event.response.error:
        return event.response.error
    return event.error or {"message": event.message or "", "code": event.code or ""}


_TEXT_DELTAS: Final = (
    "response.output_text.delta",
    "response.reasoning_text.delta",
    "response.reasoning_summary_text.delta",
)


def said(event: Mapping[str, Any]) -> Said | None:
    """What an event amounts to when it is told again; None: it belongs to a call or a refusal."""
    kind = str(event.get("type", ""))
    if kind in _TEXT_DELTAS:
        return Said(((kind, str(event.get("delta") or "")),))
    item = event.get("item") or {}
    if kind.endswith(".delta") or (item and item.get("type") not in _EMPTY_ITEMS):
        return None
    ids = [thing["id"] for thing in (item, event.get("response") or {}) if isinstance(thing.get("id"), str)]
    return Said(mark=kind, ids=tuple(ids)) if kind.startswith("response.") else Said()


def resaid(event: dict[str, Any], texts: Mapping[str, str]) -> dict[str, Any]:
    """A delta with what is left of its text."""
    [text] = texts.values()
    return {**event, "delta": text}
