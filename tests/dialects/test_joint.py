"""Two streams, one answer: whole and once, with one beginning and one end, or refused; never glued."""

from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dialects.answers import Answer, read
from dialects.speakers import CALL, PROMPT, cut_after, named, speak, told_of
from pointsman import dialects
from pointsman.dialects.joint import Joint
from pointsman.dialects.replay import DIVERGED
from pointsman.dialects.rest import carried
from pointsman.dialects.resume import Step, steps
from pointsman.dialects.seam import CERTAIN
from pointsman.dialects.told import Told
from pointsman.dialects.translation import Translation
from pointsman.exchange import Failure, Head
from pointsman.failover.choose import Candidate
from pointsman.names import Dialect, Way
from pointsman.sse import Frame, Splitter, frames
from pointsman.table import Model, Provider

every = pytest.mark.parametrize("dialect", list(Dialect))
words = st.text("ab é\n漢", min_size=1, max_size=6)
answers = st.lists(words, min_size=1, max_size=24)
INPUT = {Dialect.RESPONSES: {"input": "hi"}}
PIECES = ["One ", "two ", "three, ", "and ", "so ", "it ", "goes ", "on ", "and ", "on. ", "Then ", "it ", "ends."]
WHOLE = "".join(PIECES)
AT = 9  # pieces that the client has been sent


def head_of(dialect: Dialect) -> Head:
    fields = INPUT.get(dialect, {"messages": [{"role": "user", "content": "hi"}]})
    return dialects.ALL[dialect].read_head(json.dumps({"model": "m", "stream": True, **fields}).encode())


def steps_for(way: Way, dialect: Dialect, told: Told) -> tuple[Step, ...]:
    """The ways for a target that speaks every dialect."""
    head = head_of(dialect)
    place = Provider("p", "VLLM", "http://127.0.0.1", tuple(Dialect))
    return steps(way, Translation(dialect, head.fields), told, head, Candidate(place, Model("m"), dialect=dialect))


def step_for(dialect: Dialect, way: Way, sent: list[Frame]) -> Step:
    return steps_for(way, dialect, told_of(dialect, sent))[0]


def join(dialect: Dialect, sent: list[Frame], step: Step, again: list[Frame]) -> bytes | Failure:
    """All that a client gets; a Failure before it gets anything of the second stream."""
    joint, got = Joint(dialect, told_of(dialect, sent), step), b""
    for frame in again:
        passed = joint.feed(frame)
        if isinstance(passed, Failure):
            assert not got
            return passed
        assert not passed or joint.caught_up
        got += passed
    closed = joint.close()
    if isinstance(closed, Failure):
        assert not got
        return closed
    assert joint.close() == b""
    return b"".join(frame.raw for frame in sent) + got + closed


def resume(dialect: Dialect, way: Way, pieces: list[str], *, call: bool = False, why: str = "") -> Answer | Failure:
    """The answer after a cut in the middle of WHOLE, which the second target takes up with these pieces."""
    sent = cut_after(dialect, speak(dialect, PIECES, "first"), AT)
    step = step_for(dialect, way, sent)
    got = join(dialect, sent, step, frames(speak(step.dialect, pieces, "second", call=call, why=why)))
    return got if isinstance(got, Failure) else read(dialect, got)


def split(data: st.DataObject, text: str) -> list[str]:
    """A text in some pieces."""
    edges = [0, *sorted(data.draw(st.sets(st.integers(1, max(1, len(text))), max_size=6))), len(text)]
    return [piece for a, b in itertools.pairwise(edges) if (piece := text[a:b])]


def torn(data: st.DataObject, stream: bytes) -> list[Frame]:
    """The frames of a stream that came off the wire in some pieces."""
    splitter, found = Splitter(), []
    edges = [0, *sorted(data.draw(st.sets(st.integers(1, len(stream) - 1), max_size=8))), len(stream)]
    for a, b in itertools.pairwise(edges):
        found += splitter.feed(stream[a:b])
    return found


