"""What requests of other dialects lose in Messages."""

from __future__ import annotations

import re
from typing import Any

import pytest

from dialects.messages_speech import ANTHROPIC, LOCAL, NEWEST, QWEN, SONNET, asked
from pointsman.dialects.messages.codec import loss
from pointsman.names import Dialect
from pointsman.neutral import (
    Choice,
    Foreign,
    Form,
    Image,
    Loss,
    Part,
    Reasoning,
    Refusal,
    Role,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolMode,
    ToolResult,
    Turn,
)
from pointsman.table import Model, Provider

SCHEMA = {"type": "object"}
CLOSED = {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": False}


def lost(*turns: Turn | Part, model: Model = SONNET, provider: Provider = ANTHROPIC, **more: Any) -> Loss:
    """What a request loses at a target."""
    return loss(asked(*turns, **more), model, provider)


def refused(*turns: Turn | Part, **more: Any) -> list[str]:
    """The words for what is refused."""
    return [no.reason for no in lost(*turns, **more).refused]


def test_an_ordinary_conversation_loses_nothing() -> None:
    """Tools, pictures, thoughts and all."""
    talk = (
        Turn(Role.SYSTEM, (Text("be"),)),
        Turn(Role.USER, (Text("hi"), Image("https://x/y.png"))),
        Turn(Role.ASSISTANT, (Reasoning("hm"), Refusal("no"), ToolCall("a", "f", "{}"))),
        Turn(Role.TOOL, (ToolResult("a", (Text("1"), Image("data:image/webp;base64,aGk="))),)),
    )
    knobs: Any = {"temperature": 0.5, "stop": ("x",), "user": "u", "max_tokens": 9, "parallel": False}
    assert lost(*talk, tools=(Tool("f", schema=SCHEMA),), form=Form(CLOSED), **knobs) == Loss()


@pytest.mark.parametrize(
    ("part", "word"),
    [
        (Foreign(Dialect.CHAT, "input_audio", {}), "audio"),
        (Foreign(Dialect.CHAT, "file", {}), "file"),
        (Foreign(Dialect.RESPONSES, "input_file", {}), "file"),
        (Foreign(Dialect.RESPONSES, "web_search_call", {}), "hosted-tool"),
        (ToolResult("a", (Foreign(Dialect.RESPONSES, "input_file", {}),)), "file"),
        (Image("data:image/tiff;base64,aGk="), "image"),
        (Image("data:image/png,hi"), "image"),
        (Image("file:///etc/passwd"), "image"),
    ],
)
def test_content_without_a_word_for_it(part: Part, word: str) -> None:
    """It is never left out in silence."""
    [no] = lost(Text("hi"), part).refused
    assert no.reason == word
    assert no.message.startswith("messages[1]")


def test_pictures_are_the_users() -> None:
    """Neither instructions nor the assistant have any."""
    picture = Image("https://x/y.png")
    assert refused(Turn(Role.SYSTEM, (picture,)), Text("hi")) == ["image"]
    assert refused(Text("hi"), Turn(Role.ASSISTANT, (picture,)), Text("hi")) == ["image"]


@pytest.mark.parametrize(
    ("more", "word"),
    [
        ({"choices": 2}, "choices"),
        ({"tools": (Tool("web_search", foreign={"type": "web_search"}),)}, "hosted-tool"),
        ({"choice": Choice(ToolMode.AUTO, foreign={"type": "mcp"})}, "tool-choice"),
        ({"form": Form()}, "json-object"),
        ({"form": Form(SCHEMA), "provider": LOCAL, "model": QWEN}, "json-schema"),
        ({"form": Form(SCHEMA), "model": Model(id="claude-3-5-haiku-latest")}, "json-schema"),
        ({"tools": (Tool("f"),), "choice": Choice(ToolMode.REQUIRED), "model": NEWEST}, "tool-choice"),
        ({"rest": {"logprobs": True}}, "logprobs"),
        ({"rest": {"previous_response_id": "r"}, "home": Dialect.RESPONSES}, "state"),
    ],
)
def test_features_without_an_equivalent(more: Any, word: str) -> None:
    """The target is passed over."""
    assert refused(**more) == [word]


def test_newer_models_go_on_from_nobody() -> None:
    """The request must end with the user."""
    begun = (Text("hi"), Turn(Role.ASSISTANT, (Text("Well"),)))
    assert refused(*begun, model=NEWEST) == ["prefill"]
    assert refused(*begun) == []
    assert refused(*begun, Text("?"), model=NEWEST) == []


def test_knobs_are_named_as_the_client_wrote_them() -> None:
    """Each once, and only if it asked for something."""
    found = lost(
        seed=1, presence_penalty=0.5, frequency_penalty=0, min_p=0.1, repetition_penalty=1.0, temperature=1.5,
        stop=("\n",), thinking=Thinking("low"), max_tokens=100, user="u" * 300, rest={"logit_bias": {"1": 2}},
    )  # fmt: skip
    assert found.dropped == (
        "logit_bias", "temperature", "seed", "presence_penalty", "min_p", "stop", "user", "reasoning_effort",
    )  # fmt: skip
    assert found.refused == ()
    responses = lost(home=Dialect.RESPONSES, thinking=Thinking("low"), max_tokens=100)
    assert responses.dropped == ("reasoning",)
    assert lost(tools=(Tool("f", strict=True), Tool("g", strict=False))).dropped == ("tools.strict",)


def test_a_word_for_a_kind_is_clean() -> None:
    """A client names kinds as it likes, and the word stands in a header."""
    [no] = lost(Text("hi"), Foreign(Dialect.CHAT, "x\r\nSet-Cookie: a=b;" + "y" * 99, {})).refused
    assert re.fullmatch(r"[a-z0-9-]{1,40}", no.reason)


def test_a_schema_that_anthropic_does_not_take_is_refused() -> None:
    """One that cannot be said in its words."""
    assert refused(Text("hi"), form=Form(CLOSED)) == []
    assert refused(Text("hi"), form=Form({"type": "object", "additionalProperties": {}})) == ["json-schema"]
