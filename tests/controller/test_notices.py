"""Events are few, and never a reason to fail."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from controller.fakeapi import Direct, FakeApi, failing
from pointsman.controller.notices import Notices, Restraint
from pointsman.fleet.world import Event

BODY = {"metadata": {"namespace": "ns", "name": "a", "uid": "u1"}}


def test_the_same_event_is_posted_once_in_ten_minutes() -> None:
    """Another reason, another message or another object is another Event."""
    restraint = Restraint()
    assert restraint.allows("u", "Ready", "all is well", 0)
    assert not restraint.allows("u", "Ready", "all is well", 599)
    assert restraint.allows("u", "Ready", "all is well", 601)
    assert restraint.allows("u", "Ready", "another text", 601)
    assert restraint.allows("v", "Ready", "all is well", 601)


@given(st.lists(st.floats(0, 60), min_size=1, max_size=200))
def test_an_object_that_flaps_posts_ten_and_then_two_a_minute(gaps: list[float]) -> None:
    """However its transitions are spread."""
    restraint, now, posted = Restraint(), 0.0, 0
    for number, gap in enumerate(gaps):
        now += gap
        posted += restraint.allows("u", "Ready", str(number), now)
    assert posted <= 10 + now / 30 + 1


async def test_an_event_names_its_object() -> None:
    """In the form of events.k8s.io/v1, cut to what the API takes."""
    sent: list[dict[str, Any]] = []
    cluster = Direct(FakeApi())
    notices = Notices(cluster)  # type: ignore[arg-type]

    async def create(_kind: Any, _namespace: str, body: dict[str, Any]) -> dict[str, Any]:
        sent.append(body)
        return body

    cluster.create = create  # type: ignore[method-assign]
    await notices.post(BODY, [Event("ModelProvider", "a", "Warning", "Timeout", "x" * 2000)])
    assert sent[0]["regarding"]["uid"] == "u1"
    assert sent[0]["regarding"]["kind"] == "ModelProvider"
    assert sent[0]["note"] == "x" * 1024
    assert (sent[0]["type"], sent[0]["reason"]) == ("Warning", "Timeout")


async def test_an_event_that_is_refused_is_only_logged() -> None:
    """What it tells of has happened all the same."""
    cluster = Direct(FakeApi())

    def refuse(_: str) -> None:
        raise failing(403)

    cluster.before = refuse
    await Notices(cluster).post(BODY, [Event("ModelProvider", "a", "Normal", "Ready", "")])  # type: ignore[arg-type]
    assert cluster.api.writes == 0
