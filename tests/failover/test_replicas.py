"""Which replica a request goes to."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from hypothesis import given
from hypothesis import strategies as st

from pointsman.failover.replicas import REFUSED_FOR, SLACK, SPREAD, pick, seed


@dataclass
class Place:
    port: int
    busy: int = 0
    refused: float = -inf

    def __post_init__(self) -> None:
        self.seed = seed("10.0.0.1", self.port)


def places(*ports: int) -> list[Place]:
    return [Place(port) for port in ports]


def chosen(among: list[Place], affinity: int = 0, *, now: float = 0.0, turn: int = 0) -> int:
    return pick(among, now, affinity, turn).port


def test_prompts_that_begin_alike_go_to_the_same_replica() -> None:
    """In whatever order the replicas are told; and all of them get their share."""
    prompts = [number * 0x1_0000_0001 for number in range(1, 401)]
    found = [chosen(places(1, 2, 3, 4), prompt) for prompt in prompts]
    assert found == [chosen(places(4, 2, 1, 3), prompt, turn=7) for prompt in prompts]
    assert all(found.count(port) >= 60 for port in (1, 2, 3, 4))


def test_a_replica_that_goes_takes_only_its_own_prompts_along() -> None:
    """The others keep what they know."""
    for prompt in range(1, 200):
        place = chosen(places(1, 2, 3, 4), prompt)
        assert place == 3 or chosen(places(1, 2, 4), prompt) == place


def test_affinity_ends_where_a_replica_is_much_busier() -> None:
    """It gets more than the others, and not much more."""
    among = places(1, 2, 3)
    for _ in range(200):
        pick(among, 0.0, 77, 0).busy += 1
        busy = [place.busy for place in among]
        assert max(busy) <= min(busy) * SLACK + SPREAD + 1
    assert max(busy) - min(busy) > SPREAD


def test_without_affinity_the_least_busy_one_is_asked() -> None:
    """In turn, where several are."""
    among = places(1, 2, 3)
    assert sorted(chosen(among, turn=turn) for turn in range(3)) == [1, 2, 3]
    among[0].busy = among[2].busy = 1
    assert {chosen(among, turn=turn) for turn in range(9)} == {2}


def test_a_replica_that_refused_is_left_alone_for_a_while() -> None:
    """Also for prompts that it knows. Where all have, the one that did first is asked."""
    among = places(1, 2, 3)
    known = pick(among, 100.0, 77, 0)
    known.refused = 100.0
    assert chosen(among, 77, now=100.0 + REFUSED_FOR - 0.1) != known.port
    assert chosen(among, 77, now=100.0 + REFUSED_FOR) == known.port
    for place in among:
        place.refused = max(place.refused, 99.0 + place.port) if place is not known else 99.0
    assert chosen(among, 78, now=102.0) == known.port


@given(
    st.lists(st.tuples(st.integers(0, 50), st.floats(0, 20)), min_size=1, max_size=8), st.integers(0, 2**64 - 1),
    st.integers(0, 10**6), st.floats(20, 30),
)  # fmt: skip
def test_some_replica_is_always_chosen(state: list[tuple[int, float]], affinity: int, turn: int, now: float) -> None:
    """And never one that refused while another is well."""
    among = [Place(port, busy, refused) for port, (busy, refused) in enumerate(state, 1)]
    place = pick(among, now, affinity, turn)
    well = [other for other in among if now - other.refused >= REFUSED_FOR]
    assert place in (well or among)
    if well:
        assert place.busy <= min(other.busy for other in well) * SLACK + (SPREAD if affinity else 0)
