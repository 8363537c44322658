"""What a request of another dialect loses on its way into chat completions."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings

from dialects import chat_speech as speech
from dialects.chat_speech import MODEL, OPENAI, PROXY, abroad, said
from pointsman.dialects.chat import codec as chat_codec
from pointsman.names import Dialect
from pointsman.neutral import Foreign, Image, Loss, Role, Text, Thinking, Tool, ToolCall
from pointsman.table import Model


def loss(*turns: Any, provider: Any = PROXY, model: Model = MODEL, **more: Any) -> Loss:
    """What a request loses."""
    return chat_codec.loss(abroad(*turns, **more), model, provider)


@settings(deadline=None)
@given(speech.requests)
def test_nothing_is_lost_at_home(request: Any) -> None:
    """All of it can be written back."""
    assert chat_codec.loss(speech.read(request), MODEL, PROXY) == Loss()


def test_a_plain_conversation_loses_nothing() -> None:
    """Texts, calls, pictures of the user."""
    assert loss(said(Role.USER, "a", Image("u")), said(Role.ASSISTANT, "b", ToolCall("1", "f", free=True))) == Loss()


def test_knobs_that_openai_does_not_know_are_dropped_there() -> None:
    """By the names that the client gave them."""
    assert loss(top_k=1, min_p=0.1, provider=OPENAI).dropped == ("min_p", "top_k")
    assert loss(top_k=1, min_p=0.1).dropped == ()


@pytest.mark.parametrize(("home", "name"), [(Dialect.RESPONSES, "reasoning"), (Dialect.MESSAGES, "thinking")])
def test_not_to_reason_is_dropped_where_it_cannot_be_told(home: Dialect, name: str) -> None:
    """Unless the model does not reason anyway."""
    asked = Thinking(enabled=False)
    assert loss(thinking=asked, home=home, model=Model(id="m", reasoning=True)).dropped == (name,)
    assert loss(thinking=asked, home=home).dropped == ()
    told = Model(id="m", reasoning=True, compat={"thinkingFormat": "qwen"})
    assert loss(thinking=asked, home=home, model=told).dropped == ()


def test_marks_for_a_cache_are_dropped_once() -> None:
    """However many there are."""
    rest = {"cache_control": {"type": "ephemeral"}}
    found = loss(said(Role.USER, Text("a", rest)), system=(Text("s", rest),), home=Dialect.MESSAGES)
    assert found.dropped == ("cache_control",)


def test_too_many_stop_sequences_are_refused_at_openai() -> None:
    """Four are all that it takes: with fewer the answer would be another."""
    asked = ("a", "b", "c", "d", "e")
    (found,) = loss(stop=asked, provider=OPENAI, home=Dialect.MESSAGES).refused
    assert (found.reason, found.message) == ("stop-sequences", "stop_sequences: 5, and the target takes 4 at most")
    assert loss(stop=asked).refused == ()


@pytest.mark.parametrize(
    ("more", "word"),
    [
        ({"rest": {"previous_response_id": "resp_1"}}, "state"),
        ({"tools": (Tool("web_search", foreign={}),)}, "hosted-tool"),
        ({"choices": 2}, "choices"),
    ],
)
def test_features_are_refused(more: dict[str, Any], word: str) -> None:
    """The target is passed over."""
    assert [each.reason for each in loss(**more).refused] == [word]


def test_an_answer_that_the_client_has_begun_is_refused_where_it_would_begin_anew() -> None:
    """Only vLLM is known to go on with it, exactly."""
    turns = [said(Role.USER, "hi"), said(Role.ASSISTANT, "{")]
    assert [each.reason for each in loss(*turns, home=Dialect.MESSAGES, provider=OPENAI).refused] == ["prefill"]
    assert loss(*turns, home=Dialect.MESSAGES).refused == ()
    assert loss(*turns, provider=OPENAI).refused == ()


def test_content_that_chat_has_no_place_for_is_refused() -> None:
    """Pictures of anybody but the user, and what only its home dialect knows."""
    turns = [said(Role.ASSISTANT, Image("u")), said(Role.USER, Foreign(Dialect.MESSAGES, "document", {}))]
    assert {each.reason for each in loss(*turns, home=Dialect.MESSAGES).refused} == {"image", "file"}


def test_reasoning_as_the_model_sees_fit_is_named() -> None:
    """Chat has no word for it, unless an effort is said as well."""
    assert loss(thinking=Thinking(adaptive=True), home=Dialect.MESSAGES).dropped == ("thinking",)
    assert loss(thinking=Thinking("high", adaptive=True), home=Dialect.MESSAGES).dropped == ()
