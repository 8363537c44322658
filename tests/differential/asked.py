"""What clients ask: the ordinary, as the matrix has it, and what one dialect says and another does not, or not so."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from differential.facts import Fact, asked, has
from differential.topics import CHAT, MESSAGES, RESPONSES, WHOLE, Topic
from matrix.cases import ALL, BELL, FIRST, PIXEL, POINTS, RING, SECOND, asking
from matrix.speech import Ask, Native, Result, Say, Thought, Turn, Words

Json = Any
_BY_NAME: Final = {case.name: case for case in ALL}
_HI: Final = asking("Tell me of the yard.")
_DATA: Final = PIXEL.partition(",")[2]
_PDF: Final = "JVBERi0xLjQKJSVFT0YK"


def usual(name: str, **more: Any) -> Topic:
    """A case of the matrix."""
    case = _BY_NAME[name]
    given: dict[str, Any] = {
        "ask": case.ask, "says": case.says, "clients": case.clients, "backends": case.backends, "modes": case.modes
    }  # fmt: skip
    return Topic(name, case.title, **(given | more))


def _turns(*items: Json, field: str = "messages", **more: Any) -> Ask:
    """A conversation in the client's own words."""
    return Ask((Turn("user", (Words("-"),)),), more={field: [*items]}, **more)


_PLAIN: Final = tuple(
    usual(name)
    for name in (
        "text",
        "system",
        "history",
        "tools",
        "parallel",
        "forced",
        "must",
        "must-not",
        "image",
        "looked-at",
        "odd-ids",
        "bare-call",
        "unlimited",
        "warm",
        "wild",
    )
)
USUAL: Final = (
    *_PLAIN,
    usual("own-schema", by_facts=True, facts=(asked("the schema is there", lambda b: "track" in str(
        b.get("response_format") or b.get("text") or b.get("output_config") or b["output_format"])),)),
    usual("failed", by_facts=True, facts=(has("the words of the failure are there", "the rope broke"),)),
    usual("stop", may_refuse=True),
    usual("several", may_refuse=True, by_facts=True, backends=(RESPONSES, MESSAGES),
          facts=(Fact("one answer is not given for two that were asked for", lambda _: False),)),
    Topic("kept", "a request that says nothing of keeping it", asking("Tell me of the yard."),
          clients=(CHAT, MESSAGES), backends=(RESPONSES,), by_facts=True, modes=WHOLE,
          facts=(asked("`store` is false, as Responses takes silence for true", lambda b: b.get("store") is False),)),
)  # fmt: skip

_MID: Final = {
    CHAT: _turns(
        {"role": "user", "content": "Hello."}, {"role": "assistant", "content": "Yes?"},
        {"role": "developer", "content": "From now on whisper."}, {"role": "user", "content": "Well?"},
    ),
    RESPONSES: _turns(
        {"role": "user", "content": "Hello."},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Yes?"}]},
        {"role": "developer", "content": "From now on whisper."}, {"role": "user", "content": "Well?"}, field="input",
    ),
}  # fmt: skip
_SEEN_IMAGE: Final = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": _DATA}}
_PICTURED: Final = {
    MESSAGES: _turns(
        {"role": "user", "content": "Look out."},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "call_1", "name": "ring_bell", "input": {}}]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "call_1", "content": [{"type": "text", "text": "see"}, _SEEN_IMAGE]}
        ]},
        tools=(BELL,),
    ),
    RESPONSES: _turns(
        {"role": "user", "content": "Look out."},
        {"type": "function_call", "call_id": "call_1", "name": "ring_bell", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "call_1", "output": [
            {"type": "input_text", "text": "see"}, {"type": "input_image", "image_url": PIXEL, "detail": "auto"}
        ]},
        field="input", tools=(BELL,),
    ),
}  # fmt: skip


