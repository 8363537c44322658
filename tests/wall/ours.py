"""Our own scenarios: what gateways were seen to get wrong, and what this one promises beyond the catalogue."""

from __future__ import annotations

from typing import Any, Final

from wall.cases import ALL, STREAMED, Scenario
from wall.drives import leave, once, series, side_by_side
from wall.faults import FRAMINGS
from wall.judge import (
    Check,
    accounted,
    all_of,
    attempts,
    broken,
    by_form,
    first_token,
    left_at_once,
    never_of_a_key,
    refused,
    returned,
    told_of_all,
    untouched,
    whole,
    within,
)

_FENCE: Final[dict[str, Any]] = {"dataPolicy": {"allowedLocations": ["InCluster", "OnPremises"]}}
_GONE: Final = refused(503, "all_candidates_failed")
_LIMITED: Final = refused(429, "all_candidates_failed")
_KEYS: Final = all_of(whole(), never_of_a_key)
_RIGHT: Final = whole()
_TOOL: Final = whole("none", call=True)
_LATE_TOOL: Final = whole("short", call=True)
_FRAMES: Final = {
    "crlf": "CRLF", "comments": "comments and retry fields", "torn": "code points split over two reads",
    "bom": "a byte order mark first", "nospace": "no space after data:", "bytes": "byte by byte",
}  # fmt: skip


def _plain(ident: str, title: str, primary: str, check: Check = _RIGHT, **more: Any) -> Scenario:
    return Scenario(ident, title, (primary, "ok"), check, once, **more)


def _tool(ident: str, title: str, primary: str, fallback: str, check: Check) -> Scenario:
    return Scenario(ident, title, (primary, fallback), check, once, tools=True)


