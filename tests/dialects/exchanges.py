"""Conversations and answers in no dialect's words, and what of them every dialect must keep.

Two of them say the same if their `told` and `answered` forms are equal. Those leave out what a dialect may change:

- texts of one speaker that follow each other may be joined, and white space between them is none's
- instructions stand where the dialect wants them: at the head
- identifiers of calls may be mapped, alike wherever they stand; arguments are JSON, not its spelling
- a result that is an error may say so by its first word; a refusal may be words like any, told by the answer's end
- in an answer what was thought comes before what is said, and that before what is called
- what asks for what is done anyway (a temperature of 1 beside `top_p`; one call at a time
  where none may be made) may be left out
- a context that was full is a limit of tokens where the dialect has no other word
"""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from pointsman.exchange import Usage
from pointsman.names import Dialect
from pointsman.neutral import (
    Choice,
    Finish,
    Form,
    Image,
    Part,
    Reasoning,
    Refusal,
    Reply,
    Request,
    Role,
    Seal,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolMode,
    ToolResult,
    Turn,
)
from pointsman.table import Model, Provider

PAIRS = [(home, spoken) for home in Dialect for spoken in Dialect if home is not spoken]
MODEL = Model("claude-sonnet-4-5", max_tokens=64_000, reasoning=True)
VENDORS = {Dialect.CHAT: "OpenAI", Dialect.RESPONSES: "OpenAI", Dialect.MESSAGES: "Anthropic"}

_WORDS = st.text(min_size=1, max_size=8).filter(lambda text: bool(text.strip()))
_NAMES = st.text("abc_", min_size=1, max_size=6)
_SCHEMAS = st.sampled_from(
    [{"type": "object", "properties": {}}, {"type": "object", "properties": {"a": {"type": "string"}}}]
)
_ARGUMENTS = st.dictionaries(_NAMES, _WORDS | st.integers(0, 9) | st.none(), max_size=2).map(json.dumps)
_TEXTS = st.builds(Text, _WORDS)
_IMAGES = st.builds(Image, st.sampled_from(["https://x/y.png", "data:image/png;base64,AAAA"]))
_IDS = st.uuids().map(str) | st.uuids().map(lambda ident: f"call:{ident}/1")


@st.composite
def _exchange(draw: st.DrawFn, home: Dialect) -> list[Turn]:
    """What a user says, what is called to answer it, and maybe what is said then."""
    turns = [Turn(Role.USER, tuple(draw(st.lists(_TEXTS | _IMAGES, min_size=1, max_size=3))))]
    calls = draw(st.lists(st.builds(ToolCall, _IDS, _NAMES, _ARGUMENTS), max_size=2))
    said: list[Part] = [*draw(st.lists(st.builds(Reasoning, _WORDS), max_size=1)), *draw(st.lists(_TEXTS, max_size=2))]
    said += calls
    if home is Dialect.RESPONSES:
        turns += [Turn(Role.ASSISTANT, (part,)) for part in said]
    elif said:
        turns.append(Turn(Role.ASSISTANT, tuple(said)))
    contents = st.lists(_TEXTS, min_size=1, max_size=2).map(tuple)
    results = [ToolResult(call.id, draw(contents), draw(st.booleans()) and home is Dialect.MESSAGES) for call in calls]
    if home is Dialect.MESSAGES and results:
        turns.append(Turn(Role.USER, tuple(results)))
    elif home is not Dialect.MESSAGES:
        turns += [Turn(Role.TOOL, (result,)) for result in results]
    return turns


@st.composite
def requests(draw: st.DrawFn) -> Request:
    """Conversations as the clients of each dialect have them, and all that can be asked beside."""
    home = draw(st.sampled_from(Dialect))
    system = tuple(draw(st.lists(_TEXTS, max_size=2)))
    if home is Dialect.RESPONSES:
        system = system[:1]
    turns = [turn for _ in range(draw(st.integers(1, 2))) for turn in draw(_exchange(home))]
    turns.append(Turn(Role.USER, (draw(_TEXTS),)))
    if home is Dialect.CHAT and system:
        turns, system = [Turn(Role.SYSTEM, system), *turns], ()
    tools = draw(
        st.lists(st.builds(Tool, _NAMES, _WORDS | st.just(""), _SCHEMAS), max_size=2, unique_by=lambda t: t.name)
    )
    modes = [ToolMode.AUTO, ToolMode.NONE, ToolMode.REQUIRED]
    choices = st.sampled_from([Choice(mode) for mode in modes] + [Choice(ToolMode.ONE, tool.name) for tool in tools])
    efforts = st.sampled_from(["low", "medium", "high"]).map(Thinking)
    choice = draw(st.none() | choices) if tools else None
    may_call = bool(tools) and (choice is None or choice.mode is not ToolMode.NONE)
    return Request(
        home, "m", tuple(turns), system,
        stream=draw(st.booleans()),
        tools=tuple(tools),
        choice=choice,
        parallel=draw(st.sampled_from([None, False])) if may_call else None,
        form=draw(st.sampled_from([None, Form({"type": "object"}, "n", "", True)])),
        thinking=draw(st.none() | efforts),
        max_tokens=draw(st.none() | st.integers(16, 9_999)),
        temperature=draw(st.none() | st.sampled_from([0, 0.5, 0.7])),
        top_p=draw(st.none() | st.sampled_from([0.5, 0.9])),
        top_k=draw(st.none() | st.integers(1, 9)),
        seed=draw(st.none() | st.integers(0, 9)),
        presence_penalty=draw(st.none() | st.sampled_from([0.5])),
        stop=tuple(draw(st.lists(_WORDS, max_size=2))),
        user=draw(st.sampled_from(["", "u1"])),
    )  # fmt: skip