CONTENT: Final = (
    Topic(
        "mid-system", "an instruction in mid-conversation", _HI, asks=_MID, clients=(CHAT, RESPONSES), by_facts=True,
        modes=WHOLE, facts=(has("the instruction is there", "From now on whisper."),),
        at={
            MESSAGES: (asked("the turn before it stays before it", lambda b: "whisper" in str(b.get("messages"))
                             or "whisper" in str(b.get("system"))),),
            CHAT: (asked("it stays where it was said", lambda b: "whisper" in str(b["messages"][2])
                         and b["messages"][2]["role"] in {"system", "developer"}),),
            RESPONSES: (asked("it stays where it was said", lambda b: "whisper" in str(b["input"][2])
                              and b["input"][2]["role"] in {"system", "developer"}),),
        },
    ),
    Topic(
        "result-image", "a picture as a tool's result", _HI, asks=_PICTURED, clients=(MESSAGES, RESPONSES),
        by_facts=True, modes=WHOLE, facts=(has("the picture is there", _DATA), has("the words are there", "see")),
        at={CHAT: (asked("no picture stands in a message of the role tool", lambda b: all(
            "image_url" not in str(m.get("content")) for m in b["messages"] if m["role"] == "tool")),)},
    ),
    Topic(
        "two-failures", "results that are errors, in another order than their calls",
        Ask(
            (
                Turn("user", (Words("Go."),)), Turn("assistant", (Words("I set both."), FIRST, SECOND)),
                Turn("user", (Result(SECOND.id, "blocked", error=True), Result(FIRST.id, "ok"), Words("And now?"))),
            ),
            tools=(POINTS,),
        ),
        clients=(MESSAGES,), by_facts=True, modes=WHOLE,
        facts=(
            has("both results are there", "blocked", "ok"),
            Fact("it is told that one is an error", lambda seen: any(
                word in seen.text.lower() for word in ("is_error", "error: blocked", "error"))),
        ),
    ),
    Topic(
        "two-turns", "two turns of the user in a row",
        Ask((Turn("user", (Words("One."),)), Turn("user", (Words("Two."),)))), modes=WHOLE, by_facts=True,
        facts=(has("both are there", "One.", "Two."),),
        at={MESSAGES: (asked("roles alternate", lambda b: len(b["messages"]) == 1),)},
    ),
    Topic(
        "empty-words", "an empty text beside a call",
        Ask((
            Turn("user", (Words("Ring."),)),
            Turn("assistant", (Native(({"role": "assistant", "content": "", "tool_calls": [
                {"id": "call_1", "type": "function", "function": {"name": "ring_bell", "arguments": ""}}]},)),)),
            Turn("user", (Result("call_1", ""),)),
        ), tools=(BELL,)), clients=(CHAT,), by_facts=True, modes=WHOLE,
        at={MESSAGES: (asked("no text block is empty", lambda b: all(
            block.get("text", "x").strip() for m in b["messages"] if isinstance(m["content"], list)
            for block in m["content"])),), RESPONSES: (asked("its arguments are an object", lambda b: [
            item["arguments"] for item in b["input"] if item.get("type") == "function_call"] == ["{}"]),)},
    ),
    Topic(
        "assistant-first", "the assistant's greeting at the beginning",
        Ask((Turn("assistant", (Words("Welcome."),)), Turn("user", (Words("Hello."),)))), clients=(CHAT, RESPONSES),
        backends=(MESSAGES,), by_facts=True, modes=WHOLE,
        facts=(has("the greeting is there", "Welcome."), asked("it begins with the user's turn", lambda b:
            b["messages"][0]["role"] == "user")),
    ),
    Topic(
        "prefill", "an answer that the client has begun",
        Ask((Turn("user", (Words("Name it."),)), Turn("assistant", (Words("The name is"),)))), clients=(MESSAGES,),
        by_facts=True, may_refuse=True, modes=WHOLE,
        facts=(Fact("OpenAI does not go on with an answer: it would begin another", lambda _: False),),
    ),
    Topic(
        "detail", "how closely to look at a picture", _HI, clients=(CHAT,), backends=(RESPONSES,), by_facts=True,
        modes=WHOLE, asks={CHAT: _turns({"role": "user", "content": [
            {"type": "image_url", "image_url": {"url": PIXEL, "detail": "low"}}]})},
        facts=(asked("the detail is low", lambda b: b["input"][0]["content"][0]["detail"] == "low"),),
    ),
    Topic(
        "document", "a PDF", _HI, by_facts=True, may_refuse=True, modes=WHOLE, facts=(has("the file is there", _PDF),),
        asks={
            MESSAGES: _turns({"role": "user", "content": [
                {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": _PDF}},
                {"type": "text", "text": "Read."}]}),
            CHAT: _turns({"role": "user", "content": [
                {"type": "file", "file": {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{_PDF}"}},
                {"type": "text", "text": "Read."}]}),
            RESPONSES: _turns({"role": "user", "content": [
                {"type": "input_file", "filename": "a.pdf", "file_data": f"data:application/pdf;base64,{_PDF}"},
                {"type": "input_text", "text": "Read."}]}, field="input"),
        },
    ),
    Topic(
        "audio", "sound", _turns({"role": "user", "content": [
            {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}},
            {"type": "text", "text": "Listen."}]}),
        clients=(CHAT,), by_facts=True, may_refuse=True, modes=WHOLE,
        facts=(has("the sound is there", "UklGRg=="),),
    ),
)  # fmt: skip
_LOOSE: Final = {"type": "object", "properties": {"track": {"type": "integer"}}}
_TOOL_SEARCH: Final[dict[str, Json]] = {
    CHAT: {"web_search_options": {}},
    RESPONSES: {"tools": [{"type": "web_search"}]},
    MESSAGES: {"tools": [{"type": "web_search_20250305", "name": "web_search", "max_uses": 2}]},
}
TOOLS: Final = (
    Topic(
        "loose-tool", "a tool that says nothing of `strict`", _HI, clients=(CHAT, MESSAGES), backends=(RESPONSES,),
        by_facts=True, modes=WHOLE,
        asks={
            CHAT: replace(_HI, more={"tools": [{"type": "function", "function": {
                "name": "t", "description": "d", "parameters": _LOOSE}}]}),
            MESSAGES: replace(_HI, more={"tools": [{"name": "t", "description": "d", "input_schema": _LOOSE}]}),
        },
        facts=(asked("strict is false, as Responses takes silence for true", lambda b:
            b["tools"][0].get("strict") is False),),
    ),
    Topic(
        "bare-tool", "a tool without description and parameters", _HI, clients=(CHAT,), by_facts=True, modes=WHOLE,
        asks={CHAT: replace(_HI, more={"tools": [{"type": "function", "function": {"name": "t"}}]})},
        at={
            MESSAGES: (asked("it has a schema of type object", lambda b:
                b["tools"][0]["input_schema"]["type"] == "object"),),
            RESPONSES: (asked("it is there", lambda b: b["tools"][0]["name"] == "t"),),
        },
    ),
    Topic(
        "hosted", "a search that the vendor runs", _HI, by_facts=True, may_refuse=True, modes=WHOLE,
        asks={client: replace(_HI, more=more) for client, more in _TOOL_SEARCH.items()},
        facts=(has("the search is asked for", "web_search"),),
    ),
    Topic(
        "free-tool", "a tool that takes any text", _HI, clients=(CHAT, RESPONSES), by_facts=True, may_refuse=True,
        modes=WHOLE, facts=(has("the tool is there", "patch_it"),),
        asks={
            CHAT: replace(_HI, more={"tools": [{"type": "custom", "custom": {"name": "patch_it"}}]}),
            RESPONSES: replace(_HI, more={"tools": [{"type": "custom", "name": "patch_it"}]}),
        },
        at={
            CHAT: (asked("as chat has it", lambda b: b["tools"][0]["custom"]["name"] == "patch_it"),),
            RESPONSES: (asked("as Responses has it", lambda b: b["tools"][0]["type"] == "custom"),),
        },
    ),
    Topic(
        "allowed", "only some of the tools", replace(_HI, tools=(POINTS, BELL)), clients=(CHAT, RESPONSES),
        by_facts=True, may_refuse=True, modes=WHOLE,
        asks={
            CHAT: replace(_HI, tools=(POINTS, BELL), more={"tool_choice": {"type": "allowed_tools", "allowed_tools": {
                "mode": "required", "tools": [{"type": "function", "function": {"name": "ring_bell"}}]}}}),
            RESPONSES: replace(_HI, tools=(POINTS, BELL), more={"tool_choice": {
                "type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "ring_bell"}]}}),
        },
        facts=(Fact("the other tool cannot be called", lambda seen:
            "allowed_tools" in seen.text or "set_points" not in seen.text),),
    ),
)  # fmt: skip


def _effort(body: Json) -> Any:
    config = body.get("output_config") or body.get("reasoning") or {}
    return config.get("effort") or body.get("reasoning_effort")


_THOUGHT_FIRST: Final[dict[str, Json]] = {
    CHAT: {"reasoning_effort": "low"}, RESPONSES: {"reasoning": {"effort": "low"}},
    MESSAGES: {"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}},
}  # fmt: skip
REASONING: Final = (
    usual("reasoning"),
    usual("own-think"),
    Topic(
        "effort", "a low effort", _HI, reasons=True, by_facts=True, modes=WHOLE,
        asks={client: replace(_HI, more=more, max_tokens=8192) for client, more in _THOUGHT_FIRST.items()},
        facts=(asked("the effort is low", lambda b: _effort(b) == "low"),),
    ),
    Topic(
        "effort-older", "a low effort, for a model that takes a budget", _HI, by_facts=True, modes=WHOLE,
        clients=(CHAT, RESPONSES), backends=(MESSAGES,), model="claude-sonnet-4-5",
        asks={client: replace(_HI, more=_THOUGHT_FIRST[client], max_tokens=1500) for client in (CHAT, RESPONSES)},
        facts=(asked("the budget is at least 1024 and less than max_tokens, or thinking is left out", lambda b:
            "thinking" not in b or 1024 <= b["thinking"]["budget_tokens"] < b["max_tokens"]),),
    ),
    Topic(
        "thinks-warm", "reasoning with a temperature", replace(_HI, temperature=0.2, max_tokens=8192), modes=WHOLE,
        clients=(CHAT,), backends=(MESSAGES,), by_facts=True, may_refuse=True,
        asks={CHAT: replace(_HI, more={"reasoning_effort": "low"}, temperature=0.2, max_tokens=8192)},
        facts=(asked("no temperature but 1 beside thinking", lambda b:
            "thinking" not in b or b.get("temperature", 1) == 1),),
    ),
    Topic(
        "thinks-forced", "reasoning with a forced tool",
        replace(_HI, tools=(POINTS,), choice="=set_points", max_tokens=8192), modes=WHOLE,
        clients=(CHAT, RESPONSES), backends=(MESSAGES,), by_facts=True, may_refuse=True,
        asks={
            client: replace(_HI, tools=(POINTS,), choice="=set_points", max_tokens=8192, more=_THOUGHT_FIRST[client])
            for client in (CHAT, RESPONSES)
        },
        facts=(
            asked("no tool is forced beside thinking", lambda b: "thinking" not in b
                or b["thinking"]["type"] == "disabled" or b["tool_choice"]["type"] in {"auto", "none"}),
            asked("the tool is forced", lambda b: (b.get("tool_choice") or {}).get("type") == "tool"),
        ),
    ),
    Topic(
        "no-thinking", "no reasoning at all", _HI, reasons=True, by_facts=True, modes=WHOLE,
        asks={
            CHAT: replace(_HI, more={"reasoning_effort": "none"}), RESPONSES: replace(_HI, more={"reasoning": {
                "effort": "none"}}), MESSAGES: replace(_HI, more={"thinking": {"type": "disabled"}}),
        },
        facts=(asked("none is asked for", lambda b: _effort(b) in {None, "none", "minimal"}
            and (b.get("thinking") or {"type": "disabled"})["type"] == "disabled"),),
    ),
    Topic(
        "seals", "thoughts go back to their maker with a call's result",
        Ask((Turn("user", (Words("Think, then set track four."),)),), tools=(POINTS, BELL), thinks=True,
            max_tokens=8192),
        says=(Say((Thought("Which?", "Er0BCkYIBxgCKkD/+mine=="), Words("So."), FIRST), "tools"),
              Say((Words("Done."),))),
        backends=(RESPONSES, MESSAGES), again=True,
        facts=(has("the maker gets its seal back", "Er0BCkYIBxgCKkD/+mine=="),
               has("the call and its result are there", "set_points", "done")),
    ),
    Topic(
        "hidden", "thoughts that are only encrypted go back to their maker",
        Ask((Turn("user", (Words("Think, then ring."),)),), tools=(POINTS, BELL), thinks=True, max_tokens=8192),
        says=(Say((Thought("", "Er0BCkYIBxgCKkD/+mine=="), RING), "tools"), Say((Words("Done."),))),
        backends=(RESPONSES, MESSAGES), again=True,
        facts=(has("the maker gets its seal back", "Er0BCkYIBxgCKkD/+mine=="),),
    ),
)  # fmt: skip
ALL_ASKED: Final = (*USUAL, *CONTENT, *TOOLS, *REASONING)
