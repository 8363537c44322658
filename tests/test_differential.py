"""Our translation beside LiteLLM's: what is compared, and our side of it, which needs no LiteLLM."""

from __future__ import annotations

from collections import Counter

import pytest

from differential import page, runner, streams
from differential.answered import ALL_ANSWERED
from differential.asked import ALL_ASKED
from differential.facts import Seen
from differential.findings import NEITHER, SECTIONS, THEIRS
from differential.gateways import OURS
from differential.gateways import THEIRS as PEER
from differential.knobs import KNOBS
from differential.runner import Outcome
from differential.topics import CHAT, RESPONSES, inputs

TOPICS = (*ALL_ASKED, *KNOBS, *ALL_ANSWERED)
ALL = list(inputs(TOPICS))
KNOWN = {topic for finding in (*THEIRS, *NEITHER) for topic in finding.topics}


def test_every_input_has_a_name_of_its_own() -> None:
    """By which it has a place at the vendors."""
    assert [slug for slug, count in Counter(one.slug for one in ALL).items() if count > 1] == []


def test_every_sentence_is_about_inputs_that_there_are() -> None:
    """A topic that went away takes its sentence along."""
    names = {topic.name for topic in TOPICS}
    assert {topic for _, of in SECTIONS for finding in of for topic in finding.topics} <= names


@pytest.mark.wall
@pytest.mark.timeout(300)
async def test_our_side_is_right_but_for_what_the_page_says() -> None:
    """What is wrong behind our gateway stands among the sentences of the page."""
    wrong = {slug: found for slug, found in (await runner.run_ours(ALL)).items() if found}
    known = {one.slug for one in ALL if one.topic.name in KNOWN}
    assert {slug: found for slug, found in wrong.items() if slug not in known} == {}


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        (((), ()), "both"), (((), ("x",)), "ours"), ((("x",), ()), "theirs"), ((("x",), ("y",)), "neither"),
    ],
)  # fmt: skip
def test_who_is_right(wrong: tuple[tuple[str, ...], tuple[str, ...]], right: str) -> None:
    """The one behind whom nothing is wrong."""
    outcome = Outcome(ALL[0], {OURS: Seen(), PEER: Seen()}, dict(zip((OURS, PEER), wrong, strict=True)), same=False)
    assert outcome.right == right
    assert page.last([outcome]) == "1 inputs, 0 same, 1 different"


def test_a_stream_of_responses_without_names_and_numbers_is_noticed() -> None:
    """Each breach that all its streams have is told once."""
    body = b'data: {"type":"response.created"}\n\ndata: [DONE]\n\n'
    assert streams.found(RESPONSES, body)[:3] == [streams.DONE, streams.NAMES, streams.NUMBERS]


def test_a_chunk_without_a_finish_reason_is_noticed() -> None:
    """It is required there."""
    assert streams.found(CHAT, b'data: {"choices":[{"index":0,"delta":{}}]}\n\n')[0] == streams.FINISH
