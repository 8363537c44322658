"""OpenAI's Responses (`openai-responses`), passed through.

A stream is typed events: `response.created` and `response.in_progress` echo the request, items open empty, deltas carry
the answer, and exactly one of `response.completed`, `.incomplete`, `.failed` ends it. LiteLLM sends no `event:` lines
and a `[DONE]`; llama.cpp leaves out sequence numbers and indexes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec
from msgspec import Raw

from pointsman.dialects import body as bodies
from pointsman.dialects import errors, needs, skim, usages
from pointsman.dialects.calls import UNREAD, Calls, as_text
from pointsman.dialects.responses import compat as compat_responses
from pointsman.dialects.responses import thoughts as responses_thoughts
from pointsman.dialects.told import Said
from pointsman.exchange import Failure, FailureKind, Head, Signal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pointsman.dialects.told import Told
    from pointsman.exchange import Usage
    from pointsman.sse import Frame
    from pointsman.table import Model, Provider

PATH: Final = "/v1/responses"

REASONING: Final = frozenset({"reasoning", "include"})
"""How to reason: left out for a model that is not known to, unless the target is the vendor itself."""
FOREIGN: Final = REASONING | {
    "service_tier", "store", "metadata", "prompt_cache_key", "prompt_cache_retention", "prompt_cache_options",
    "safety_identifier", "moderation", "access_programs", "context_management", "client_metadata",
}  # fmt: skip
"""What only the vendor itself understands, and others refuse or log: left out unless the target is that vendor."""
_RULES: Final = bodies.Rules(FOREIGN, REASONING, compat_responses.shape, lasts=True, keeps=True)

_NOTHING: Final = (Raw(b"null"), Raw(b'""'), Raw(b"[]"), Raw(b"{}"))
_ENDS: Final = frozenset({"response.completed", "response.incomplete"})
_EMPTY_ITEMS: Final = frozenset({"message", "reasoning"})  # these open without content; a call opens with its name
read_error = errors.read_error
write_error = errors.write_error
read_usage = usages.read_body
without_reasoning = responses_thoughts.without_reasoning


_WORDS: Final = ("text", "refusal")
_CALL: Final = "_call"  # how the types of all items end that call something
_NAMED: Final = frozenset({"function_call", "custom_tool_call"})


class _Item(msgspec.Struct):
    type: str = ""
    id: str | None = None
    call_id: str | None = None
    name: str | None = None
    arguments: Any = None
    content: Any = None
    summary: Any = None


class _Answer(msgspec.Struct):
    status: str = ""
    background: bool | None = None  # it is still being made, and is fetched later
    output: list[Raw] | None = None
    error: Any = None
    incomplete_details: Any = None
    usage: Raw = usages.ABSENT


class _Event(msgspec.Struct):
    type: str = ""
    delta: Raw = Raw(b"null")
    item: _Item | None = None
    item_id: str | None = None
    response: _Answer | None = None
    error: Any = None
    message: str | None = None
    code: Any = None


class _Plain(msgspec.Struct, gc=False):
    """An event with no more than words in it."""

    type: Literal[
        "response.output_text.delta", "response.reasoning_text.delta", "response.reasoning_summary_text.delta"
    ]
    error: None = None


_EVENT: Final = msgspec.json.Decoder(_Event)
_ANSWER: Final = msgspec.json.Decoder(_Answer)
_ITEM: Final = msgspec.json.Decoder(_Item)
_TEXT: Final = msgspec.json.Decoder(str)
_PLAIN: Final = msgspec.json.Decoder(_Plain)


def read_head(body: bytes) -> Head:
    """What the gateway needs of a request; BadRequestError says what is wrong with it."""
    fields = bodies.read_fields(body)
    limit = usages.read_limit(fields, "max_output_tokens")
    model, stream = bodies.read_model(fields), bodies.read_stream(fields)
    return Head(model, stream, fields, needs.responses(fields), max_tokens=limit, size=len(body))


def with_model(fields: dict[str, Raw], model: Model, provider: Provider) -> tuple[bytes, tuple[str, ...]]:
    """The request for a target: its name for the model; clean unless it is the vendor itself; what that leaves out."""
    return bodies.fit(responses_thoughts.for_target(fields, provider), model, provider, _RULES)


class Scanner:
    """Follows one streamed answer. State: whether anything was said, and the calls so far.

    From the first piece of a call on, every frame with data is a CALL, up to the TERMINAL, or a Failure instead of it
    if a call is not whole.
    """

    __slots__ = ("_calls", "_opened", "_spoke", "ending", "usage")

    def __init__(self, head: Head) -> None:  # noqa: ARG002 - the same shape in every dialect
        self._spoke = False
        self._opened = 0  # items that have not ended
        self.ending = False
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
            return Failure(FailureKind.INVALID_RESPONSE, f"no Responses event: {data[:80]!r}")
        kind = event.type or frame.event.decode("ascii", "replace")
        if kind in _ENDS:
            return self._end(event.response, cut=kind == "response.incomplete")
        if kind in {"error", "response.failed"} or (event.error and not kind):
            return errors.read_stream_error(_error_of(event))
        if _CALL in kind or (event.item is not None and event.item.type.endswith(_CALL)):
            _take_call(self._calls, kind, event)
        self._follow(kind, event)
        spoken = _is_output(kind, event) or (self._spoke and kind == "response.output_item.done")
        self._spoke = self._spoke or spoken
        if self._calls:
            return Signal.CALL
        return Signal.OUTPUT if spoken else Signal.PREAMBLE

    def closing(self) -> bytes | None:
        """What completes a stream that ended here; None: it was cut. Only its own last event makes it whole."""
        return None

    def _follow(self, kind: str, event: _Event) -> None:
        if kind == "response.output_item.added":
            self._opened += 1
        elif kind == "response.output_item.done":
            self._opened -= 1
        # After reasoning more must come; after a message or a call the answer is most likely over.
        self.ending = self._opened <= 0 and event.item is not None and event.item.type != "reasoning"

    def _end(self, answer: _Answer | None, *, cut: bool) -> Signal | Failure:
        failure = None
        if answer is not None:
            self.usage = usages.read(answer.usage) or self.usage
            failure = _read_reason(answer.incomplete_details)
        if self._spoke or (answer is not None and _says(answer)):
            failure = failure or _take_items(self._calls, (answer.output if answer is not None else None) or [])
            return failure or self._calls.fault(cut=cut) or Signal.TERMINAL
        return Failure(FailureKind.INVALID_RESPONSE, "an empty answer")


def read_whole(status: int, body: bytes) -> Failure | Usage | None:
    """What an unstreamed answer says that it cost, if it does; a Failure: it is none."""
    return whole_ok(status, body) or read_usage(body)


def whole_ok(status: int, body: bytes) -> Failure | None:
    """Why an unstreamed answer is none; None: it is one."""
    try:
        answer = _ANSWER.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        page = "an HTML page" if errors.looks_like_html(body) else f"no response object: {body[:80]!r}"
        return Failure(FailureKind.INVALID_RESPONSE, page, status)
    if answer.error:
        return errors.read_error(status, body)
    if answer.status == "failed":
        return Failure(FailureKind.SERVER_ERROR, "the answer's status is 'failed'", status)
    if _says(answer) or answer.background:
        calls = Calls()
        failure = _read_reason(answer.incomplete_details) or _take_items(calls, answer.output or [])
        return failure or calls.fault(cut=bool(answer.incomplete_details))
    return Failure(FailureKind.INVALID_RESPONSE, "an empty answer", status)


def _says(answer: _Answer) -> bool:
    """Whether there is anything in an answer, were it only that it was cut short."""
    if answer.incomplete_details:
        return True
    try:
        return any(_filled(_ITEM.decode(item)) for item in answer.output or ())
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return True  # to be read, and refused, by whoever looks closer


def is_error(body: bytes) -> bool:
    """Whether an error body is in the dialect's own shape, and so can be passed on."""
    return errors.has_object(body, "error")


