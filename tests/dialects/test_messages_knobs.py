"""How many tokens, how they are drawn, where to stop."""

from __future__ import annotations

from typing import Any

import pytest

from dialects.messages_speech import ANTHROPIC, LOCAL, NEWEST, QWEN, SONNET, asked
from pointsman.dialects.messages.codec import loss, write_request
from pointsman.table import Model, Provider

SONNET4 = Model(id="claude-sonnet-4-20250514")


def written(model: Model, provider: Provider = ANTHROPIC, **more: Any) -> tuple[Any, tuple[str, ...]]:
    """The fields beside model, messages and tokens; and what is dropped."""
    fields = write_request(asked(**more), model, provider)
    plain = {name: value for name, value in fields.items() if name not in {"model", "messages", "max_tokens"}}
    return plain, loss(asked(**more), model, provider).dropped


@pytest.mark.parametrize(
    ("asked_for", "model", "expected"),
    [
        (100, SONNET, 100),
        (100_000, SONNET, 64000),
        (100_000, Model(id="m"), 100_000),
        (None, SONNET, 64000),
        (None, Model(id="m"), 8192),
        (None, Model(id="m", context_window=4096), 2048),
        (None, Model(id="m", context_window=32768, max_tokens=32768), 16384),
        (None, Model(id="m", context_window=200_000, max_tokens=64000), 64000),
    ],
)
def test_tokens_must_be_said(asked_for: int | None, model: Model, expected: int) -> None:
    """No more than the model has, and where the client is silent no more than half its window."""
    assert write_request(asked(max_tokens=asked_for), model, LOCAL)["max_tokens"] == expected


@pytest.mark.parametrize(
    ("model", "said", "expected"),
    [
        (SONNET4, {"temperature": 0.5, "top_p": 0.9, "top_k": 4},
         ({"temperature": 0.5, "top_p": 0.9, "top_k": 4}, ())),
        (SONNET, {"temperature": 0.5, "top_p": 0.9}, ({"temperature": 0.5}, ("top_p",))),
        (SONNET, {"temperature": 0.5, "top_p": 1.0}, ({"temperature": 0.5}, ())),
        (SONNET, {"temperature": 1.0, "top_p": 0.9}, ({"top_p": 0.9}, ())),
        (SONNET, {"temperature": 1.0, "top_p": 1.0}, ({"temperature": 1.0}, ())),
        (SONNET, {"temperature": 1.7}, ({"temperature": 1}, ("temperature",))),
        (NEWEST, {"temperature": 0.5, "top_p": 0.9, "top_k": 4}, ({}, ("temperature", "top_k", "top_p"))),
        (NEWEST, {"temperature": 1.0, "top_p": 1.0}, ({}, ())),
    ],
)  # fmt: skip
def test_sampling_of_anthropics_models(model: Model, said: Any, expected: Any) -> None:
    """Less of it with each generation."""
    assert written(model, **said) == expected


def test_other_servers_sample_as_they_are_told() -> None:
    """Messages has the fields, and they no such rules; what it has no field for is named."""
    said: Any = {"temperature": 1.7, "top_p": 0.9, "top_k": 4}
    assert written(QWEN, LOCAL, **said, seed=7) == (said, ("seed",))


def test_a_stop_sequence_of_white_space() -> None:
    """Anthropic refuses it, others do not."""
    assert written(SONNET, stop=("\n\n", "END")) == ({"stop_sequences": ["END"]}, ("stop",))
    assert written(QWEN, LOCAL, stop=("\n\n",)) == ({"stop_sequences": ["\n\n"]}, ())


def test_the_user_is_told_to_the_vendor_alone() -> None:
    """In as many characters as it takes."""
    assert written(SONNET, user="u1") == ({"metadata": {"user_id": "u1"}}, ())
    assert written(SONNET, user="u" * 257) == ({}, ("user",))
    assert written(QWEN, LOCAL, user="u1") == ({}, ("user",))