def targets(dialect: Dialect) -> list[Provider]:
    """Who may be asked in a dialect: its vendor, and servers of one's own."""
    own = [Provider("p", kind, "http://x", (dialect,)) for kind in ("VLLM", "LlamaCpp", "OpenAICompatible")]
    return [Provider("p", VENDORS[dialect], "https://x", (dialect,), native=True), *own]


def told(request: Request, *, errors: bool = False) -> Any:
    """What is said in a conversation, in order. `errors`: results that are errors are marked as such."""
    system = [text.text for text in request.system]
    found: list[Any] = []
    numbers: dict[str, int] = {}
    for turn in request.turns:
        for part in turn.parts:
            if turn.role in {Role.SYSTEM, Role.DEVELOPER}:
                system.append(getattr(part, "text", ""))
            elif (said := _told(part, turn.role, numbers, errors=errors)) is not None:
                found.append(said)
    return _bare("".join(system)), _joined(found)


def _told(part: Part, role: Role, numbers: dict[str, int], *, errors: bool) -> Any:
    speaker = "assistant" if role is Role.ASSISTANT else "user"
    if isinstance(part, Text | Refusal):
        return (speaker, _bare(part.text))
    if isinstance(part, Image):
        return ("image", part.url, "")
    if isinstance(part, ToolCall):
        return ("call", numbers.setdefault(part.id, len(numbers)), part.name, json.loads(part.arguments or "{}"))
    if isinstance(part, ToolResult):
        texts = "".join(inner.text for inner in part.parts if isinstance(inner, Text))
        word = "Error: " if part.error and not errors else ""
        return ("result", numbers.get(part.call_id), _bare(word + texts), part.error and errors)
    return None


def _joined(found: list[Any]) -> list[Any]:
    joined: list[Any] = []
    for each in found:
        if joined and len(each) == 2 and len(joined[-1]) == 2 and joined[-1][0] == each[0]:
            joined[-1] = (each[0], joined[-1][1] + each[1])
        else:
            joined.append(each)
    return joined


def _bare(text: str) -> str:
    return "".join(text.split())


# Answers

_SEALED = st.one_of(
    st.builds(lambda sign: (Dialect.MESSAGES, sign), _WORDS),
    st.builds(lambda cipher: (Dialect.RESPONSES, {"id": "rs_1", "encrypted_content": cipher, "summary": []}), _WORDS),
    st.builds(lambda sign: (Dialect.CHAT, [{"type": "reasoning.text", "text": "t", "signature": sign}]), _WORDS),
)
"""What only its maker can read, as its home has it."""
_SEALS = st.none() | _SEALED.map(lambda sealed: Seal(*sealed, "a"))
_THOUGHTS = st.builds(Reasoning, _WORDS, seal=_SEALS)
_CALLS = st.builds(ToolCall, st.uuids().map(str), _NAMES, _ARGUMENTS)
_USAGES = st.builds(
    lambda new, cached, output, thought: Usage(new + cached, output + thought, cached, 0, thought),
    st.integers(1, 99), st.integers(0, 9), st.integers(1, 99), st.integers(0, 9),
)  # fmt: skip


@st.composite
def replies(draw: st.DrawFn) -> Reply:
    """Answers as targets give them: thoughts, words, calls; or words by which it declines."""
    parts: list[Part] = [*draw(st.lists(_THOUGHTS, max_size=2))]
    if draw(st.booleans()):
        parts += draw(st.lists(_TEXTS, max_size=2))
        parts += draw(st.lists(_CALLS, max_size=2))
    elif draw(st.booleans()):
        parts.append(Refusal(draw(_WORDS)))
    else:
        parts.append(draw(_TEXTS))
    called = any(isinstance(part, ToolCall) for part in parts)
    declined = any(isinstance(part, Refusal) for part in parts)
    ends = [Finish.TOOL] if called else [Finish.STOP, Finish.LENGTH, Finish.CONTEXT, Finish.FILTER]
    finish = Finish.FILTER if declined else draw(st.sampled_from(ends))
    stop = draw(st.sampled_from(["", "halt"])) if finish is Finish.STOP else ""
    return Reply(draw(st.sampled_from(["", "a1", "chatcmpl-1", "msg_1", "resp_1"])), "m", draw(st.integers(1, 2**31)),
                 tuple(parts), finish, stop, draw(_USAGES))  # fmt: skip


def answered(reply: Reply) -> Any:
    """What an answer says, in no order but that of each kind."""
    words = "".join(part.text for part in reply.parts if isinstance(part, Text | Refusal))
    thoughts = "".join(part.text for part in reply.parts if isinstance(part, Reasoning))
    seals = [part.seal for part in reply.parts if isinstance(part, Reasoning) and part.seal is not None]
    calls = [
        (part.id, part.name, json.loads(part.arguments or "{}")) for part in reply.parts if isinstance(part, ToolCall)
    ]
    finish = Finish.LENGTH if reply.finish is Finish.CONTEXT else reply.finish
    return words, _bare(thoughts), seals, calls, finish, reply.usage
