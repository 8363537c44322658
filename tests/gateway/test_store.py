"""Responses that are kept: bounded by bytes and by age, once each, under ids that nobody can guess; how they join."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.dialects import responses, stored
from pointsman.dialects.stored import Entry, Items
from pointsman.exchange import STATE, BadRequestError, Head
from pointsman.gateway import store as stores
from pointsman.gateway.store import Store, answer, join, narrowed, refusal
from pointsman.table import Fence

LOCAL = Fence(("InCluster", "OnPremises"))
PLACES = st.lists(st.sampled_from(["InCluster", "OnPremises", "External"]), unique=True).map(tuple)
FENCES = st.none() | st.builds(Fence, PLACES, st.lists(st.sampled_from(["eu", "us"]), unique=True).map(tuple))


def head(**more: Any) -> Head:
    return responses.read_head(json.dumps({"model": "m", "input": "hi", **more}).encode())


def say(store: Store, /, now: float = 0.0, fence: Fence | None = None, text: str = "yes", **more: Any) -> str:
    """A request and its answer; the id that the client was sent."""
    _, _, kept = join(store, head(**more), fence, now)
    assert kept is not None
    item = {"type": "message", "id": "m", "content": [{"type": "output_text", "text": text}]}
    body = kept.whole(json.dumps({"id": "r1", "status": "completed", "output": [item]}).encode())
    kept.finish(now)
    return str(json.loads(body)["id"])


def entry(parts: tuple[Items, ...], at: float) -> Entry:
    return Entry(parts, Items(b"x" * 100), b"{}", at=at)


def measured(store: Store) -> int:
    """The bytes that are kept, said in other words than in the code."""
    kept = store._entries.values()
    parts = {part for each in kept for part in each.items}
    return sum(len(part.text) for part in parts) + sum(1024 + len(e.response) + 8 * len(e.asked) for e in kept)


@given(
    st.lists(st.tuples(st.integers(0, 9), st.booleans(), st.integers(0, 4000), st.integers(0, 90)), max_size=60),
    st.integers(0, 20_000),
)
def test_its_bytes_are_counted_and_never_more_than_allowed(acts: list[tuple[int, bool, int, int]], limit: int) -> None:
    """Whatever is put, asked for and dropped, in whatever conversations; and all goes with time."""
    store, now = Store(limit, 300.0), 0.0
    for i, (which, drop, size, wait) in enumerate(acts):
        now += wait
        before = store.get(f"{which}", now)
        if drop:
            assert store.drop(f"{which}") == (before is not None)
        else:
            parts = before.items if before is not None else ()
            store.drop(f"{which}")
            kept = store.put(f"{which}-{i}", entry((*parts, Items(b"y" * size)), now))
            assert kept == (store.get(f"{which}-{i}", now) is not None)
        assert store.size == measured(store) <= limit
        assert all(each.at + 300.0 > now for each in store._entries.values())
    store.expire(now + 300.0)
    assert (len(store), store.size, len(store._uses)) == (0, 0, 0)


def test_what_was_used_least_recently_goes_first() -> None:
    """To be asked for is to be used."""
    store = Store(3 * 1200)
    for name in "abc":
        assert store.put(name, entry((), 0.0))
    assert store.get("a", 1.0)
    assert store.put("d", entry((), 2.0))
    assert [name for name in "abcd" if store.get(name, 2.0)] == ["a", "c", "d"]


def test_a_conversation_is_kept_once_not_once_a_turn() -> None:
    """A hundred turns of a long beginning take little more than that."""
    store = Store(10 << 20)
    ident = say(store, input="x" * 100_000)
    for _ in range(99):
        ident = say(store, previous_response_id=ident)
    assert len(store) == 100
    assert store.size == measured(store) < 100_000 + 100 * 3000


def test_what_alone_is_too_large_pushes_nothing_out() -> None:
    """It is not kept, and the client is told so when it asks to go on."""
    store = Store(4096)
    small = say(store)
    large = say(store, input="x" * 5000)
    assert store.get(small, 0.0)
    with pytest.raises(BadRequestError, match="not found"):
        join(store, head(previous_response_id=large), None, 0.0)


def test_ids_are_not_to_be_guessed() -> None:
    """Upstreams give some of six digits, and the same ones again: the gateway's have 192 random bits."""
    store = Store(1 << 20)
    ids = {say(store) for _ in range(50)}
    assert len(ids) == len(store) == 50
    assert all(ident.startswith("resp_") and len(ident) == 53 for ident in ids)