_BEFORE: Final = (
    _plain("P01", "preamble, then an error", "error-preamble", forms=STREAMED),
    _plain("P02", "an error as the first event, or as the body of a 200", "error-first"),
    _plain("P03", "502 with a page", "html-502"),
    _plain("P04", "200 with a page", "html-200"),
    _plain("P05", "an empty completion", "empty"),
    _plain("P06", "401 upstream", "status-401", _KEYS),
    _plain("P07", "402 upstream", "status-402", _KEYS),
    _plain("P08", "403 upstream", "status-403", _KEYS),
    _plain("P09", "404 upstream", "status-404", _KEYS),
    _plain("P10", "529 overloaded", "status-529"),
    Scenario("P11", "a chain of three: reset, 500, well", ("reset", "status-500", "ok"), _RIGHT, once),
    Scenario("P12", "a slow target is not a dead one", ("late-5", "ok"), all_of(_RIGHT, attempts(1, 0, 0)), once),
    _plain("P13", "nobody listens", "nobody", all_of(_RIGHT, within(5))),
    _plain("P14", "packets vanish", "blackhole", all_of(_RIGHT, within(8))),
    _plain("P15", "signs of life, and no word", "pings", all_of(_RIGHT, first_token(15)), forms=STREAMED, long=True),
)
_MID: Final = (
    _plain("P20", "an error after 20 words", "error-20", forms=STREAMED),
    _plain("P21", "a proper end in mid-answer", "end-20"),
    _plain("P22", "a reset in mid-answer", "reset-20"),
    _plain("P23", "a stall for good", "hang-20", all_of(_RIGHT, within(45)), long=True),
    _plain("P24", "cut after the first word", "cut-1", forms=STREAMED),
    _plain("P25", "cut before the last word", "cut-59", forms=STREAMED),
    _plain("P26", "the last event never comes, closed", "unfinished"),
    Scenario("P27", "cut twice, a chain of three", ("cut-20", "cut-10", "ok"), _RIGHT, once),
    Scenario("P28", "malformed, and no prefill", ("broken-20", "ok-noprefill"), _RIGHT, once, forms=STREAMED),
    Scenario(
        "P29", "the fallback says something else: an error, no glue", ("cut-20", "ok-other"),
        by_form(broken, whole("other")), once, hopeless=True,
    ),
    Scenario(
        "P30", "midStream: Fail", ("cut-20", "ok"), broken, once, forms=STREAMED, policy={"midStream": "Fail"},
        hopeless=True,
    ),
    _plain("P31", "usage after a rescue", "cut-40", all_of(_RIGHT, told_of_all), forms=STREAMED),
    Scenario("P32", "the client leaves", ("slow", "ok"), left_at_once(2), leave, forms=STREAMED),
    _plain("P33", "an event garbled within, its ends intact", "garbled-20"),
)  # fmt: skip
_TOOLS: Final = (
    _tool("P40", "a tool call", "status-503", "ok-tool", _TOOL),
    _tool("P41", "cut inside a tool call", "tool-cut-2", "ok-tool", _TOOL),
    _tool("P42", "words, then cut inside a tool call", "tool-late-cut-2", "ok-text-tool", _LATE_TOOL),
    _tool("P43", "words, then cut at the head of a tool call", "tool-late-cut-0", "ok-text-tool", _LATE_TOOL),
)  # fmt: skip
_FRAMED: Final = tuple(
    Scenario(
        f"P{50 + at}", f"frames: {_FRAMES[name]}", (name, "ok"), all_of(_RIGHT, attempts(0, 1, 1), attempts(1, 0, 0)),
        once, forms=ALL if name == "torn" else STREAMED,
    )
    for at, name in enumerate(FRAMINGS)
)  # fmt: skip
_MUCH: Final = (
    Scenario("P60", "8 MiB", ("ok-big", "ok"), all_of(whole("big"), attempts(0, 1, 1)), once, heavy=True),
    Scenario("P61", "8 MiB from the fallback", ("status-503", "ok-big"), whole("big"), once, heavy=True),
    Scenario("P62", "the primary dies under 50 requests", ("herd-50", "ok"), _RIGHT, side_by_side(50), heavy=True),
    Scenario(
        "P63", "recovery and return", ("outage-6", "ok"), all_of(_RIGHT, returned(15, 6)), series(8, 1.0, 25.0),
        long=True,
    ),
    Scenario("P64", "accounting without a fault", ("ok", "ok-other"), all_of(_RIGHT, accounted(0)), once),
)  # fmt: skip
_NONE_LEFT: Final = (
    Scenario("P70", "both fail", ("status-503", "status-500"), _GONE, once),
    Scenario("P71", "both say 429", ("status-429", "status-429"), _LIMITED, once),
    Scenario("P72", "both refuse the key", ("status-401", "status-403"), all_of(_GONE, never_of_a_key), once),
    Scenario("P73", "both want money", ("status-402", "status-402"), all_of(_GONE, never_of_a_key), once),
    Scenario("P74", "429 and a reset", ("status-429", "reset"), _GONE, once),
    Scenario("P75", "preamble, then an error, twice", ("error-preamble",) * 2, _GONE, once, forms=STREAMED),
    Scenario(
        "P76", "cut, and nothing left: an error", ("cut-20", "status-503"), by_form(broken, _GONE), once, hopeless=True
    ),
)  # fmt: skip
_FENCED: Final = (
    Scenario(
        "P80", "the fence holds when all else is dead", ("reset", "ok"), all_of(_GONE, untouched(1)), once,
        policy=_FENCE, outside=(1,),
    ),
    Scenario(
        "P81", "nothing within the fence", ("ok",), all_of(refused(403, "policy_no_candidate"), untouched(0)), once,
        policy=_FENCE, outside=(0,),
    ),
    Scenario(
        "P82", "the fence holds in mid-answer", ("cut-20", "ok"), all_of(by_form(broken, _GONE), untouched(1)), once,
        policy=_FENCE, outside=(1,), hopeless=True,
    ),
    Scenario(
        "P83", "a request's own fence", ("status-503", "ok"), all_of(_GONE, untouched(1)), once, outside=(1,),
        headers={"x-pointsman-data-policy": "local-only"},
    ),
)  # fmt: skip
OURS: Final = (*_BEFORE, *_MID, *_TOOLS, *_FRAMED, *_MUCH, *_NONE_LEFT, *_FENCED)
