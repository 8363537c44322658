"""What only its maker can read goes back to its maker alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.dialects import seals
from pointsman.names import Dialect
from pointsman.neutral import Closed, Grew, Opened, Reasoning, Reply, Request, Role, Seal, Text, Turn

_JSON = st.text(min_size=1, max_size=20) | st.dictionaries(st.text(max_size=5), st.integers(0, 9), min_size=1)
_SEALS = st.builds(Seal, st.sampled_from(Dialect), _JSON, st.text(min_size=1, max_size=8))


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