def write_stream_error(status: int, code: str, message: str, told: Told | None = None) -> bytes:  # noqa: ARG001
    """The event that ends a broken stream: the answer's own last one, if the client knows the answer."""
    number = told.sequence + 1 if told is not None else 0
    shapes = told.shapes if told is not None else []
    known = next((event["response"] for event in shapes if isinstance(event.get("response"), dict)), None)
    event: dict[str, Any] = {"type": "response.failed", "sequence_number": number}
    if known is None:
        event = {"type": "error", "code": code, "message": message, "param": None, "sequence_number": number}
    else:
        event["response"] = {**known, "status": "failed", "error": {"code": code, "message": message}}
    return b"event: %b\ndata: %b\n\n" % (str(event["type"]).encode(), msgspec.json.encode(event))


def _is_output(kind: str, event: _Event) -> bool:
    if kind.endswith(".delta"):
        return event.delta not in _NOTHING
    if kind == "response.output_item.added":
        return event.item is not None and event.item.type not in _EMPTY_ITEMS
    return kind == "response.output_item.done" and event.item is not None and _filled(event.item)


def _filled(item: _Item) -> bool:
    """Whether an item says anything: a message without words does not."""
    if item.type not in _EMPTY_ITEMS:
        return True
    parts = [part for parts in (item.content, item.summary) if isinstance(parts, list) for part in parts]
    return any(isinstance(part, dict) and any(part.get(name) for name in _WORDS) for part in parts)


def _take_call(calls: Calls, kind: str, event: _Event) -> None:
    item = event.item
    if item is not None:
        _take_item(calls, item)
    elif kind.endswith(".delta"):
        if not calls:
            calls.open(event.item_id)
        calls.add(event.item_id, _text(event.delta))
    elif not calls:
        # A hosted tool at work (`response.web_search_call.searching`) whose item did not open.
        calls.open(event.item_id, kind, free=True)


def _take_item(calls: Calls, item: _Item) -> None:
    key = item.id or item.call_id
    # What hosted tools do has no name, and a custom tool's input is text.
    calls.open(key, item.name or ("" if item.type in _NAMED else item.type), free=item.type != "function_call")
    calls.settle(key, as_text(item.arguments))


def _take_items(calls: Calls, output: list[Raw]) -> Failure | None:
    """Adds the calls of a whole answer."""
    try:
        for item in map(_ITEM.decode, output):
            if item.type.endswith(_CALL):
                _take_item(calls, item)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return UNREAD
    return None


def _text(delta: Raw) -> str:
    try:
        return _TEXT.decode(delta)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return ""


def _read_reason(details: Any) -> Failure | None:
    return errors.read_reason(details.get("reason")) if isinstance(details, dict) else None


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
    if kind in {"response.in_progress", "response.queued"}:
        return Said()  # not every server says so
    ids = [thing["id"] for thing in (item, event.get("response") or {}) if isinstance(thing.get("id"), str)]
    return Said(mark=kind, ids=tuple(ids)) if kind.startswith("response.") else Said()


def resaid(event: dict[str, Any], texts: Mapping[str, str]) -> dict[str, Any]:
    """A delta with what is left of its text."""
    [text] = texts.values()
    return {**event, "delta": text}