def test_a_request_goes_on_with_all_that_was_said() -> None:
    """Its size is that of what will be sent, so that it is only sent where it fits."""
    store = Store(1 << 20)
    first = say(store, input="one", instructions="old")
    second = say(store, input="two", previous_response_id=first, text="no")
    joined, _, _ = join(store, head(input="three", previous_response_id=second), None, 0.0)
    items = json.loads(bytes(joined.fields["input"]))
    assert [item["content"][0]["text"] for item in items] == ["one", "yes", "two", "no", "three"]
    assert not {"previous_response_id", "instructions"} & joined.fields.keys()
    assert joined.size >= len(joined.fields["input"])


def test_a_branch_leaves_the_other_as_it_is() -> None:
    """Two requests may go on from the same response."""
    store = Store(1 << 20)
    root = say(store, input="root")
    for word in ("left", "right"):
        branch = say(store, input=word, previous_response_id=root)
        joined, _, _ = join(store, head(input="?", previous_response_id=branch), None, 0.0)
        texts = [item["content"][0]["text"] for item in json.loads(bytes(joined.fields["input"]))]
        assert texts == ["root", "yes", word, "yes", "?"]


def test_store_false_is_not_kept_and_may_go_on() -> None:
    """Its answer has its own id, and names the one before."""
    store = Store(1 << 20)
    assert join(store, head(store=False), None, 0.0)[2] is None
    ident = say(store)
    assert say(store, previous_response_id=ident, store=False) == "r1"
    assert len(store) == 1


def test_a_response_that_is_not_kept_is_refused_with_the_reason() -> None:
    """As OpenAI refuses it, so that SDKs know it; and what may have become of it is said."""
    store = Store(1 << 20, seconds=60.0)
    ident = say(store, now=0.0)
    assert join(store, head(previous_response_id=ident), None, 59.0)[2]
    with pytest.raises(BadRequestError) as caught:
        join(store, head(previous_response_id=ident), None, 60.0)
    told = refusal(caught.value)
    error = json.loads(told.body)["error"]
    assert (told.status, error["code"], error["param"]) == (400, "previous_response_not_found", "previous_response_id")
    assert ident in error["message"]
    assert "60 s" in error["message"]
    assert "restarts" in error["message"]


@pytest.mark.parametrize("more", [{"conversation": "c"}, {"background": True}, {"prompt": {"id": "p"}}])
def test_what_only_the_vendor_keeps_is_not_joined_with_what_is_kept_here(more: dict[str, Any]) -> None:
    """Half of that conversation would be missing, here and when it is gone on from."""
    store = Store(1 << 20)
    assert join(store, head(**more), None, 0.0)[2] is None
    with pytest.raises(BadRequestError, match=next(iter(more))):
        join(store, head(previous_response_id=say(store), **more), None, 0.0)


@given(FENCES, FENCES)
def test_fences_narrow_each_other(first: Fence | None, second: Fence | None) -> None:
    """A place is allowed only if both allow it; what is left of nothing in common is nothing, and never all."""
    found = narrowed(first, second)
    for location in ("InCluster", "OnPremises", "External"):
        for region in ("eu", "us"):
            expected = all(_allows(fence, location, region) for fence in (first, second))
            assert _allows(found, location, region) == expected


def _allows(fence: Fence | None, location: str, region: str) -> bool:
    here = fence is None or not fence.locations or location in fence.locations
    return here and (fence is None or not fence.regions or region in fence.regions)


def test_the_fence_of_a_request_holds_for_the_rest_of_its_conversation() -> None:
    """What was said under it goes along, and so may not leave it; of its own a later request can only add to that."""
    store = Store(1 << 20)
    first = say(store, fence=LOCAL)
    assert join(store, head(previous_response_id=first), None, 0.0)[1] == LOCAL
    second = say(store, fence=Fence(regions=("eu",)), previous_response_id=first)
    assert join(store, head(previous_response_id=second), None, 0.0)[1] == Fence(LOCAL.locations, ("eu",))


def get(store: Store, path: str, method: bytes = b"GET", query: str = "") -> tuple[int, Mapping[str, Any]]:
    told = answer(store, method, path, query, 0.0)
    return told.status, json.loads(told.body) if told.body else {}


@pytest.mark.parametrize("prefix", ["/v1/responses/", "/responses/"])
def test_a_response_is_shown_its_input_listed_and_forgotten_when_told(prefix: str) -> None:
    """As at OpenAI; what is gone is not there a second time."""
    store = Store(1 << 20)
    ident = say(store, input="hello")
    path = f"{prefix}{ident}"
    status, shown = get(store, path)
    assert (status, shown["id"], shown["status"]) == (200, ident, "completed")
    status, listed = get(store, f"{path}/input_items")
    assert (status, [item["content"][0]["text"] for item in listed["data"]]) == (200, ["hello"])
    assert get(store, path, b"DELETE") == (200, {"id": ident, "object": "response", "deleted": True})
    for method, gone in ((b"GET", path), (b"DELETE", path), (b"GET", f"{path}/input_items")):
        assert get(store, gone, method)[0] == 404
    assert (len(store), store.size) == (0, 0)


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x", "limit=99999999999999999999"])
def test_pages_are_bounded(query: str) -> None:
    """Bad input gets an error that says what, and how to mend it."""
    store = Store(1 << 20)
    status, told = get(store, f"/v1/responses/{say(store)}/input_items", query=query)
    assert (status, "1 to 100" in told["error"]["message"]) == (400, True)


