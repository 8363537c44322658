"""The matrix: every cell passes; and its backends, clients and judges are what they claim to be."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from matrix import backends, runner, table
from matrix.backends import ALL as BACKENDS
from matrix.cases import ALL, BELL, FIRST, PIXEL, POINTS, REPORT, REQUIRED, RING, SECOND, Case
from matrix.cells import Cell
from matrix.client_chat import request as chat_request
from matrix.client_messages import request as messages_request
from matrix.client_responses import request as responses_request
from matrix.grammar import breaches
from matrix.judge import judge
from matrix.server import Place, Server
from matrix.speech import CHAT, DIALECTS, MESSAGES, RESPONSES, Ask, Call, Result, Say, Spent, Thought, Turn, Words

Json = Any
BY_NAME = {case.name: case for case in ALL}
SAME = [
    cell
    for cell in runner.cells_of(case for case in ALL if case.chain == ("@",) and not case.vendor)
    if cell.client == cell.backend and cell.case.drive in {"once", "refusal", "limited"}
]
by_dialect = pytest.mark.parametrize("dialect", DIALECTS)
by_mode = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])


@pytest.mark.wall
@pytest.mark.timeout(400)
async def test_every_cell_passes() -> None:
    """The real program between real clients and strict backends; what fails is told with its reason."""
    result = await runner.run()
    said = table.lines(result)
    print("\n".join(said))
    assert [line for line in said if "FAIL" in line or "half" in line] == []
    assert result.troubles == []
    assert said[-1] == f"{len(result.verdicts)}/{len(result.verdicts)} pass"


def test_the_issues_cases_are_all_there() -> None:
    """Text, tools, parallel tools, reasoning, image, JSON schema, error: by each client, of each backend, both ways."""
    assert [case.name for case in REQUIRED[:6]] == ["text", "tools", "parallel", "reasoning", "image", "schema"]
    for name in ("text", "tools", "parallel", "reasoning", "image", "schema", "error"):
        assert len(runner.cells_of([BY_NAME[name]])) == 18
    assert len(BY_NAME) == len(ALL)


# The backends and the judge, without a gateway


async def direct(case: Case, dialect: str, stream: bool, says: tuple[Any, ...] = (), ask: Ask | None = None) -> Cell:
    """A cell whose client asks the backend itself. `says`, `ask`: what is said and asked instead of what should be."""
    cell = Cell(case, dialect, dialect, stream, direct=True)
    cell.server = Server({dialect: Place(dialect)}, {cell.name: says or case.says})
    await cell.server.start()
    cell.url = f"http://127.0.0.1:{cell.server.port}/at/{dialect}"
    await cell.ask(ask or case.ask)
    cell.server.stop()
    return cell


@pytest.mark.parametrize("cell", SAME, ids=lambda cell: cell.name)
async def test_what_is_well_is_judged_well(cell: Cell) -> None:
    """Without a gateway between them, client and backend of one dialect understand each other."""
    assert judge(await direct(cell.case, cell.client, cell.stream)) == []


def _without(say: Say, kind: type) -> Say:
    return replace(say, parts=tuple(part for part in say.parts if not isinstance(part, kind)))


def _other(say: Say, kind: type, **changes: Any) -> Say:
    return replace(say, parts=tuple(replace(p, **changes) if isinstance(p, kind) else p for p in say.parts))


WRONG_ANSWERS: dict[str, Callable[[Say], Say]] = {
    "text cut": lambda say: _other(say, Words, text="S"),
    "text twice": lambda say: _other(say, Words, text="So.So."),
    "text lost": lambda say: _without(say, Words),
    "thoughts lost": lambda say: _without(say, Thought),
    "thoughts in the text": lambda say: _other(_without(say, Thought), Words, text="Is the line clear? So."),
    "a call lost": lambda say: replace(say, parts=say.parts[:-1]),
    "the arguments changed": lambda say: _other(say, Call, arguments={"track": 3}),
    "the name changed": lambda say: _other(say, Call, name="ring_bell"),
    "the calls in another order": lambda say: replace(say, parts=(*say.parts[:2], say.parts[3], say.parts[2])),
    "another end": lambda say: replace(say, finish="stop"),
    "other tokens": lambda say: replace(say, spent=Spent(say.spent.input + 1, say.spent.output)),
    "cached tokens lost": lambda say: replace(say, spent=replace(say.spent, cached=1)),
}


@by_mode
@pytest.mark.parametrize(
    ("dialect", "name"),
    # Responses tells calls by their being there.
    [(one, name) for one in DIALECTS for name in WRONG_ANSWERS if (one, name) != (RESPONSES, "another end")],
)
async def test_a_wrong_answer_fails_the_cell(dialect: str, name: str, stream: bool) -> None:
    """No cell is passed for nothing."""
    case = BY_NAME["thought-call"]
    [say] = case.says
    assert isinstance(say, Say)
    assert judge(await direct(case, dialect, stream, says=(WRONG_ANSWERS[name](say),))) != []


RICH = Case(
    "rich", "all of it",
    Ask(
        (
            Turn("user", (Words("Go."),)), Turn("assistant", (Words("I set both."), FIRST, SECOND)),
            Turn("user", (Result(FIRST.id, "ok"), Result(SECOND.id, "blocked"), Words("Now?"))),
        ),
        system="Be brief.", tools=(POINTS, BELL), choice="=ring_bell", parallel=False, schema=REPORT, max_tokens=99,
        temperature=0.5,
    ),
    (Say((RING,), "tools"),),
)  # fmt: skip
WRONG_ASKS: dict[str, Callable[[Ask], Ask]] = {
    "system lost": lambda ask: replace(ask, system=""),
    "a turn lost": lambda ask: replace(ask, turns=(*ask.turns[:2], Turn("user", ask.turns[2].parts[:2]))),
    "results exchanged": lambda ask: replace(
        ask,
        turns=(*ask.turns[:2], Turn("user", (Result(SECOND.id, "ok"), Result(FIRST.id, "blocked"), Words("Now?")))),
    ),
    "words of another": lambda ask: replace(ask, turns=(Turn("user", (Words("Stay."),)), *ask.turns[1:])),
    "a tool lost": lambda ask: replace(ask, tools=ask.tools[1:]),
    "a description lost": lambda ask: replace(ask, tools=(replace(POINTS, description=""), BELL)),
    "another tool forced": lambda ask: replace(ask, choice="=set_points"),
    "none forced": lambda ask: replace(ask, choice="auto"),
    "several at a time": lambda ask: replace(ask, parallel=None),
    "no schema": lambda ask: replace(ask, schema=None),
    "another limit": lambda ask: replace(ask, max_tokens=98),
    "no temperature": lambda ask: replace(ask, temperature=None),
}


@by_dialect
@pytest.mark.parametrize("name", WRONG_ASKS)
async def test_a_wrong_request_fails_the_cell(name: str, dialect: str) -> None:
    """Whatever the client gets: the backend was not asked what was meant."""
    assert judge(await direct(RICH, dialect, stream=False)) == []
    assert judge(await direct(RICH, dialect, stream=False, ask=WRONG_ASKS[name](RICH.ask))) != []


def body(dialect: str, ask: Ask = RICH.ask) -> Json:
    """A request that an SDK would send, to be spoilt."""
    make = {CHAT: chat_request, RESPONSES: responses_request, MESSAGES: messages_request}[dialect]
    made = copy.deepcopy(make("m", ask))
    made |= made.pop("extra_body", {})
    return made


def _deep(value: Json, *path: Any) -> Json:
    for step in path:
        value = value[step]
    return value


COMPLAINTS: list[tuple[str, Callable[[Json], Any], str]] = [
    (CHAT, lambda b: b.update(store=True), "store"),
    (CHAT, lambda b: b["messages"].insert(1, {"role": "developer", "content": "x"}), "developer"),
    (CHAT, lambda b: b["messages"].pop(3), "not answered"),
    (CHAT, lambda b: b["messages"][3].update(tool_call_id="other"), "answer no call"),
    (CHAT, lambda b: _deep(b, "messages", 2, "tool_calls", 0, "function").update(arguments="{"), "no JSON object"),
    (CHAT, lambda b: b["messages"][1].update(cache_control={"type": "ephemeral"}), "cache_control"),
    (CHAT, lambda b: b["messages"].append({"role": "assistant", "content": None}), "says nothing"),
    (CHAT, lambda b: b.update(tools=[{"name": "flat", "parameters": {}}]), "missing"),
    (CHAT, lambda b: b.update(stream=True), "no usage would be told"),
    (
        RESPONSES,
        lambda b: b["input"].append({"type": "function_call", **_CALLED, "id": "chatcmpl-1"}),
        "begin with fc_",
    ),
    (RESPONSES, lambda b: b["input"].pop(2), "do not match"),
    (RESPONSES, lambda b: b["input"].append({"role": "user", "content": [{"type": "text", "text": "x"}]}), "is a text"),
    (RESPONSES, lambda b: b["tools"].append({"type": "web_search"}), "web_search"),
    (RESPONSES, lambda b: b.update(store=True), "store"),
    (RESPONSES, lambda b: b.update(messages=[]), "messages"),
    (MESSAGES, lambda b: b["messages"].append({"role": "user", "content": "x"}), "alternate"),
    (MESSAGES, lambda b: b["messages"].append({"role": "system", "content": "x"}), "system"),
    (MESSAGES, lambda b: b["messages"][2]["content"].reverse(), "must come first"),
    (MESSAGES, lambda b: b["messages"][2]["content"].pop(0), "do not match"),
    (MESSAGES, lambda b: _deep(b, "messages", 1, "content", 1).update(id="call:1"), "wrong form"),
    (MESSAGES, lambda b: _deep(b, "messages", 1, "content", 0).update(text=" "), "non-whitespace"),
    (MESSAGES, lambda b: b.pop("max_tokens"), "max_tokens is missing"),
    (MESSAGES, lambda b: b["messages"].pop(0), "first message"),
    (MESSAGES, lambda b: b.update(thinking={"type": "enabled", "budget_tokens": 4096}), "budget_tokens"),
    (MESSAGES, lambda b: b.update(tools=[]), "only be there with tools"),
]
_CALLED: Json = {"call_id": "x", "name": "y", "arguments": "{}"}


@pytest.mark.parametrize(("dialect", "spoil", "complaint"), COMPLAINTS)
def test_a_backend_complains(dialect: str, spoil: Callable[[Json], Any], complaint: str) -> None:
    """Of what its vendor would refuse; and of the request as it was, of nothing."""
    right = body(dialect)
    assert BACKENDS[dialect].understand(right)[1] == []
    spoil(right)
    assert complaint in "; ".join(BACKENDS[dialect].understand(right)[1])


# Streams


def stream(dialect: str, *, case: str = "thought-call") -> list[tuple[str, Json]]:
    [say] = BY_NAME[case].says
    assert isinstance(say, Say)
    return [*BACKENDS[dialect].events(say, "m", "1")]


def wire(events: list[tuple[str, Json]]) -> bytes:
    lines = []
    for name, data in events:
        text = data if isinstance(data, str) else json.dumps(data)
        lines.append((f"event: {name}\n" if name else "") + f"data: {text}\n\n")
    return "".join(lines).encode()


def _changed(events: list[tuple[str, Json]], at: int, **fields: Any) -> list[tuple[str, Json]]:
    name, data = events[at]
    return [*events[:at], (name, {**data, **fields}), *events[at + 1 :]]


@by_dialect
@pytest.mark.parametrize("case", ["text", "thought-call", "parallel", "schema", "length"])
def test_a_right_stream_has_no_breach(dialect: str, case: str) -> None:
    """Of any kind of part."""
    assert [*breaches(dialect, wire(stream(dialect, case=case)))] == []


BREACHES: list[tuple[str, Callable[[list[tuple[str, Json]]], list[tuple[str, Json]]]]] = [
    *((dialect, lambda events: events[:-1]) for dialect in DIALECTS),
    *((dialect, lambda events: [*events, events[-1]]) for dialect in DIALECTS),
    *((dialect, lambda events: [events[0], *events]) for dialect in DIALECTS),
    (CHAT, lambda events: _changed(events, 3, id="other")),
    (CHAT, lambda events: [*events[:-2], events[-1]]),
    (CHAT, lambda events: [event for event in events if '"id": "call' not in json.dumps(event)]),
    (RESPONSES, lambda events: _changed(events, 5, sequence_number=99)),
    (RESPONSES, lambda events: _changed(events, 4, item_id="other")),
    (RESPONSES, lambda events: _changed(events, 4, delta=None)),
    (RESPONSES, lambda events: [event for event in events if not event[0].endswith("output_item.done")]),
    (RESPONSES, lambda events: [("", data) for _, data in events]),
    (MESSAGES, lambda events: [event for event in events if event[0] != "content_block_stop"]),
    (MESSAGES, lambda events: [*events[:4], events[1], *events[4:]]),
    (MESSAGES, lambda events: _changed(events, 3, index=7)),
    (MESSAGES, lambda events: _changed(events, 3, delta={"type": "text_delta", "text": "thoughts as text"})),
    (MESSAGES, lambda events: [("", data) for _, data in events]),
]


@pytest.mark.parametrize(("dialect", "spoil"), BREACHES)
def test_a_breach_is_noticed(dialect: str, spoil: Callable[[list[tuple[str, Json]]], list[tuple[str, Json]]]) -> None:
    """Also one that the SDKs let pass."""
    assert [*breaches(dialect, wire(spoil(stream(dialect))))] != []


# The page


def test_the_table_counts_and_gives_reasons() -> None:
    """A line a case, the failures, and the sum as the last line, here and in the published page."""
    case = BY_NAME["text"]
    verdicts = [
        runner.Verdict("text", CHAT, CHAT, False, ()), runner.Verdict("text", CHAT, CHAT, True, ("the text is cut",)),
        runner.Verdict("text", CHAT, MESSAGES, False, (), refused=True),
    ]  # fmt: skip
    result = runner.Result((case,), verdicts)
    said = table.lines(result)
    assert said[1].split()[1:4] == ["half", "--", "refused"]
    assert "text chat → chat streamed: the text is cut" in said
    assert said[-1] == "2/3 pass"
    assert table.markdown(result).endswith("**2/3 pass**\n")


def test_a_pixel_is_one() -> None:
    """The picture is one that a vendor would take."""
    assert backends.ALL[CHAT].understand(body(CHAT, BY_NAME["image"].ask))[1] == []
    assert PIXEL.startswith("data:image/png;base64,iVBOR")
