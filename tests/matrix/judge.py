"""The verdict on a cell: what the backend was asked is what was meant, and what the client got is what was said."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from typing import Any, Final

from matrix.cells import Cell
from matrix.grammar import breaches
from matrix.server import Seen
from matrix.speech import (
    MESSAGES,
    Ask,
    Call,
    Fault,
    Got,
    Refused,
    Result,
    Say,
    Spent,
    Thought,
    Turn,
    Words,
    merged,
    renumbered,
)


def judge(cell: Cell) -> list[str]:
    """What is wrong; empty: nothing."""
    return list(_DRIVES[cell.case.drive](cell))


def refuses(cell: Cell) -> bool:
    """Whether the request asks for what the backend's dialect cannot say."""
    return cell.client != cell.backend and cell.backend in cell.case.refused_at


def _once(cell: Cell) -> Iterator[str]:
    if refuses(cell):
        yield from _passed_over(cell)
        return
    [got] = cell.got
    yield from asked(cell, cell.seen())
    yield from answered(cell, got, cell.case.says[0])
    if cell.client != cell.backend and cell.backend in cell.case.dropped_at and cell.case.dropped not in got.decision:
        yield f"{cell.case.dropped} is dropped and not named: {got.decision}"


def _passed_over(cell: Cell) -> Iterator[str]:
    [got] = cell.got
    if cell.seen():
        yield "the backend was asked all the same"
    if (got.error, got.status) != ("BadRequestError", 400):
        yield f"not refused with 400: {got.error} {got.status} {got.message}"
    if f":{cell.case.refused}" not in got.decision:
        yield f"the header does not say {cell.case.refused}: {got.decision}"


# What the backend was asked


def asked(cell: Cell, seen: list[Seen]) -> Iterator[str]:
    """One request that the backend has no complaint of, and that says what the client meant."""
    if len(seen) != 1:
        yield f"the backend was asked {len(seen)} times"
        return
    yield from (f"the backend complains: {complaint}" for complaint in seen[0].complaints)
    yield from same_ask(meant(cell), seen[0].ask)


def meant(cell: Cell) -> Ask:
    """What a backend of this dialect is to understand of the case's request."""
    ask = replace(cell.case.ask, stream=cell.stream, more={}, plain=False)
    if isinstance(blocks := cell.case.ask.more.get("system"), list):
        ask = replace(ask, system="\n\n".join(block["text"] for block in blocks))
    turns = ask.turns
    if cell.backend != MESSAGES:
        turns = tuple(Turn(turn.role, tuple(_told(part) for part in turn.parts)) for turn in turns)
    ask = replace(ask, turns=merged(turns))
    if cell.client != cell.backend and cell.case.dropped and cell.backend in cell.case.dropped_at:
        ask = replace(ask, seed=None)
    return ask


def _told(part: Any) -> Any:
    # Only Messages can say that a result is an error, so the words must.
    return replace(part, text=f"Error: {part.text}", error=False) if isinstance(part, Result) and part.error else part


def same_ask(want: Ask, got: Ask) -> Iterator[str]:
    """Each difference, by field. `auto` may be said or not, and so may a limit that was not asked for."""
    want, got = (replace(ask, turns=renumbered(ask.turns)) for ask in (want, got))
    got = replace(got, choice="" if got.choice == "auto" else got.choice)
    want = replace(want, choice="" if want.choice == "auto" else want.choice)
    if want.max_tokens is None and (got.max_tokens is None or got.max_tokens > 0):
        got = replace(got, max_tokens=None)
    if want.parallel is True and got.parallel is None:
        got = replace(got, parallel=True)  # it is the default everywhere
    for one in fields(Ask):
        if getattr(want, one.name) != getattr(got, one.name):
            yield f"asked {one.name} {_short(getattr(got, one.name))} instead of {_short(getattr(want, one.name))}"


# What the client got


def answered(cell: Cell, got: Got, say: Say | Fault) -> Iterator[str]:
    """The answer, as the client's dialect can tell it."""
    assert isinstance(say, Say)
    if got.error:
        yield f"{got.error}: {got.message}"
        return
    want = told(cell, say)
    for name in ("text", "thoughts", "calls", "refused", "finish", "mark", "spent"):
        if getattr(want, name) != getattr(got, name):
            yield f"got {name} {_short(getattr(got, name))} instead of {_short(getattr(want, name))}"
    if cell.stream and got.wire is not None:
        yield from breaches(cell.client, bytes(got.wire.exchanges[-1].body))


def told(cell: Cell, say: Say) -> Got:
    """What a client of this dialect is to be told of an answer that a backend of that one gave."""
    client, backend = cell.client, cell.backend
    refused = "".join(part.text for part in say.parts if isinstance(part, Refused))
    text = "".join(part.text for part in say.parts if isinstance(part, Words))
    finish = say.finish
    if client == MESSAGES and refused:  # words like any, told apart by how the answer ended
        text, refused, finish = text + refused, "", "filter"
    # OpenAI's dialects do not say that a sequence ended an answer.
    if finish == "mark" and (client != MESSAGES or backend != MESSAGES):
        finish = "stop"
    return Got(
        text=text,
        thoughts="".join(part.text for part in say.parts if isinstance(part, Thought)),
        calls=tuple(part for part in say.parts if isinstance(part, Call)),
        refused=refused,
        finish=finish,
        mark=say.mark if client == backend == MESSAGES else "",
        spent=_spent(client, backend, say.spent),
    )


