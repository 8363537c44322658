"""A conversation that the gateway keeps: joined, taken out of an answer, shown, by OpenAI's rules."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.dialects import responses, stored
from pointsman.dialects.stored import Entry, Turn
from pointsman.exchange import BadRequestError

ITEM = st.fixed_dictionaries({"type": st.sampled_from(["message", "reasoning"]), "id": st.text(max_size=6)})
ITEMS = st.lists(ITEM, max_size=4)


def fields(**more: Any) -> stored.Fields:
    return responses.read_head(json.dumps({"model": "m", **more}).encode()).fields


def plain(found: stored.Fields) -> dict[str, Any]:
    return {name: json.loads(bytes(raw)) for name, raw in found.items()}


def answer(turn: Turn, output: list[Any], **more: Any) -> Entry:
    entry = stored.taken(turn, json.dumps({"id": "r", "output": output, **more}).encode())
    assert entry is not None
    return entry


@given(st.lists(st.tuples(ITEMS, ITEMS), min_size=1, max_size=5))
def test_each_turn_is_sent_all_that_came_before(turns: list[tuple[list[Any], list[Any]]]) -> None:
    """In order, inputs and outputs alike, whatever is in them."""
    entry, said = None, []
    for asked, output in turns:
        found, turn = stored.expand(fields(input=asked, previous_response_id="r" if entry else None), entry)
        said += asked
        assert plain(found)["input"] == said
        said += output
        entry = answer(turn, output)
    assert entry is not None
    assert json.loads(b"[%b]" % b",".join(part.text for part in entry.items if part.text)) == said


def test_nothing_is_written_twice() -> None:
    """The items of earlier turns are the same objects in all later entries, so that they are kept once."""
    _, first = stored.expand(fields(input="a"), None)
    one = answer(first, [{"type": "message"}])
    _, second = stored.expand(fields(input="b", previous_response_id="r"), one)
    two = answer(second, [])
    assert two.items[:2] == one.items
    assert all(a is b for a, b in zip(two.items, one.items, strict=False))


def test_text_becomes_a_message_and_goes_through_as_text_where_nothing_came_before() -> None:
    """A list needs items; a first request is not touched, byte for byte."""
    asked = fields(input='hé\n"x"', store=True)
    found, turn = stored.expand(asked, None)
    assert found is asked
    message = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": 'hé\n"x"'}]}
    assert json.loads(turn.own.text) == message
    later, _ = stored.expand(fields(input="again", previous_response_id="r"), answer(turn, []))
    assert [item["content"][0]["text"] for item in plain(later)["input"]] == ['hé\n"x"', "again"]


def test_instructions_do_not_come_along_and_all_else_is_the_new_requests() -> None:
    """So that they can be exchanged from turn to turn."""
    _, turn = stored.expand(fields(input="a", instructions="old", temperature=1), None)
    found, _ = stored.expand(fields(input="b", previous_response_id="r", instructions="new"), answer(turn, []))
    assert {name: value for name, value in plain(found).items() if name != "input"} == {
        "model": "m", "instructions": "new",
    }  # fmt: skip


def test_sealed_reasoning_and_ids_come_along() -> None:
    """Its maker alone can read it; it must come back as it went."""
    sealed = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "c2VhbGVk"}
    _, turn = stored.expand(fields(input="a"), None)
    found, _ = stored.expand(fields(previous_response_id="r"), answer(turn, [sealed]))
    assert plain(found)["input"][1:] == [sealed]


@pytest.mark.parametrize(
    ("more", "kept"), [({}, True), ({"store": None}, True), ({"store": True}, True), ({"store": False}, False)]
)
def test_store_is_true_unless_it_is_false(more: dict[str, Any], kept: bool) -> None:
    """OpenAI's default."""
    assert stored.wanted(fields(**more)) is kept


@pytest.mark.parametrize("bad", ["", 7, ["r"], {}])
def test_a_previous_response_is_named_by_a_text(bad: object) -> None:
    """Null is none; anything else is told what to mend."""
    assert stored.previous(fields(previous_response_id=None)) == stored.previous(fields()) == ""
    assert stored.previous(fields(previous_response_id="resp_1")) == "resp_1"
    with pytest.raises(BadRequestError, match="previous_response_id"):
        stored.previous(fields(previous_response_id=bad))


@pytest.mark.parametrize("bad", [7, {"type": "message"}, True])
def test_an_input_is_a_text_or_a_list(bad: object) -> None:
    """Else nothing can be put in front of it."""
    with pytest.raises(BadRequestError, match="'input'"):
        stored.expand(fields(input=bad), None)


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ({}, ""), ({"background": False, "prompt": None}, ""), ({"conversation": "conv_1"}, "conversation"),
        ({"conversation": {"id": "c"}}, "conversation"), ({"background": True}, "background"),
        ({"prompt": {"id": "p"}}, "prompt"),
    ],
)  # fmt: skip
def test_what_only_the_vendor_keeps_is_named(more: dict[str, Any], named: str) -> None:
    """So that it can be refused by its name."""
    assert stored.elsewhere(fields(**more)) == named


@pytest.mark.parametrize("body", [b"", b"[]", b"\xff", b'{"output":7}', b"[" * 5000])
def test_what_is_no_response_is_not_kept(body: bytes) -> None:
    """Servers are strangers."""
    _, turn = stored.expand(fields(input="a"), None)
    assert stored.taken(turn, body) is None


def test_input_items_come_newest_first_in_pages() -> None:
    """As OpenAI lists them: `after` names the last one seen; what has no id gets one by its place."""
    items = [{"role": "user", "content": f"{i}"} for i in range(5)] + [{"type": "reasoning", "id": "rs", "summary": []}]
    _, turn = stored.expand(fields(input=items), None)
    entry = answer(turn, [{"type": "message", "id": "out"}])
    first = json.loads(stored.page(entry, limit=4))
    assert [item["id"] for item in first["data"]] == ["rs", "item_4", "item_3", "item_2"]
    assert (first["first_id"], first["last_id"], first["has_more"]) == ("rs", "item_2", True)
    rest = json.loads(stored.page(entry, limit=4, after="item_2"))
    assert [item["id"] for item in rest["data"]] == ["item_1", "item_0"]
    assert rest["has_more"] is False
    told = json.loads(stored.page(entry, limit=1, order="asc"))["data"]
    assert told == [
        {"id": "item_0", "type": "message", "role": "user", "content": [{"type": "input_text", "text": "0"}]}
    ]
    empty = json.loads(stored.page(answer(stored.expand(fields(), None)[1], [])))
    assert (empty["data"], empty["has_more"]) == ([], False)