@every
@settings(deadline=None)
@given(pieces=answers, rest=answers, data=st.data())
def test_one_unbroken_answer(dialect: Dialect, pieces: list[str], rest: list[str], data: st.DataObject) -> None:
    """However it was cut, is taken up, and comes: first and rest, each once, or nothing at all."""
    way = data.draw(st.sampled_from(Way))
    first, more = "".join(pieces), "".join(rest)
    sent = cut_after(dialect, speak(dialect, [*pieces, "!"], "first"), len(pieces))
    step = step_for(dialect, way, sent)
    overlap = first[len(step.prefix) :] if step.prefix else first
    kind = data.draw(st.sampled_from(["echo", "goes on", "anew", "another"]))
    starts = {"echo": step.prefix + overlap, "goes on": overlap, "anew": first, "another": ""}
    said = starts[kind] + more
    assume(step.prefix or kind != "echo")
    got = join(dialect, sent, step, torn(data, speak(step.dialect, split(data, said), "second")))
    certain = kind in {"echo", "anew"} and not (step.way is Way.FLAGS and len(step.prefix) < CERTAIN)
    if isinstance(got, Failure):
        assert got is DIVERGED
        assert not certain
        return
    answer = read(dialect, got)
    assert answer.text.startswith(first)
    forms = (step.prefix, step.prefix.lstrip())
    ambiguous = any(said.startswith(form) or form.startswith(said) for form in forms)
    if certain or (kind == "goes on" and step.prefix and not ambiguous):
        assert answer.text == first + more
    else:
        assert said.endswith(answer.text[len(first) :])


@every
@pytest.mark.parametrize("way", [Way.FLAGS, Way.PREFILL])
@pytest.mark.parametrize("space", ["", " "])
def test_white_space_at_the_joint_comes_once(dialect: Dialect, way: Way, space: str) -> None:
    """The prefix ends without it, so the target may say it, or leave it out."""
    answer = resume(dialect, way, [f"{space}on. ", "Then ", "it ", "ends."])
    assert isinstance(answer, Answer)
    assert answer.text == WHOLE


@every
@pytest.mark.parametrize("way", list(Way))
def test_ids_and_usage_are_of_the_whole(dialect: Dialect, way: Way) -> None:
    """The ids of the first stream; output of both; of the input what the client sent."""
    said = {Way.REPLAY: PIECES, Way.TRY: ["on and ", *PIECES[AT:]]}.get(way, PIECES[AT:])
    if way is Way.TRY:
        sent = cut_after(dialect, speak(dialect, PIECES, "first"), AT)
        said = [WHOLE[len(step_for(dialect, way, sent).prefix) : len("".join(PIECES[:AT]))], *PIECES[AT:]]
    answer = resume(dialect, way, list(said))
    assert isinstance(answer, Answer)
    assert answer.text == WHOLE
    if dialect is not Dialect.CHAT or way is not Way.REPLAY:
        assert not any("second" in one for one in answer.ids)
    assert answer.usage is not None
    before = step_for(dialect, way, cut_after(dialect, speak(dialect, PIECES, "first"), AT)).tokens
    assert answer.usage[1] == before + len(said)
    cached = PROMPT if dialect is Dialect.MESSAGES and way is not Way.FLAGS else PROMPT - before
    assert answer.usage[0] == cached


@pytest.mark.parametrize(("read_in", "kept"), [(12, 3), (9, 9), (4, 4), (0, 0)])
def test_input_without_the_prefix_stays(read_in: int, kept: int) -> None:
    """A target that does not count what it was told to have said would have read nothing, or less."""
    usage = {"prompt_tokens": read_in, "completion_tokens": 5, "total_tokens": read_in + 5}
    whole = {"prompt_tokens": kept, "completion_tokens": 14, "total_tokens": kept + 14}
    assert carried(usage, 9, 9) == whole


@every
@pytest.mark.parametrize("way", [Way.FLAGS, Way.PREFILL])
def test_nothing_left_to_say_is_a_whole_answer(dialect: Dialect, way: Way) -> None:
    """The stream broke off between its last word and its end."""
    answer = resume(dialect, way, [])
    assert isinstance(answer, Answer)
    assert answer.text == "".join(PIECES[:AT])
    assert answer.stop in {"stop", "end_turn", "completed"}


