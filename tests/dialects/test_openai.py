"""Fields that both of OpenAI's dialects have."""

from __future__ import annotations

from typing import Any

import pytest

from dialects.chat_speech import MODEL, OPENAI, PROXY
from pointsman.dialects import codecs
from pointsman.names import Dialect
from pointsman.neutral import Form, Request

C, R, M = Dialect.CHAT, Dialect.RESPONSES, Dialect.MESSAGES
BOTH: dict[str, Any] = {
    "service_tier": "flex", "store": True, "metadata": {"a": "b"}, "prompt_cache_key": "k",
    "prompt_cache_retention": "24h", "safety_identifier": "s",
}  # fmt: skip


def carried(request: Request, dialect: Dialect, provider: Any = OPENAI) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The fields as they are written, and the names of those that are not."""
    codec = codecs.ALL[dialect]
    written = codec.write_request(request, MODEL, provider)
    return written, codec.loss(request, MODEL, provider).dropped


def test_from_chat_to_responses() -> None:
    """How much to say is a member of `text` there, beside the form."""
    request = Request(C, "m", rest={**BOTH, "verbosity": "low"}, form=Form())
    written, dropped = carried(request, R)
    assert dropped == ()
    assert written.items() >= BOTH.items()
    assert written["text"] == {"format": {"type": "json_object"}, "verbosity": "low"}


def test_from_responses_to_chat() -> None:
    """And back."""
    written, dropped = carried(Request(R, "m", rest={**BOTH, "text.verbosity": "low"}), C)
    assert dropped == ()
    assert written.items() >= {**BOTH, "verbosity": "low"}.items()
    assert "text.verbosity" not in written


def test_chat_keeps_metadata_of_stored_answers_alone() -> None:
    """OpenAI refuses them beside others; Responses stores unless it is told not to."""
    written, dropped = carried(Request(R, "m", rest={"metadata": {"a": "b"}}), C)
    assert dropped == ("metadata",)
    assert "metadata" not in written


@pytest.mark.parametrize(("home", "dialect", "provider"), [(C, R, PROXY), (R, C, PROXY), (C, M, OPENAI)])
def test_nobody_else_is_told(home: Dialect, dialect: Dialect, provider: Any) -> None:
    """They are named."""
    written, dropped = carried(Request(home, "m", rest=BOTH), dialect, provider)
    assert set(dropped) == set(BOTH)
    assert not written.keys() & BOTH.keys()


def test_answers_are_not_stored_unless_asked() -> None:
    """Chat's are not, so those of Responses are told not to be."""
    assert carried(Request(C, "m"), R)[0]["store"] is False
    assert carried(Request(C, "m", rest={"store": True}), R)[0]["store"] is True
