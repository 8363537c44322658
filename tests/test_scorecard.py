"""The scorecard: every case passes; and the wall and its judge are what they claim to be."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import anthropic
import openai
import pytest

from wall import faults, frames, runner, table
from wall.answers import ARGUMENTS, OTHER, TEXT, TOOL, Answer, pieces, prefill, prompt_tokens
from wall.cases import ALL, PROMPT_TOKENS, STREAMED, Asked, Case, Form, Scenario, request
from wall.catalogue import CATALOGUE
from wall.client import Received, ask
from wall.drives import once
from wall.frames import CHAT, MESSAGES, RESPONSES, Event
from wall.journal import Attempt, Place
from wall.judge import broken, judge, refused, whole
from wall.reading import read
from wall.server import Wall

Stream = list[Event]
WELL = ("ok", "ok-noprefill", "ok-big", "ok-tool", "ok-text-tool", "slow", *faults.FRAMINGS)
FAULTS = (
    "once-500", "status-503", "html-502", "html-200", "outage-60", "context", "policy", "reset", "empty", "error-first",
    "cut-40", "end-20", "reset-20", "hang-20", "broken-40", "garbled-20", "unfinished", "unfinished-open", "tool-cut-2",
    "tool-late-cut-0", "ok-other", "herd-1", "silent", "late-20", "error-20", "error-preamble", "pause-40", "pings",
)  # fmt: skip
HANGING = {"silent", "late-20", "hang-20", "pause-40", "unfinished-open", "pings"}
form_by_form = pytest.mark.parametrize("form", ALL, ids=lambda form: form.name)
stream_by_stream = pytest.mark.parametrize("form", STREAMED, ids=lambda form: form.name)


@pytest.mark.wall
@pytest.mark.timeout(600)
@pytest.mark.parametrize("crossed", [False, True], ids=["passed-through", "translated"])
async def test_every_case_passes(crossed: bool) -> None:
    """The real program behind the real wire; what fails is told with its reason."""
    result = await runner.run(crossed=crossed)
    print("\n".join(table.lines(result)))
    assert [line for line in table.lines(result) if "FAIL" in line] == []
    assert result.troubles == []
    assert {scenario.ident for scenario in CATALOGUE} <= {verdict.scenario for verdict in result.verdicts}


def test_every_scenario_names_faults_that_there_are() -> None:
    """And has an ident of its own."""
    idents = [scenario.ident for scenario in runner.ALL_SCENARIOS]
    assert len(set(idents)) == len(idents)
    models = {model for scenario in runner.ALL_SCENARIOS for model in scenario.chain} - faults.NOWHERE
    assert all(isinstance(faults.act(model, 0, 0.0), faults.Act) for model in models)


# The judge


def case_of(form: Form, body: bytes, *, status: int = 200, ended: bool = True, call: bool = False) -> Case:
    """A case whose client got this."""
    scenario = Scenario("X01", "given", ("ok",), whole("none" if call else "", call=call), once)
    case = Case(scenario, form, Wall(), 0)
    attempt = Attempt(case.provider(0), "ok", form.dialect, form.streamed, 1.0, "wall:x01#1", b"", None, whole=True)
    case.wall.places[case.provider(0)] = Place("ok", 0, [attempt])
    received = Received(0.0, status, {}, body, [(1.0, len(body))], ended, "", 2.0)
    case.asked.append(Asked("wall:x01#1", received, read(form.dialect, received, streamed=form.streamed)))
    return case


def wire(events: Stream) -> bytes:
    lines = []
    for event in events:
        data = event.data if isinstance(event.data, str) else json.dumps(event.data)
        lines.append((f"event: {event.name}\n" if event.name else "") + f"data: {data}\n\n")
    return "".join(lines).encode()


def stream(dialect: str, text: str = TEXT, *, call: bool = False, ident: str = "1") -> Stream:
    answer = Answer("ok", () if call else pieces(text), call, PROMPT_TOKENS)
    return frames.events(dialect, answer, ident, usage=True)


def reasons(form: Form, events: Stream, **more: Any) -> str:
    return "; ".join(judge(case_of(form, wire(events), **more)))


@stream_by_stream
def test_a_right_answer_passes(form: Form) -> None:
    """Text and tool call, in every dialect."""
    assert reasons(form, stream(form.dialect)) == ""
    assert reasons(form, stream(form.dialect, call=True), call=True) == ""


@stream_by_stream
def test_a_truncated_answer_fails(form: Form) -> None:
    """Even when it ends as if it were whole."""
    short = stream(form.dialect, "".join(pieces(TEXT)[:40]))
    assert "truncated" in reasons(form, short)
    assert "terminal" in reasons(form, stream(form.dialect)[:20])
    assert "cut off" in reasons(form, stream(form.dialect), ended=False)


@stream_by_stream
def test_a_glued_text_fails(form: Form) -> None:
    """The head of one answer with the tail of another, and a head that is said twice."""
    words = pieces(TEXT)
    glued = "".join(words[:20]) + OTHER
    doubled = "".join(words[:20]) + TEXT
    assert "differs" in reasons(form, stream(form.dialect, glued))
    assert "differs" in reasons(form, stream(form.dialect, doubled))
    assert "after its end" in reasons(form, stream(form.dialect, TEXT + "loss."))


@stream_by_stream
def test_a_doubled_terminal_event_fails(form: Form) -> None:
    """An answer ends once."""
    events = stream(form.dialect)
    assert "2 terminal events" in reasons(form, [*events, events[-1]])


@stream_by_stream
def test_two_streams_one_after_the_other_fail(form: Form) -> None:
    """Forty words of one, then the rest in the frames of another: ids, openings and numbers betray it."""
    first, second = stream(form.dialect), stream(form.dialect, "".join(pieces(TEXT)[40:]), ident="2")
    spoken = [at for at, event in enumerate(first) if event.mark == "text"]
    assert reasons(form, [*first[: spoken[40]], *second]) != ""


@stream_by_stream
def test_an_error_in_the_answer_fails(form: Form) -> None:
    """And is what `broken` asks for, if nothing follows that looks like an end."""
    events = stream(form.dialect)
    head = [*events[:20], frames.stream_error(form.dialect, "1", first=False)]
    assert "an error in the answer" in reasons(form, head)
    assert list(broken(case_of(form, wire(head), ended=False))) == []
    assert "presented as whole" in "; ".join(broken(case_of(form, wire(events))))
    assert "no error" in "; ".join(broken(case_of(form, wire(events[:20]))))


@stream_by_stream
def test_half_a_tool_call_fails(form: Form) -> None:
    """However the stream ends."""
    events = stream(form.dialect, call=True)
    pieces_at = [at for at, event in enumerate(events) if event.mark == "args"]
    without_last = [event for at, event in enumerate(events) if at != pieces_at[-1]]
    assert reasons(form, without_last, call=True) != ""


@pytest.mark.parametrize(
    ("dialect", "change", "reason"),
    [
        (CHAT, lambda events: [*events[:5], _changed(events[5], id="other"), *events[6:]], "the id changes"),
        (CHAT, lambda events: [*events[:5], events[0], *events[5:]], "the role is told again"),
        (CHAT, lambda events: [*events[:-1], events[-2], events[-1]], "usage is told twice"),
        (RESPONSES, lambda events: [*events[:5], _changed(events[5], sequence_number=2), *events[6:]], "sequence"),
        (RESPONSES, lambda events: [*events[:5], _changed(events[5], item_id="msg_9"), *events[6:]], "not added"),
        (RESPONSES, lambda events: [event for event in events if "item.done" not in event.name], "never done"),
        (MESSAGES, lambda events: [*events[:5], events[0], *events[5:]], "message_start comes twice"),
        (MESSAGES, lambda events: [*events[:5], events[1], *events[5:]], "out of turn"),
        (MESSAGES, lambda events: [event for event in events if "block_stop" not in event.name], "left open"),
    ],
)
def test_a_breach_of_the_grammar_fails(dialect: str, change: Callable[[Stream], Stream], reason: str) -> None:
    """Though the text is right."""
    assert reason in reasons(Form(dialect, True), change(stream(dialect)))


def _changed(event: Event, **fields: Any) -> Event:
    assert isinstance(event.data, dict)
    return event._replace(data={**event.data, **fields})


def test_hammering_fails() -> None:
    """Five attempts in 3 s, seven in all, or one before its Retry-After."""
    case = case_of(Form(CHAT, True), wire(stream(CHAT)))
    [attempt] = case.place(0).attempts

    def seen(*times: float, fault: str = "") -> str:
        case.place(0).attempts = [replace(attempt, at=at, fault=fault) for at in times]
        return "; ".join(judge(case))

    assert seen(0, 1, 2, 2.5, 4) == ""
    assert "more than 4 attempts" in seen(0, 1, 2, 2.5, 2.9)
    assert "7 attempts" in seen(0, 10, 20, 30, 40, 50, 60)
    assert "Retry-After" in seen(0, 1, fault="status 429")
    assert "never asked" in seen()


def test_a_refusal_must_be_the_dialects_own() -> None:
    """With its status, code, shape and, where it is worth a second try, the time."""
    check = refused(503, "all_candidates_failed")
    error = {"error": {"message": "all failed", "type": "server_error", "code": "all_candidates_failed"}}
    case = case_of(Form(CHAT, False), json.dumps(error).encode(), status=503)
    assert "Retry-After" in "; ".join(check(case))
    case.asked[0].received.fields["retry-after"] = "5"
    assert list(check(case)) == []
    other = replace(case, form=Form(MESSAGES, False))
    assert "not an error of the dialect" in "; ".join(check(other))
    assert "status 503 instead of 429" in "; ".join(refused(429, "x")(case))


def test_the_table_counts_and_gives_reasons() -> None:
    """A line a scenario, the failures, and the sum as the last line, here and in the published page."""
    scenario = replace(CATALOGUE[0], forms=ALL[:2])
    verdicts = [runner.Verdict("S01", ALL[0], ()), runner.Verdict("S01", ALL[1], ("the text is truncated",))]
    result = runner.Result((scenario,), verdicts)
    said = table.lines(result)
    assert said[1].split()[-6:] == ["ok", "FAIL", "--", "--", "--", "--"]
    assert "S01 chat-whole: the text is truncated" in said
    assert said[-1] == "1/2 pass"
    written = table.markdown(result, result)
    assert written.count("**1/2 pass**") == 2
    assert written.rstrip().endswith("every request and every answer is translated")


# The wall


@pytest.fixture
async def wall() -> AsyncIterator[Wall]:
    running = Wall()
    await running.start()
    yield running
    running.stop()


async def direct(wall: Wall, model: str, form: Form) -> Case:
    """The model asked without a gateway."""
    call = "tool" in model
    text = "short" if "text-tool" in model or "late" in model else "none" if call else "big" if "big" in model else ""
    limit = 0.3 if model in HANGING else 30.0
    scenario = Scenario("D01", "direct", (model,), whole(text, call=call), once, tools=call, limit=limit)
    case = Case(scenario, form, wall, wall.port, direct=True)
    wall.places[case.provider(0)] = Place(model, 0)
    await case.ask()
    return case


@form_by_form
@pytest.mark.parametrize("model", WELL)
async def test_what_is_well_is_judged_well(wall: Wall, model: str, form: Form) -> None:
    """Every healthy model, asked directly, gives an answer without a flaw."""
    assert judge(await direct(wall, model, form)) == []


@form_by_form
@pytest.mark.parametrize("model", FAULTS)
async def test_a_client_without_a_gateway_fails(wall: Wall, model: str, form: Form) -> None:
    """Each fault hurts: no case is passed for nothing."""
    assert judge(await direct(wall, model, form)) != []


@form_by_form
async def test_a_request_that_ends_with_the_answers_head_gets_the_rest(wall: Wall, form: Form) -> None:
    """Words of the assistant at the end are gone on from; ok-noprefill refuses them; others are answered anew."""
    body = request(form, "ok", "wall:x#1")
    turns = body["input" if form.dialect == RESPONSES else "messages"]
    head = "".join(pieces(TEXT)[:40])[:-3]
    turns.append({"role": "assistant", "content": head})
    assert prefill(body) == head
    for model, text in (("ok", TEXT[len(head) :]), ("ok-other", OTHER)):
        wall.places["x"] = Place(model, 0)
        received = await _post(wall, form, {**body, "model": model})
        assert read(form.dialect, received, streamed=form.streamed).text == text
    received = await _post(wall, form, {**body, "model": "ok-noprefill"})
    assert (received.status, b"invalid_prefill" in received.body) == (400, True)


async def _post(wall: Wall, form: Form, body: dict[str, Any]) -> Received:
    return await ask(wall.port, f"/at/x/v1{frames.PATHS[form.dialect]}", body, 10, headers={})


@form_by_form
def test_a_word_is_a_token_in_every_dialect(form: Form) -> None:
    """So that accounts can be checked."""
    assert prompt_tokens(request(form, "ok", "wall:x#1")) == PROMPT_TOKENS


async def test_a_caller_that_leaves_is_noticed(wall: Wall) -> None:
    """The journal says when."""
    case = await direct(wall, "hang-20", STREAMED[0])
    [attempt] = case.attempts()
    while not attempt.gone:  # noqa: ASYNC110 - the journal is a record, not a signal
        await asyncio.sleep(0.01)
    assert (attempt.fault, attempt.whole, attempt.spoken) == ("hang", False, 20)


async def test_a_probe_counts_for_nothing(wall: Wall) -> None:
    """A request without a mark neither uses up a fault nor meets one, but in an outage."""
    wall.places["x"] = Place("once-500", 0)
    body = {"model": "once-500", "messages": [{"role": "user", "content": "hi"}]}
    form = Form(CHAT, False)
    assert (await _post(wall, form, body)).status == 200
    assert (await _post(wall, form, {**body, "model": "outage-60"})).status == 503
    assert (await _post(wall, form, {**body, "messages": [{"role": "user", "content": "wall:x#1"}]})).status == 500
    assert len(wall.places["x"].attempts) == 1


async def test_the_vendors_sdks_read_it(wall: Wall) -> None:
    """Streams and tool calls, by the clients whose makers wrote the dialects."""
    wall.places["x"] = Place("ok-text-tool", 0)
    url, head = wall.url("x"), "".join(pieces(TEXT)[:12])
    async with openai.AsyncOpenAI(base_url=url, api_key="x", max_retries=0) as client:
        async with client.responses.stream(model="ok-text-tool", input="wall:x#1") as responses:
            final = await responses.get_final_response()
        assert final.output_text == head
        chat = client.chat.completions.stream(model="ok-text-tool", messages=[{"role": "user", "content": "wall:x#1"}])
        async with chat as chunks:
            message = (await chunks.get_final_completion()).choices[0].message
        assert message.content == head
    async with anthropic.AsyncAnthropic(base_url=url.removesuffix("/v1"), api_key="x", max_retries=0) as claude:
        turns: list[anthropic.types.MessageParam] = [{"role": "user", "content": "wall:x#1"}]
        async with claude.messages.stream(model="ok-text-tool", max_tokens=99, messages=turns) as events:
            said = await events.get_final_message()
    call = said.content[1]
    assert isinstance(call, anthropic.types.ToolUseBlock)
    assert (call.name, call.input) == (TOOL, ARGUMENTS)