@pytest.mark.parametrize("way", [Way.FLAGS, Way.PREFILL])
@pytest.mark.parametrize(
    ("dialect", "left"), [(Dialect.MESSAGES, 2), *((Dialect.RESPONSES, n) for n in (1, 2, 3))], ids=str
)
def test_a_text_that_was_closed_stays_so(dialect: Dialect, left: int, way: Way) -> None:
    """The stream broke off while it ended: what is missing of its end follows, but no more text."""
    sent = frames(speak(dialect, PIECES, "first"))[:-left]
    step = step_for(dialect, way, sent)
    got = join(dialect, sent, step, frames(speak(step.dialect, [], "second")))
    assert isinstance(got, bytes)
    assert read(dialect, got).text == WHOLE
    assert join(dialect, sent, step, frames(speak(step.dialect, [" And more."], "second"))) is DIVERGED


@every
@pytest.mark.parametrize("way", [Way.FLAGS, Way.PREFILL])
def test_a_limit_that_is_hit_is_told(dialect: Dialect, way: Way) -> None:
    """An answer that was cut short by its bound says so, in the client's words."""
    spoken = Dialect.CHAT if way is Way.FLAGS else dialect
    why = {Dialect.CHAT: "length", Dialect.MESSAGES: "max_tokens", Dialect.RESPONSES: "max_output_tokens"}
    answer = resume(dialect, way, PIECES[AT:-1], why=why[spoken])
    assert isinstance(answer, Answer)
    told = {Dialect.CHAT: "length", Dialect.MESSAGES: "max_tokens", Dialect.RESPONSES: "incomplete"}
    assert (answer.text, answer.stop) == ("".join(PIECES[:-1]), told[dialect])


@every
@pytest.mark.parametrize("pieces", [PIECES[AT:], []], ids=["text", "call alone"])
def test_the_rest_may_end_with_a_call(dialect: Dialect, pieces: list[str]) -> None:
    """After the text, whole, in the place that is next for the client."""
    answer = resume(dialect, Way.PREFILL, pieces, call=True)
    assert isinstance(answer, Answer)
    assert answer.calls == {CALL[0]: CALL[1]}
    assert answer.text == "".join(PIECES[:AT] + pieces)
    assert answer.stop in {"tool_calls", "tool_use", "completed"}


@every
def test_another_answer_is_never_glued(dialect: Dialect) -> None:
    """Where nothing was promised, the last words must come again; where it was, no second beginning may."""
    other = ["Quite ", "another ", "answer."]
    assert resume(dialect, Way.TRY, other) is DIVERGED
    assert resume(dialect, Way.REPLAY, other) is DIVERGED
    assert resume(dialect, Way.PREFILL, [*PIECES[:7], "backwards."]) is DIVERGED
    assert resume(dialect, Way.PREFILL, PIECES[:3]) is DIVERGED


@every
def test_a_call_from_chat_is_not_translated(dialect: Dialect) -> None:
    """With the flags another dialect may be spoken; its calls are not the client's."""
    if dialect is Dialect.CHAT:
        answer = resume(dialect, Way.FLAGS, PIECES[AT:], call=True)
        assert isinstance(answer, Answer)
        assert answer.calls == {CALL[0]: CALL[1]}
        return
    sent = cut_after(dialect, speak(dialect, PIECES, "first"), AT)
    step = step_for(dialect, Way.FLAGS, sent)
    joint = Joint(dialect, told_of(dialect, sent), step)
    passed = [joint.feed(frame) for frame in frames(speak(Dialect.CHAT, [], "second", call=True))]
    assert DIVERGED in passed


@every
@pytest.mark.parametrize("way", list(Way))
def test_reasoning_that_was_told_stays_as_it_was(dialect: Dialect, way: Way) -> None:
    """Text after it goes on; what the target thinks anew is not told into a part that is closed."""
    sent = cut_after(dialect, speak(dialect, PIECES, "first", thought=["Hm", "."]), AT + 2)
    step = step_for(dialect, way, sent)
    said = PIECES if not step.prefix else [WHOLE[len(step.prefix) :]]
    thought = ["Hm."] if not step.prefix else ["Well"]
    got = join(dialect, sent, step, frames(speak(step.dialect, said, "second", thought=thought)))
    assert isinstance(got, bytes)
    assert read(dialect, got).text == WHOLE
    assert got.count(b'"Well"') == 0


