"""What a model's name makes the wall do. Pure: the name, how many requests came before, and for how long they come.

ok, ok-other, ok-noprefill      well; with another text; refusing requests that end with the assistant's words
ok-big, ok-tool, ok-text-tool   8 MiB; a tool call; twelve words, then a tool call
once-N, status-N, html-N        error N for the first request; always; always and as a page
outage-S                        503 for S seconds from the first request on
context, policy                 400 of that kind
reset, silent, late-S           reset before the head; nothing for 120 s; the first output after S seconds
empty                           an answer without words
pings                           the preamble, then a sign of life every second, and no word
error-first, error-preamble     an error as the first event, or after the preamble
cut-N, end-N, reset-N           after N pieces of output: closed, ended properly, reset
error-N, hang-N, pause-N        … an error, nothing more, nothing for 30 s
broken-N, garbled-N             … half an event, or one with a comma for a colon; then the rest
unfinished, unfinished-open     all but the last event, then closed; or left open
tool-cut-N, tool-late-cut-N     a tool call cut after N pieces; the same after twelve words
crlf, comments, torn, bom, nospace, bytes      well, in odd frames
herd-N                          twenty pieces, and when N are on their way all are reset; after that nobody is served
slow                            well, a word every 50 ms
nobody, blackhole               no server there: connections are refused, or vanish
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

FRAMINGS: Final = ("crlf", "comments", "torn", "bom", "nospace", "bytes")
_WITH_NUMBER: Final = re.compile(r"(.+?)-(\d+)")
_BREAKS: Final = ("cut", "end", "reset", "error", "hang", "pause", "broken", "garbled")
PAUSE: Final = 30.0  # seconds
SILENCE: Final = 120.0
NOWHERE: Final = frozenset({"nobody", "blackhole"})


@dataclass(frozen=True)
class Act:
    """One answer's course. `refuse` 0: it is not. `after`: pieces of output before `ending`, None: it ends well."""

    refuse: int = 0
    code: str = ""
    page: bool = False
    retry_after: int = 0
    reset: bool = False
    delay: float = 0.0
    text: str = "text"  # text, other, big, none, short
    call: bool = False
    after: int | None = None
    ending: str = ""  # cut, end, reset, error, hang, pause, broken, garbled, herd, pings
    unfinished: str = ""  # closed, open
    framing: str = ""
    pace: float = 0.0
    prefills: bool = True
    herd: int = 0


WELL: Final = Act()
_PLAIN: Final = {
    "ok": WELL,
    "ok-other": Act(text="other"),
    "ok-noprefill": Act(prefills=False),
    "ok-big": Act(text="big"),
    "ok-tool": Act(text="none", call=True),
    "ok-text-tool": Act(text="short", call=True),
    "context": Act(refuse=400, code="context_length_exceeded"),
    "policy": Act(refuse=400, code="content_policy_violation"),
    "reset": Act(reset=True),
    "silent": Act(delay=SILENCE),
    "empty": Act(text="none"),
    "error-first": Act(after=-1, ending="error"),
    "error-preamble": Act(after=0, ending="error"),
    "pings": Act(after=0, ending="pings"),
    "unfinished": Act(unfinished="closed"),
    "unfinished-open": Act(unfinished="open"),
    "slow": Act(pace=0.05),
}
MESSAGES: Final = {
    "context_length_exceeded": "This model's maximum context length is 4096 tokens. Please reduce the length.",
    "content_policy_violation": "Your request was rejected by our content policy.",
    "rate_limit_exceeded": "Rate limit reached.",
    "invalid_prefill": "This model does not support assistant message prefill.",
}


def act(name: str, number: int, age: float) -> Act:
    """What the model does with its request `number` (from 0), `age` seconds after the first. KeyError: no such name."""
    if name in _PLAIN:
        return _PLAIN[name]
    if name in FRAMINGS:
        return Act(framing=name)
    found = _WITH_NUMBER.fullmatch(name)
    if found is None:
        raise KeyError(name)
    return _numbered(found[1], int(found[2]), number, age)


def _numbered(kind: str, value: int, number: int, age: float) -> Act:
    if kind in {"once", "outage"}:
        over = number > 0 if kind == "once" else age >= value
        return WELL if over else _refusal(value if kind == "once" else 503)
    if kind == "herd":
        return Act(after=20, ending="herd", herd=value) if number < value else Act(reset=True)
    acts = {
        "status": _refusal(value),
        "html": _refusal(value, page=True),
        "late": Act(delay=float(value)),
        "tool-cut": Act(text="none", call=True, after=value, ending="cut"),
        "tool-late-cut": Act(text="short", call=True, after=12 + value, ending="cut"),
    }
    return acts.get(kind) or {ending: Act(after=value, ending=ending) for ending in _BREAKS}[kind]


def _refusal(status: int, *, page: bool = False) -> Act:
    limited = status == 429
    code = "rate_limit_exceeded" if limited else f"error_{status}"
    return Act(refuse=status, code=code, page=page, retry_after=2 if limited else 0)
