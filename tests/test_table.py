"""The contract between operator and gateway."""

from __future__ import annotations

import copy
import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman import table

ASKED = ("m", "m:latest", "n", "n:latest")

names = st.text("abcdefghij-", min_size=1, max_size=8)
models = st.builds(
    table.Model, id=names, context_window=st.integers(0, 10**6), cost=st.dictionaries(names, st.floats(0, 100))
)
providers = st.lists(
    st.builds(
        table.Provider,
        name=names,
        type=st.just("VLLM"),
        base_url=st.just("http://127.0.0.1:8000"),
        api=st.just(("openai-completions",)),
        headers=st.dictionaries(names, st.text(max_size=8)),
        models=st.lists(models, max_size=3).map(tuple),
    ),
    min_size=1,
    unique_by=lambda provider: provider.name,
)


@st.composite
def tables(draw: st.DrawFn) -> table.RoutingTable:
    """Tables whose targets name providers that are there."""
    known = draw(providers)
    target = st.builds(
        table.Target, provider=st.sampled_from([p.name for p in known]), model=names, skip=st.text(max_size=8)
    )
    policy = st.builds(
        table.Policy,
        timeouts=st.builds(table.Timeouts, connect=st.sampled_from([1.0, 2.0])),
        failover_on=st.sampled_from([table.Policy().failover_on, ("Timeout",)]).map(tuple),
    )
    route = st.builds(
        table.Route, policy=policy, name=names, model_name=names, targets=st.lists(target, max_size=3).map(tuple)
    )
    return table.RoutingTable(providers=tuple(known), routes=tuple(draw(st.lists(route, max_size=3))))


@given(tables())
def test_what_is_dumped_is_loaded(routing: table.RoutingTable) -> None:
    """load(dump(t)) is t with its hash, and dumping it again gives the same bytes."""
    text = table.dump(routing)
    assert table.load(text) == table.seal(routing)
    assert table.dump(table.load(text)) == text


@given(tables(), tables())
def test_the_hash_tells_tables_apart(one: table.RoutingTable, other: table.RoutingTable) -> None:
    """Two tables have one hash if, and only if, they are equal."""
    assert (table.seal(one).hash == table.seal(other).hash) == (one == other)


@given(tables())
def test_equal_tables_give_equal_bytes(routing: table.RoutingTable) -> None:
    """Also when nothing of them is the same object: a table that was read is as good as one that was made."""
    assert table.dump(msgspec.convert(msgspec.to_builtins(routing), table.RoutingTable)) == table.dump(routing)
    assert table.dump(copy.deepcopy(routing)) == table.dump(routing)


def edited(**fields: object) -> bytes:
    content = json.loads(table.dump(table.RoutingTable()))
    return json.dumps(content | fields).encode()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"", "routing table: "),
        (b"not json", "routing table: "),
        (b"[]", "routing table: "),
        (b"{}", "missing required field `schema`"),
        (edited(schema=2), "schema 2, this release reads 1: update both"),
        (edited(namespace="other"), "does not match the content"),
        (edited(hash=7), "Expected `str`"),
        (table.dump(table.RoutingTable())[:-20], "routing table: "),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_reason(text: bytes, says: str) -> None:
    """A torn, edited, foreign or newer file never becomes a table."""
    with pytest.raises(table.TableError, match=r"^routing table: ") as caught:
        table.load(text)
    assert says in str(caught.value)


def test_a_target_without_its_provider_is_refused() -> None:
    """The path says which one."""
    target = table.Target(provider="gone", model="m")
    routing = table.RoutingTable(routes=(table.Route(name="r", model_name="m", targets=(target,)),))
    with pytest.raises(table.TableError, match=r"routes\[0\]\.targets\[0\]\.provider: no provider 'gone'"):
        table.load(table.dump(routing))


def test_a_newer_writers_extra_field_is_let_through() -> None:
    """A field may be added without a new schema: the hash is over the JSON as written."""
    content = json.loads(table.dump(table.RoutingTable())) | {"colour": "green"}
    content.pop("hash")
    canonical = msgspec.json.encode(content, order="sorted")
    content["hash"] = table._hash(canonical)
    assert table.load(json.dumps(content).encode()).hash == content["hash"]


def test_a_model_is_found_by_either_of_its_names() -> None:
    """Ollama's `m` is `m:latest`, and bears the name that was asked for; elsewhere a name is a name."""
    listed = (table.Model(id="m:latest", context_window=7), table.Model(id="n"))
    place = table.Provider(name="p", type="Ollama", base_url="http://h", api=(), models=listed)
    found = [place.find(name) for name in ASKED]
    assert [model and (model.id, model.context_window) for model in found] == [
        ("m", 7),
        ("m:latest", 7),
        ("n", 0),
        ("n:latest", 0),
    ]
    elsewhere = msgspec.structs.replace(place, type="VLLM")
    assert [elsewhere.find(name) is not None for name in ASKED] == [False, True, True, False]