@every
@pytest.mark.parametrize("way", [Way.FLAGS, Way.PREFILL])
def test_a_rest_that_was_taken_for_reasoning_is_refused(dialect: Dialect, way: Way) -> None:
    """A server whose parser waits for the end of reasoning calls the rest of the answer so: it must not be lost."""
    sent = cut_after(dialect, speak(dialect, PIECES, "first"), AT)
    step = step_for(dialect, way, sent)
    assert join(dialect, sent, step, frames(speak(step.dialect, [], "second", thought=PIECES[AT:]))) is DIVERGED


@every
def test_three_targets_one_answer(dialect: Dialect) -> None:
    """What was joined once can break off and be taken up again."""
    sent = cut_after(dialect, speak(dialect, PIECES, "first"), 5)
    step = step_for(dialect, Way.PREFILL, sent)
    joint = Joint(dialect, told_of(dialect, sent), step)
    half = cut_after(dialect, speak(dialect, PIECES[5:], "second"), 4)
    passed = [joint.feed(frame) for frame in half]
    more = b"".join(one for one in passed if isinstance(one, bytes))
    sent = [*sent, *frames(more)]
    step = step_for(dialect, Way.FLAGS, sent)
    got = join(dialect, sent, step, frames(speak(step.dialect, PIECES[9:], "third")))
    assert isinstance(got, bytes)
    answer = read(dialect, got)
    assert answer.text == WHOLE
    assert all("first" in one for one in answer.ids)


@every
@pytest.mark.parametrize("way", list(Way))
def test_a_forgotten_end_is_made_up_for(dialect: Dialect, way: Way) -> None:
    """Without [DONE] or message_stop the client's answer ends as it should; a response ends in its own words only."""
    sent = cut_after(dialect, speak(dialect, PIECES, "first"), AT)
    step = step_for(dialect, way, sent)
    said = [WHOLE[len(step.prefix) :]] if step.prefix else PIECES
    again = frames(speak(step.dialect, said, "second"))
    got = join(dialect, sent, step, again if step.dialect is Dialect.RESPONSES else again[:-1])
    assert isinstance(got, bytes)
    assert read(dialect, got).text == WHOLE


KEYS = ["type", "choices", "delta", "index", "item", "response", "usage", "content_block", "content"]
KINDS = [
    "content_block_start", "content_block_delta", "message_delta", "response.output_item.added",
    "response.output_text.delta", "response.completed", "",
]  # fmt: skip
junks = st.recursive(
    st.none() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=12,
)


@every
@settings(deadline=None)
@given(junk=junks, kind=st.sampled_from(KINDS))
def test_strange_events_never_raise(dialect: Dialect, junk: object, kind: str) -> None:
    """What a target streams is a stranger's."""
    rest = junk if isinstance(junk, dict) else {"choices": junk, "delta": junk, "item": junk}
    event = {**rest, "type": kind}
    sent = cut_after(dialect, speak(dialect, PIECES, "first"), AT)
    for way in Way:
        joint = Joint(dialect, told_of(dialect, sent), step_for(dialect, way, sent))
        for frame in frames(named([event])):
            joint.feed(frame)
        joint.close()


@every
@pytest.mark.parametrize("way", list(Way))
@pytest.mark.parametrize("strange", [b"\\ud83d", b"\xff"], ids=["half a pair", "no UTF-8"])
def test_an_event_that_cannot_be_read_is_no_rest(dialect: Dialect, way: Way, strange: bytes) -> None:
    """Nobody can tell what it says, on either side of the joint."""
    torn_pair = b'data: {"type":"response.output_text.delta","delta":"%b"}\n\n' % strange
    sent = cut_after(dialect, speak(dialect, PIECES, "first"), AT)
    joint = Joint(dialect, told_of(dialect, sent), step_for(dialect, way, sent))
    assert joint.feed(frames(torn_pair)[0]) is DIVERGED
    assert steps_for(way, dialect, told_of(dialect, [*sent, *frames(torn_pair)])) == ()
