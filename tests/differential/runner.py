"""Asks both gateways everything, one gateway after the other, and compares."""

from __future__ import annotations

import asyncio
import re
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from anthropic.types.message_create_params import MessageCreateParamsNonStreaming
from openai.types.chat.completion_create_params import CompletionCreateParamsNonStreaming
from openai.types.responses.response_create_params import ResponseCreateParamsNonStreaming

from differential import gateways, streams
from differential.backend import Place, Vendors
from differential.facts import Seen
from differential.gateways import OURS, THEIRS
from differential.topics import Input
from matrix.cells import _RUN, _asked
from matrix.judge import answered, meant, same_ask
from matrix.speech import CHAT, MESSAGES, RESPONSES, Ask, Fault, Got, Native, Result, Say, Turn, Words, renumbered

Json = Any
_AT_ONCE: Final = 6
_KNOWN: Final[dict[str, frozenset[str]]] = {
    CHAT: frozenset(CompletionCreateParamsNonStreaming.__annotations__),
    RESPONSES: frozenset(ResponseCreateParamsNonStreaming.__annotations__),
    MESSAGES: frozenset(MessageCreateParamsNonStreaming.__annotations__),
}
_EXTRA: Final = re.compile(r"body\.(\w+) is not to be there")


@dataclass(frozen=True)
class Outcome:
    """One input: what is wrong behind each gateway, and whether they did the same."""

    input: Input
    seen: Mapping[str, Seen]
    wrong: Mapping[str, tuple[str, ...]]
    same: bool

    @property
    def right(self) -> str:
        """both, ours, theirs or neither."""
        ours, theirs = (not self.wrong[name] for name in (OURS, THEIRS))
        return ("both" if theirs else "ours") if ours else ("theirs" if theirs else "neither")


async def run_ours(chosen: Iterable[Input]) -> dict[str, tuple[str, ...]]:
    """What is wrong behind our gateway alone, by input."""
    chosen = list(chosen)
    vendors = await _vendors(chosen)
    with tempfile.TemporaryDirectory(prefix="differential-") as name:
        seen = await _through(gateways.ours(Path(name), chosen, vendors.port), OURS, chosen, vendors)
    vendors.stop()
    return {one.slug: (*_wrong(one, seen[one.slug]), *seen[one.slug].breaches) for one in chosen}


async def _vendors(chosen: list[Input]) -> Vendors:
    names = [(name, one) for name in (OURS, THEIRS) for one in chosen]
    vendors = Vendors({f"{name}-{one.slug}": Place(one.backend, one.says, one.topic.cut) for name, one in names})
    await vendors.start()
    return vendors


async def run(chosen: Iterable[Input]) -> list[Outcome]:
    """All inputs through both gateways."""
    chosen = list(chosen)
    vendors = await _vendors(chosen)
    alone = [one for one in chosen if (one.client, one.backend) == (MESSAGES, CHAT)]
    others = [one for one in chosen if one not in alone]
    with tempfile.TemporaryDirectory(prefix="differential-") as name:
        mine = await _through(gateways.ours(Path(name), chosen, vendors.port), OURS, chosen, vendors)
    other: dict[str, Seen] = {}
    for some, flag in ((others, False), (alone, True)):
        if some:
            gateway = gateways.theirs(some, vendors.port, chat_alone=flag)
            other |= await _through(gateway, THEIRS, some, vendors)
    vendors.stop()
    return [outcome(one, {OURS: mine[one.slug], THEIRS: other[one.slug]}) for one in chosen]