def test_odd_paths_and_methods_find_nothing() -> None:
    """And with the store off, how to turn it on is said."""
    store = Store(1 << 20)
    ident = say(store)
    assert get(store, f"/v1/responses/{ident}/cancel")[0] == 404
    assert get(store, f"/v1/responses/{ident}/")[0] == 404
    assert get(store, f"/v1/responses/{ident}/input_items", b"DELETE")[0] == 405
    assert get(store, "/v1/responses/x", b"OPTIONS") == (204, {})
    assert "--store-bytes" in get(Store(0), "/v1/responses/x")[1]["error"]["message"]
    assert json.loads(refusal(stores.UnknownResponseError("x")).body)["error"]["code"] == stores.NOT_FOUND
    assert refusal(BadRequestError("x")).code == "invalid_request"
    assert stored.PREVIOUS == "previous_response_id"


def test_pages_come_to_an_end_where_a_server_calls_every_item_alike() -> None:
    """Each page goes on after the last, every item is shown once, and a page is the same each time."""
    store = Store(1 << 20)
    ident = say(store, input="a")
    for text in "bcd":
        ident = say(store, input=text, previous_response_id=ident)
    path, after, ids = f"/v1/responses/{ident}/input_items", "", []
    for _ in range(9):
        _, told = get(store, path, query=f"limit=2&order=asc&after={after}")
        ids += [item["id"] for item in told["data"]]
        after = told["last_id"]
        if not told["has_more"]:
            break
    assert ids == ["item_0", "m", "item_2", "m_2", "item_4", "m_3", "item_6"]
    assert [item["id"] for item in get(store, path)[1]["data"]] == ids[::-1]


@pytest.mark.parametrize(
    ("path", "query", "told"),
    [
        ("/input_items", "after=unknown", "'unknown'"),
        ("/input_items", "order=sideways", "asc or desc"),
        ("", "stream=true", "stream=true"),
    ],
)
def test_what_cannot_be_listed_so_is_refused(path: str, query: str, told: str) -> None:
    """Else a client would read the first page for ever, or take it for another."""
    store = Store(1 << 20)
    status, said = get(store, f"/v1/responses/{say(store)}{path}", query=query)
    assert (status, told in said["error"]["message"]) == (400, True)
    assert get(store, f"/v1/responses/{say(store)}", query="stream=false&include=x")[0] == 200


def refer(ident: str) -> dict[str, Any]:
    return {"type": "item_reference", "id": ident}


def test_a_reference_to_what_is_in_the_conversation_says_nothing_new() -> None:
    """The item itself is sent, once: vendors refuse one that comes twice."""
    store = Store(1 << 20)
    first = say(store, input="a")
    asked = [refer("m"), {"role": "user", "content": "go"}]
    joined, _, kept = join(store, head(input=asked, previous_response_id=first), None, 0.0)
    sent = json.loads(bytes(joined.fields["input"]))
    assert [item.get("id") or item.get("content") for item in sent][1:] == ["m", "go"]
    assert not joined.needs & STATE
    assert kept is not None


def test_a_reference_to_any_other_item_is_refused_and_named() -> None:
    """Also to one of a conversation that was not named: item ids are no secrets."""
    store = Store(1 << 20)
    first, _ = say(store, input="a"), say(store, input=[{"type": "message", "id": "other", "content": "x"}])
    for ident in ("other", "rs_9"):
        with pytest.raises(BadRequestError, match=f"'{ident}'.*send the item itself"):
            join(store, head(input=[refer(ident)], previous_response_id=first), None, 0.0)


def test_a_reference_without_a_conversation_is_for_the_vendor_alone() -> None:
    """It goes on as it came, and only to who may know it; so does what goes on from there."""
    store = Store(1 << 20)
    joined, _, _ = join(store, head(input=[refer("msg_1")]), None, 0.0)
    assert json.loads(bytes(joined.fields["input"])) == [refer("msg_1")]
    assert joined.needs & STATE
    first = say(store, input=[refer("msg_1")])
    assert join(store, head(previous_response_id=first), None, 0.0)[0].needs & STATE
    assert not join(store, head(input='say "item_reference"'), None, 0.0)[0].needs & STATE
