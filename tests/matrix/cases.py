"""What is asked and answered: the cases of the issue, and those that gateways were seen to get wrong."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

from matrix.speech import (
    CHAT,
    DIALECTS,
    MESSAGES,
    RESPONSES,
    Ask,
    Call,
    Fault,
    Picture,
    Refused,
    Result,
    Say,
    Spent,
    Thought,
    Tool,
    Turn,
    Words,
)

Json = Any
TEXT: Final = "Every morning the pointsman walks along the yard and oils the heavy levers.\n\n  Then he waits. "
WILD: Final = (
    'Grüße, "列車" \\ 🚂 </think> data: x\n\nevent: y\r\n\u2028 \u0000 é\t{"type": "message_stop"} [DONE] '
    + "ß漢🚄" * 400
)
PIXEL: Final = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGNgYPj/"
    "HwADAgH/p9cX1wAAAABJRU5ErkJggg=="
)
POINTS: Final = Tool(
    "set_points",
    "Sets the points of a track.",
    {
        "type": "object",
        "properties": {"track": {"type": "integer"}, "line": {"type": "string"}},
        "required": ["track", "line"],
        "additionalProperties": False,
    },
)
BELL: Final = Tool(
    "ring_bell", "Rings.", {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
)
REPORT: Final = {
    "type": "object",
    "properties": {"track": {"type": "integer"}, "clear": {"type": "boolean"}},
    "required": ["track", "clear"],
    "additionalProperties": False,
}
FIRST: Final = Call("call_1a", "set_points", {"track": 4, "line": 'nørth "siding"\n🚂', "n": [1.5, None, True]})
SECOND: Final = Call("call_2b", "set_points", {"track": 5, "line": ""})
RING: Final = Call("toolu_01-x_9", "ring_bell", {})
SEAL: Final = "Er0BCkYIBxgCKkD/+mine=="


def user(*parts: Words | Picture | Result) -> Turn:
    return Turn("user", parts)


def asking(text: str, **more: Any) -> Ask:
    return Ask((user(Words(text)),), **more)


@dataclass(frozen=True)
class Case:
    """`chain`: providers of the route, "@" being the cell's backend and "own-" one of the client's dialect.

    `refused`: the word in the header when a backend of `refused_at` is passed over, for a client of another dialect.
    `dropped`: likewise a knob that the backend is not asked, with its name. `drive`: how it is asked and judged.
    `vendor`: the backend is OpenAI or Anthropic itself; else one of those that speak as these do.
    """

    name: str
    title: str
    ask: Ask
    says: tuple[Say | Fault, ...]
    clients: tuple[str, ...] = DIALECTS
    backends: tuple[str, ...] = DIALECTS
    modes: tuple[bool, ...] = (False, True)
    chain: tuple[str, ...] = ("@",)
    drive: str = "once"
    refused: str = ""
    refused_at: tuple[str, ...] = ()
    dropped: str = ""
    dropped_at: tuple[str, ...] = ()
    vendor: bool = False


def _answered(name: str, title: str, ask: Ask, *parts: Any, **more: Any) -> Case:
    say = {key: more.pop(key) for key in ("finish", "mark", "spent", "spelling") if key in more}
    return Case(name, title, ask, (Say(parts, **say),), **more)


_HI: Final = asking("Tell me of the yard.")
_HISTORY: Final = (
    user(Words("Set track four and five.")),
    Turn("assistant", (Words("I set both."), FIRST, SECOND)),
    user(Result(FIRST.id, '{"ok": true}'), Result(SECOND.id, "track 5 is blocked"), Words("And now?")),
    Turn("assistant", (Words("Track five is blocked."),)),
    user(Words("Who"), Words("can help?")),
)
_ODD: Final = tuple(replace(call, id=f"call:{at}/ä|{'x' * 70}") for at, call in enumerate((FIRST, SECOND)))
_CALLING: Final = asking("Set track four.", tools=(POINTS, BELL))
_THINKING: Final = asking("Think hard.", thinks=True, max_tokens=8192)
_THOUGHT: Final = Thought("Is the line clear? It is 🚂.\n\nSo be it.")

REQUIRED: Final = (
    _answered("text", "text", _HI, Words(TEXT)),
    _answered("tools", "a tool call", _CALLING, FIRST, finish="tools"),
    _answered(
        "parallel", "parallel tool calls, after words", replace(_CALLING, parallel=True),
        Words("Both, then. "), FIRST, SECOND, RING, finish="tools",
    ),
    _answered(
        "reasoning", "reasoning apart from the text", _THINKING, _THOUGHT, Words(TEXT), spent=Spent(100, 50, thought=30)
    ),
    _answered(
        "image", "images, embedded and by address",
        Ask((user(Words("What is on these?"), Picture(PIXEL), Picture("https://example.invalid/a.png?b=c&d")),)),
        Words("A pixel and a train."),
    ),
    _answered(
        "schema", "a JSON schema", asking("Report track 4.", schema=REPORT), Words('{"track": 4, "clear": true}'),
        refused="json-schema", refused_at=(MESSAGES,),
    ),
    _answered(
        "own-schema", "a JSON schema, at the vendor's", asking("Report track 4.", schema=REPORT),
        Words('{"track": 4, "clear": true}'), vendor=True,
    ),
    _answered(
        "own-think", "reasoning and a call, at the vendor's", replace(_THINKING, tools=(POINTS, BELL)),
        _THOUGHT, Words("So."), FIRST, finish="tools", vendor=True,
    ),
    Case(
        "error", "a refusal of the request", _HI,
        (Fault(400, "invalid_value", "temperature: the yard is closed"),), drive="refusal",
    ),
)  # fmt: skip
_REQUESTS: Final = (
    _answered("system", "a system prompt", replace(_HI, system="You are a pointsman.\nBe brief."), Words("Yes.")),
    _answered(
        "history", "a conversation with calls and results", Ask(_HISTORY, tools=(POINTS, BELL)),
        Words("The dispatcher."),
    ),
    _answered(
        "odd-ids", "calls with ids that not all take",
        Ask(
            (user(Words("Go.")), Turn("assistant", _ODD), user(*(Result(call.id, "done") for call in _ODD))),
            tools=(POINTS,),
        ),
        Words("Well."), clients=(CHAT, RESPONSES),
    ),
    _answered(
        "failed", "a result that is an error",
        Ask(
            (user(Words("Ring.")), Turn("assistant", (RING,)), user(Result(RING.id, "the rope broke", error=True))),
            tools=(BELL,),
        ),
        Words("A pity."), clients=(MESSAGES,),
    ),
    _answered(
        "looked-at", "an image after a result",
        Ask(
            (
                user(Words("Ring.")), Turn("assistant", (RING,)),
                user(Result(RING.id, "see"), Words("Look:"), Picture(PIXEL)),
            ),
            tools=(BELL,),
        ),
        Words("I see."),
    ),
    _answered("forced", "this tool and no other", replace(_CALLING, choice="=set_points"), FIRST, finish="tools"),
    _answered(
        "must", "some tool, one at a time", replace(_CALLING, choice="required", parallel=False), FIRST, finish="tools"
    ),
    _answered("must-not", "tools, but not now", replace(_CALLING, choice="none"), Words("As you like.")),
    _answered(
        "unlimited", "no limit of tokens", replace(_HI, max_tokens=None), Words("Yes."), clients=(CHAT, RESPONSES)
    ),
    _answered("warm", "a temperature", replace(_HI, temperature=0.25), Words("Yes.")),
    _answered(
        "stop", "stop sequences", replace(_HI, stop=("\n\nEnd", "STOP")), Words("Until here"),
        finish="mark", mark="STOP",
        clients=(CHAT, MESSAGES), refused="stop-sequences", refused_at=(RESPONSES,),
    ),
    _answered(
        "seed", "a knob that not all have", replace(_HI, seed=7), Words("Yes."), clients=(CHAT,),
        dropped="seed", dropped_at=(RESPONSES, MESSAGES),
    ),
    _answered(
        "hygiene", "what only a vendor understands",
        replace(_HI, more={
            "store": False, "metadata": {"a": "b"}, "service_tier": "auto", "prompt_cache_key": "k",
            "extra_headers": {"originator": "codex_cli_rs", "version": "1.2.3", "openai-organization": "o"},
        }),
        Words("Yes."), clients=(CHAT, RESPONSES), drive="hygiene",
    ),
    _answered(
        "hints", "hints to Anthropic's cache",
        replace(_HI, more={
            "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
            "metadata": {"user_id": "u"}, "service_tier": "auto",
            "extra_headers": {"anthropic-beta": "interleaved-thinking-2025-05-14", "x-app": "cli"},
        }),
        Words("Yes."), clients=(MESSAGES,), drive="hygiene",
    ),
    _answered(
        "several", "two answers at once", replace(_HI, more={"n": 2}), Words("Yes."), clients=(CHAT,),
        backends=(RESPONSES, MESSAGES), modes=(False,), refused="choices", refused_at=(RESPONSES, MESSAGES),
    ),
)  # fmt: skip
_ANSWERS: Final = (
    _answered("wild", "long text, quotes, escapes, what looks like events", asking(WILD), Words(WILD)),
    _answered(
        "woven", "calls that grow at the same time", replace(_CALLING, parallel=True),
        Words("All. "), FIRST, SECOND, RING,
        finish="tools", backends=(CHAT,), clients=(RESPONSES, MESSAGES), spelling="woven",
    ),
    _answered("bare-call", "a call without arguments", _CALLING, RING, finish="tools"),
    _answered(
        "thought-call", "reasoning, words, then calls", replace(_THINKING, tools=(POINTS, BELL)),
        _THOUGHT, Words("So."), FIRST, RING, finish="tools",
    ),
    _answered(
        "raw-thoughts", "thoughts that are no summary", _THINKING, replace(_THOUGHT, raw=True), Words("Yes."),
        backends=(RESPONSES,),
    ),
    _answered(
        "new-name", "thoughts as `reasoning`", _THINKING, _THOUGHT, Words("Yes."), backends=(CHAT,),
        spelling="reasoning",
    ),
    _answered(
        "think-tags", "thoughts in <think>", _THINKING, Thought("Clear?\n\nClear."), Words("Yes."), backends=(CHAT,),
        clients=(RESPONSES, MESSAGES), spelling="think-tags",
    ),
    _answered(
        "length", "cut by max_tokens", replace(_HI, max_tokens=16, plain=True), Words("Every morning the"),
        finish="length",
    ),
    _answered("filter", "filtered", replace(_HI, plain=True), Words("I had better not"), finish="filter"),
    _answered(
        "refusal", "a refusal in words of its own", _HI, Refused("That I will not say."), backends=(CHAT, RESPONSES)
    ),
    _answered(
        "usage", "tokens, cached ones among them", _HI, Words("Yes."),
        spent=Spent(1000, 70, cached=600, written=0, thought=20),
    ),
    _answered(
        "written", "tokens put into a cache", _HI, Words("Yes."), spent=Spent(1000, 70, cached=600, written=300),
        backends=(MESSAGES,),
    ),
)  # fmt: skip
_LATER: Final = (
    Case(
        "limited", "429 with Retry-After", _HI, (Fault(429, "rate_limit_exceeded", "slow down", retry_after=7),),
        drive="limited",
    ),
    Case(
        "late-error", "an error in mid-answer", _HI,
        (Fault(500, "server_error", "the boiler burst", late=Say((Words(TEXT),))),), modes=(True,), drive="late_error",
    ),
    _answered("dead", "the primary is dead", _HI, Words(TEXT), chain=("dead", "@"), drive="fallback"),
    _answered(
        "down", "the primary of the client's dialect says 503", _CALLING, Words("Yes. "), FIRST, finish="tools",
        chain=("down", "@"), drive="fallback",
    ),
    _answered("rescued", "the primary is cut in mid-answer", _HI, Words(TEXT), chain=("cut", "@"), drive="fallback"),
    Case(
        "seals", "thoughts are proved to their maker alone",
        Ask((user(Words("Think, then set track four.")),), tools=(POINTS, BELL), thinks=True, max_tokens=8192),
        (Say((Thought("Which?", SEAL), Words("So."), FIRST), "tools"), Say((Words("Done."),))), drive="seals",
    ),
    Case(
        "hidden", "reasoning that is only encrypted",
        Ask((user(Words("Think, then set track four.")),), tools=(POINTS, BELL), thinks=True, max_tokens=8192),
        (Say((Thought("", SEAL), FIRST), "tools"), Say((Words("Done."),))), drive="seals",
        backends=(RESPONSES, MESSAGES),
    ),
    _answered(
        "counted", "count_tokens", replace(_HI, system="Be brief."), Words("x"), clients=(MESSAGES,), modes=(False,),
        drive="counted",
    ),
)  # fmt: skip
ALL: Final = (*REQUIRED, *_REQUESTS, *_ANSWERS, *_LATER)