async def _through(
    gateway: AbstractAsyncContextManager[str], name: str, chosen: list[Input], vendors: Vendors
) -> dict[str, Seen]:
    working = asyncio.Semaphore(_AT_ONCE)

    async def one(each: Input, url: str) -> Seen:
        async with working:
            got = await _drive(each, url)
        heard = vendors.heard[f"{name}-{each.slug}"]
        seen = Seen([one.body for one in heard], [one.ask for one in heard], got=got)
        seen.complaints = [line for one in heard for line in one.complaints if _counts(line, each.backend)]
        wire = got[-1].wire
        if each.stream and wire is not None and not got[-1].error:
            seen.breaches = streams.found(each.client, bytes(wire.exchanges[-1].body))
        return seen

    async with gateway as url:
        return dict(
            zip([each.slug for each in chosen], await asyncio.gather(*(one(e, url) for e in chosen)), strict=True)
        )


def _counts(line: str, backend: str) -> bool:
    # The matrix has no vendor-only fields; here the vendors are asked, which know their own.
    # Its type asks for fields of a message that nobody sends and the API does not miss, and tells no more than that.
    found = _EXTRA.match(line)
    return "input.str" not in line and (found is None or found[1] not in _KNOWN[backend])


async def _drive(one: Input, url: str) -> list[Got]:
    more = {**one.ask.more, "extra_headers": {"accept-encoding": "identity"}}
    ask = replace(one.ask, more=more)
    first = await _asked(_RUN[one.client], url, one.slug, ask)
    if not one.topic.again or first.error:
        return [first]
    results = tuple(Result(call.id, "done") for call in first.calls) or (Words("Go on."),)
    turns = (*ask.turns, Turn("assistant", (first.native,)), Turn("user", results))
    return [first, await _asked(_RUN[one.client], url, one.slug, replace(ask, turns=turns))]


# Judging


def outcome(one: Input, seen: Mapping[str, Seen]) -> Outcome:
    wrong = {name: tuple(dict.fromkeys(_wrong(one, each))) for name, each in seen.items()}
    return Outcome(one, seen, wrong, _normal(seen[OURS]) == _normal(seen[THEIRS]) and wrong[OURS] == wrong[THEIRS])


def _wrong(one: Input, seen: Seen) -> list[str]:
    if one.topic.may_refuse and seen.refused:
        return []
    if not seen.asked:
        return [f"refused: {seen.last.error} {seen.last.status} {seen.last.message[:300]}"]
    found = []
    if not one.topic.by_facts:
        found += [f"the vendor objects: {line}" for line in seen.complaints]
        found += _by_matrix(one, seen)
    found += [f"not so: {fact.says}" for fact in one.facts if not fact.holds(seen)]
    return found


def _by_matrix(one: Input, seen: Seen) -> list[str]:
    cell, say = one.cell, one.says[-1]
    found = [] if one.topic.again else list(same_ask(meant(cell), seen.asks[-1]))
    if isinstance(say, Say) and not one.topic.fault:
        last = seen.last
        cell.stream = False  # its grammar has been looked at
        found += answered(cell, last, say)
    elif isinstance(say, Fault) and not seen.last.error:
        found.append("the client is told of no error")
    return found


_NOT_TOLD: Final = {"model", "messages", "input", "system", "instructions", "stream_options", "include", "store"}


def _normal(seen: Seen) -> Json:
    """What was asked and got, without what either gateway is free to write as it likes."""
    asks = [_ask(ask) for ask in seen.asks]
    knobs = [{name: value for name, value in body.items() if _tells(name, value)} for body in seen.asked]
    got = [replace(got, wire=None, native=Native(()), decision="", message="") for got in seen.got]
    return asks, [sorted(map(repr, knob.items())) for knob in knobs], got, seen.complaints


def _ask(ask: Ask) -> Ask:
    return replace(ask, turns=renumbered(ask.turns), choice="" if ask.choice == "auto" else ask.choice)


def _tells(name: str, value: Json) -> bool:
    idle = value is None or value == [] or (name, value) == ("stream", False)
    # Tools, choices and limits are in the Ask.
    return not idle and name not in _NOT_TOLD | {"tools", "tool_choice", "max_tokens", "max_completion_tokens"}
