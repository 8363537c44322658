"""What vendors answer: ends, tokens, refusals, streams that grow oddly, errors before and in the answer."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from differential.asked import usual
from differential.backend import Raw
from differential.facts import Fact, got, said
from differential.topics import CHAT, MESSAGES, RESPONSES, STREAMED, WHOLE, Topic
from matrix import backends
from matrix.cases import TEXT, asking
from matrix.speech import Fault, Say, Words

Json = Any
_HI: Final = asking("Tell me of the yard.")
_ORDINARY: Final = (
    usual("woven"), usual("thought-call"), usual("raw-thoughts"), usual("length"), usual("filter"), usual("refusal"),
    usual("usage"), usual("written"),
)  # fmt: skip


def _altered(dialect: str, change: Any) -> Raw:
    """A plain answer with something changed, whole and streamed."""
    say = Say((Words("Yes."),))
    whole = backends.ALL[dialect].whole(say, "m", "1")
    change(whole)
    events = tuple(backends.ALL[dialect].events(say, "m", "1"))
    for _, data in events:
        if isinstance(data, dict):
            change(data)
    return Raw(whole, events)


def _ends(reason: str) -> Any:
    def change(data: Json) -> None:
        for place in (data, data.get("delta", {})):
            if place.get("stop_reason"):
                place["stop_reason"] = reason

    return change


_CITED: Final = {
    "type": "url_citation", "url": "https://example.invalid/yard", "title": "Yard", "start_index": 0, "end_index": 3,
}  # fmt: skip


def _cite(data: Json) -> None:
    response = data.get("response") or data
    for item in [*(response.get("output") or ()), *([data["item"]] if "item" in data else [])]:
        for part in item.get("content") or ():
            part["annotations"] = [_CITED]


_FAULTS: Final = {
    "bad-request": Fault(400, "invalid_value", "temperature: the yard is closed"),
    "unpaid": Fault(401, "invalid_api_key", "the key is wrong: sk-1234"),
    "unknown-model": Fault(404, "model_not_found", "no such model"),
    "limited": Fault(429, "rate_limit_exceeded", "slow down", retry_after=7),
    "down": Fault(500, "server_error", "the boiler burst"),
    "overloaded": Fault(529, "overloaded_error", "too many trains", retry_after=3),
    "too-long": Fault(400, "context_length_exceeded", "prompt is too long: 210000 tokens > 200000 maximum"),
}


def _status(*allowed: int) -> Fact:
    return Fact(f"the status is one of {allowed}", lambda seen: seen.last.status in allowed)


_FACTS: Final[dict[str, tuple[Fact, ...]]] = {
    "bad-request": (_status(400), said("the reason is told", "the yard is closed")),
    "unpaid": (
        Fact("the key is not told", lambda seen: "sk-1234" not in seen.said),
        # Whose key it is that is wrong the client cannot mend.
        Fact("the client is not told that its own key is wrong", lambda seen: seen.last.status not in {401, 403}),
    ),
    "unknown-model": (_status(404, 502, 503),),
    "limited": (_status(429), got("Retry-After is told", lambda one: 1 <= float(one.retry_after) <= 7)),
    "down": (_status(500, 502, 503),),
    "overloaded": (
        _status(503, 529, 429),
        got("Retry-After is told, no sooner than the vendor's", lambda one: float(one.retry_after) >= 3),
    ),
    "too-long": (_status(400, 413), said("the reason is told", "too long")),
}
_ERRORS: Final = tuple(
    Topic(f"error-{name}", f"{fault.status}: {fault.message.partition(':')[0]}", _HI, (fault,), facts=_FACTS[name],
          modes=WHOLE if name not in {"bad-request", "limited"} else (False, True), by_facts=True)
    for name, fault in _FAULTS.items()
)  # fmt: skip
_TOLD: Final = Fact("the client is told of an error", lambda seen: bool(seen.last.error))
_ODD: Final = (
    Topic("separator", "a line separator (U+2028) in the text", _HI, (Say((Words("One two\u2028three four five."),)),)),
    Topic("next-line", "a next line (U+0085) in the text", _HI, (Say((Words("One two\u0085three four five."),)),)),
    Topic(
        "late-error", "an error in mid-answer", _HI,
        (Fault(500, "server_error", "the boiler burst", late=Say((Words(TEXT),))),), modes=STREAMED, by_facts=True,
        facts=(_TOLD,),
    ),
    Topic(
        "cut", "a connection that breaks in mid-answer", _HI, (Say((Words(TEXT),)),), cut=3, modes=STREAMED,
        by_facts=True, facts=(_TOLD,),
    ),
    Topic(
        "full-window", "the model's window is full", replace(_HI, plain=True), clients=(CHAT, RESPONSES),
        backends=(MESSAGES,), by_facts=True, raw={MESSAGES: (_altered(MESSAGES,
        _ends("model_context_window_exceeded")),)},
        facts=(got("it ended by length", lambda one: one.finish == "length"),),
    ),
    Topic(
        "cited", "citations of the web", _HI, clients=(CHAT, MESSAGES), backends=(RESPONSES,), by_facts=True,
        modes=WHOLE, raw={RESPONSES: (_altered(RESPONSES, _cite),)},
        facts=(said("the citation is told", "https://example.invalid/yard"),),
    ),
    Topic(
        "silent", "an answer without words", _HI, by_facts=True, modes=WHOLE,
        says=(Say((), spent=replace(Say(()).spent, output=1)),), fault=True,
        facts=(Fact("it is an answer without words, or an error", lambda seen: not seen.last.text),),
    ),
)  # fmt: skip
ALL_ANSWERED: Final = (*_ORDINARY, *_ERRORS, *_ODD)