def _spent(client: str, backend: str, spent: Spent) -> Spent:
    if MESSAGES in {client, backend}:  # it does not tell thoughts apart
        spent = replace(spent, thought=0)
    return spent if client == backend == MESSAGES else replace(spent, written=0)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) < 300 else f"{text[:200]} … {text[-80:]}"


# The other ways


def _refusal(cell: Cell) -> Iterator[str]:
    [got] = cell.got
    fault = cell.case.says[0]
    assert isinstance(fault, Fault)
    if (got.error, got.status) != ("BadRequestError", 400):
        yield f"not a BadRequestError: {got.error} {got.status}"
    if fault.message not in got.message:
        yield f"the reason is lost: {got.message}"
    if "invalid_request_error" not in got.message:
        yield f"not in the client's shape: {got.message}"
    yield from asked(cell, cell.seen())


def _limited(cell: Cell) -> Iterator[str]:
    [got] = cell.got
    if (got.error, got.status) != ("RateLimitError", 429):
        yield f"not a RateLimitError: {got.error} {got.status} {got.message}"
    if not got.retry_after or not 1 <= float(got.retry_after) <= 7:
        yield f"retry-after is {got.retry_after!r}"


_BROKEN: Final = {
    "APIError", "APIStatusError", "APIConnectionError", "InternalServerError", "OverloadedError",
    "ServiceUnavailableError",
}  # fmt: skip


def _late_error(cell: Cell) -> Iterator[str]:
    [got] = cell.got
    if got.error not in _BROKEN:
        yield f"a part is presented as the whole: {got.error or _short(got.text)}"


def _fallback(cell: Cell) -> Iterator[str]:
    [got] = cell.got
    say = cell.case.says[0]
    if cell.case.name != "rescued":  # where it is resumed, the answer's beginning is asked for too
        yield from asked(cell, cell.seen())
    assert isinstance(say, Say)
    if cell.case.name == "rescued" and cell.stream:
        got = replace(got, spent=told(cell, say).spent)  # both targets are paid
    yield from answered(cell, got, say)
    if got.decision and cell.stream is False and f"{cell.chain[0]}/" not in got.decision:
        yield f"the decision does not tell of the primary: {got.decision}"


_OURS: Final = ("originator", "version", "openai-organization", "x-stainless-lang")


def _hygiene(cell: Cell) -> Iterator[str]:
    yield from _once(cell)
    for seen in cell.seen():
        yield from (f"the header {name} came through" for name in _OURS if name in seen.fields)
        if "OpenAI" in seen.fields.get("user-agent", ""):
            yield f"the client's User-Agent came through: {seen.fields['user-agent']}"


def _counted(cell: Cell) -> Iterator[str]:
    [got] = cell.got
    if got.error or not 1 <= got.spent.input <= 200:
        yield f"{got.spent.input} tokens are counted: {got.error} {got.message}"


def _seals(cell: Cell) -> Iterator[str]:
    first, *later = cell.got
    yield from answered(cell, first, cell.case.says[0])
    if len(later) != 2:
        return
    for got in later:
        yield from answered(cell, got, cell.case.says[1])
    own, others = cell.seen(), cell.seen(f"{cell.backend}-b")
    for seen in (*own, *others):
        yield from (f"the backend complains: {complaint}" for complaint in seen.complaints)
    if len(own) != 2 or len(others) != 1:
        yield f"the maker was asked {len(own)} times, another {len(others)} times"
        return
    seal = next(part.seal for part in _said(cell) if isinstance(part, Thought))
    if (back := _sealed(own[1].ask)) != [seal]:
        yield f"the maker gets {back} back instead of its seal"
    # What a client sends in its target's own dialect is passed on as it came.
    if cell.client != cell.backend and (leaked := _sealed(others[0].ask)):
        yield f"another is shown the seal {leaked}"
    for seen in (own[1], others[0]):
        calls = [part.name for turn in seen.ask.turns for part in turn.parts if isinstance(part, Call)]
        if calls != [part.name for part in _said(cell) if isinstance(part, Call)]:
            yield f"the calls are {calls} when they come back"


def _said(cell: Cell) -> tuple[Any, ...]:
    say = cell.case.says[0]
    assert isinstance(say, Say)
    return say.parts


def _sealed(ask: Ask) -> list[str]:
    return [part.seal for turn in ask.turns for part in turn.parts if isinstance(part, Thought) and part.seal]


_DRIVES: Final[dict[str, Callable[[Cell], Iterator[str]]]] = {
    "once": _once, "refusal": _refusal, "limited": _limited, "late_error": _late_error, "fallback": _fallback,
    "hygiene": _hygiene, "counted": _counted, "seals": _seals,
}  # fmt: skip
