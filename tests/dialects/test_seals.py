"""What only its maker can read goes back to its maker alone."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw

from pointsman import dialects
from pointsman.dialects import codecs, seals
from pointsman.names import Dialect
from pointsman.neutral import Closed, Grew, Opened, Reasoning, Reply, Request, Role, Seal, Text, Turn
from pointsman.table import Model, Provider

Json = Any

_TEXT = st.text(min_size=1, max_size=20)
_SUMMARY = st.lists(st.fixed_dictionaries({"type": st.just("summary_text"), "text": _TEXT}), max_size=2)
_DETAIL = st.dictionaries(st.sampled_from(["type", "id", "text", "data", "signature", "format"]), _TEXT, min_size=1)
_PAYLOADS = {
    Dialect.CHAT: st.lists(_DETAIL, min_size=1, max_size=3),
    Dialect.RESPONSES: st.fixed_dictionaries({"encrypted_content": _TEXT}, optional={"id": _TEXT, "summary": _SUMMARY}),
    Dialect.MESSAGES: _TEXT | st.fixed_dictionaries({"redacted": _TEXT}),
}
_SEALS = st.sampled_from(Dialect).flatmap(
    lambda home: st.builds(Seal, st.just(home), _PAYLOADS[home], st.text(min_size=1, max_size=8))
)
_KEYS = st.sampled_from(["type", "role", "content", "id", "encrypted_content", "summary", "redacted", "data", "text"])
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(0, 9) | st.text(max_size=5) | st.sampled_from(["message", "user"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS | st.text(max_size=3), inner, max_size=5),
    max_leaves=12,
)


@given(_SEALS, st.sampled_from(Dialect))
def test_a_seal_survives_a_client_of_any_dialect(seal: Seal, home: Dialect) -> None:
    """Packed into the client's opaque field, it comes back as it was."""
    packed = seals.write(home, seal)
    assert isinstance(packed, str)
    assert packed.startswith(seals.PREFIX)
    assert seals.read(home, packed) == seal


@given(st.text(min_size=1).filter(lambda text: not text.startswith(seals.PREFIX)))
def test_a_vendors_own_signature_is_left_as_it_is(signature: str) -> None:
    """It was made by whoever the client was passed through to."""
    seal = seals.read(Dialect.MESSAGES, signature)
    assert seal == Seal(Dialect.MESSAGES, signature)
    assert seals.write(Dialect.MESSAGES, seal) == signature


@pytest.mark.parametrize("value", [None, "", "pm1.", "pm1.!", "pm1.bm90IGpzb24=", "pm1.WyJhIl0=", "pm1.\ud800", {}, []])
def test_what_cannot_be_read_is_no_seal(value: object) -> None:
    """A client may send anything; it is not passed on as a signature."""
    assert seals.read(Dialect.MESSAGES, value) is None


def _asked(*parts: Reasoning | Text) -> Request:
    return Request(Dialect.MESSAGES, "m", (Turn(Role.ASSISTANT, parts), Turn(Role.USER, (Text("go on"),))))


@given(_SEALS, st.sampled_from(Dialect), st.sampled_from(["a", "b"]))
def test_nobody_but_the_maker_is_shown_a_seal(seal: Seal, dialect: Dialect, provider: str) -> None:
    """And it alone in the dialect in which it was made."""
    turn = seals.only(_asked(Reasoning("hm", seal=seal), Text("so")), provider, dialect).turns[0]
    mine = seal.maker == provider and seal.home is dialect
    assert turn.parts == (Reasoning("hm", seal=Seal(seal.home, seal.payload) if mine else None), Text("so"))


def test_a_seal_without_a_maker_stays_in_its_dialect() -> None:
    """It came from whoever the client was passed through to, whom only this dialect reaches."""
    asked = _asked(Reasoning("hm", seal=Seal(Dialect.MESSAGES, "sig")))
    assert seals.only(asked, "a", Dialect.MESSAGES) == asked
    assert seals.only(asked, "a", Dialect.RESPONSES).turns[0].parts == (Reasoning("hm"),)


def test_seals_of_an_answer_are_its_targets() -> None:
    """Whole or streamed."""
    seal, marked = Seal(Dialect.MESSAGES, "sig"), Seal(Dialect.MESSAGES, "sig", "claude")
    assert seals.signed(Reply(parts=(Reasoning(seal=seal), Text("a"))), "claude").parts[0] == Reasoning(seal=marked)
    assert seals.signed_event(Closed(0, seal), "claude") == Closed(0, marked)
    assert seals.signed_event(Opened(0, Reasoning(seal=seal)), "claude") == Opened(0, Reasoning(seal=marked))
    assert seals.signed_event(Grew(0, "a"), "claude") == Grew(0, "a")


@settings(max_examples=300)
@given(_JSON, st.sampled_from(Dialect))
def test_a_forged_seal_is_only_ever_reasoning(payload: Json, home: Dialect) -> None:
    """Whatever a client packs: what a target gets is a thought, with the fields of one and no others."""
    packed = seals.write(home, Seal(home, payload, "x"))
    thought = {
        Dialect.RESPONSES: {"type": "reasoning", "summary": [], "encrypted_content": packed},
        Dialect.MESSAGES: {"type": "thinking", "thinking": "hm", "signature": packed},
        Dialect.CHAT: {"type": "reasoning.encrypted", "data": packed},
    }
    asked = {
        Dialect.RESPONSES: {"input": [thought[home]]},
        Dialect.MESSAGES: {"messages": [{"role": "assistant", "content": [thought[home]]}], "max_tokens": 9},
        Dialect.CHAT: {"messages": [{"role": "assistant", "content": "so", "reasoning_details": [thought[home]]}]},
    }
    fields = {name: Raw(msgspec.json.encode(value)) for name, value in {"model": "m", **asked[home]}.items()}
    place = Provider(name="x", type="OpenAI", base_url="http://x", api=(home,))
    request = seals.only(codecs.ALL[home].read_request(fields), "x", home)
    written = codecs.ALL[home].write_request(request, Model(id="m"), place)
    passed = msgspec.json.decode(dialects.ALL[home].with_model(fields, Model(id="claude"), place)[0])
    for body in (msgspec.json.decode(msgspec.json.encode(written)), passed):
        assert _thoughts_alone(home, body)


def _thoughts_alone(home: Dialect, body: Json) -> bool:
    if home is Dialect.RESPONSES:
        return all(
            item["type"] == "reasoning" and item.keys() <= {"type", "id", "summary", "encrypted_content"}
            for item in body["input"]
        )
    if home is Dialect.MESSAGES:
        known = {"thinking": {"type", "thinking", "signature"}, "redacted_thinking": {"type", "data"}}
        return all(
            block.keys() == known[block["type"]] and all(isinstance(value, str) for value in block.values())
            for turn in body["messages"]
            for block in turn["content"]
            if turn["role"] == "assistant"
        )
    [turn] = body["messages"]
    details = turn.get("reasoning_details", [])
    fields = {"role", "content", "reasoning_details", "reasoning", "reasoning_content"}
    return turn["role"] == "assistant" and turn.keys() <= fields and all(d.keys() <= _DETAIL_KEYS for d in details)


_DETAIL_KEYS = {"type", "id", "format", "index", "text", "summary", "data", "signature"}
