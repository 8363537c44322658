"""Secrets are read one by one, seldom, and a changed one is heard of."""

from __future__ import annotations

import pytest

from controller.fakeapi import Direct, FakeApi, failing
from pointsman.controller.cluster import ApiError, ForbiddenError
from pointsman.controller.secrets import Secrets, decoded


class Desk:
    def __init__(self) -> None:
        self.api, self.changes, self.now, self.reads = FakeApi(), list[str](), 0.0, 0
        self.cluster = Direct(self.api)
        self.cluster.before = self.count
        self.secrets = Secrets(
            self.cluster,  # type: ignore[arg-type]
            lambda namespace, name: self.changes.append(f"{namespace}/{name}"),
            clock=lambda: self.now,
        )

    def count(self, _: str) -> None:
        self.reads += 1

    def put(self, value: str) -> None:
        if ("Secret", "ns", "s") in self.api.objects:
            self.api.delete("Secret", "ns", "s")
        self.api.create("Secret", {"metadata": {"namespace": "ns", "name": "s"}, "data": {"token": value}})


async def test_a_secret_is_read_once_for_all_who_name_it() -> None:
    """And again only when what is known is old."""
    desk = Desk()
    desk.put("MQ==")
    for _ in range(3):
        await desk.secrets.ensure("ns", ["s", "s"])
    assert desk.secrets.values("ns") == {("s", "token"): "1"}
    assert desk.reads == 1
    desk.now += 31
    await desk.secrets.ensure("ns", ["s"])
    assert desk.reads == 2
    assert desk.changes == []


async def test_a_rotated_secret_is_heard_of() -> None:
    """So is one that goes, and one that comes; the first reading is no news."""
    desk = Desk()
    await desk.secrets.ensure("ns", ["s"])
    assert desk.secrets.values("ns") == {}
    for step, value in enumerate(("MQ==", "Mg==")):
        desk.put(value)
        desk.now += 31
        await desk.secrets.ensure("ns", ["s"])
        assert len(desk.changes) == step + 1
    desk.api.delete("Secret", "ns", "s")
    desk.now += 31
    await desk.secrets.ensure("ns", ["s"])
    assert desk.changes == ["ns/s"] * 3
    assert desk.secrets.values("ns") == {}


async def test_a_missing_secret_is_looked_for_sooner() -> None:
    """Whoever creates it late should not wait for half a minute."""
    desk = Desk()
    await desk.secrets.ensure("ns", ["s"])
    desk.now += 6
    assert desk.secrets._stale(desk.now) == [("ns", "s")]
    desk.put("MQ==")
    await desk.secrets.ensure("ns", ["s"])
    desk.now += 6
    assert desk.secrets._stale(desk.now) == []


async def test_an_api_server_that_cannot_say_is_no_missing_secret() -> None:
    """What was read stays in use; a right that lacks is as good as no Secret."""
    desk = Desk()
    desk.put("MQ==")
    await desk.secrets.ensure("ns", ["s"])
    desk.now += 31
    desk.cluster.before = _raise(failing(500))
    with pytest.raises(ApiError):
        await desk.secrets.ensure("ns", ["s"])
    assert desk.secrets.values("ns") == {("s", "token"): "1"}
    desk.cluster.before = _raise(ForbiddenError("GET", 403))
    await desk.secrets.ensure("ns", ["s"])
    assert desk.secrets.values("ns") == {}


async def test_what_nobody_names_is_forgotten() -> None:
    """No key is kept in memory longer than it is needed."""
    desk = Desk()
    desk.put("MQ==")
    await desk.secrets.ensure("ns", ["s"])
    desk.secrets.keep("ns", [])
    assert desk.secrets.values("ns") == {}


def test_what_is_no_text_is_left_out() -> None:
    """Neither broken base64 nor bytes that are no UTF-8 can be a token."""
    data = {"good": "a2V5", "binary": "//79", "broken": "%%%"}
    assert decoded({"metadata": {"name": "s"}, "data": data}) == {"good": "key"}
    assert decoded({"metadata": {"name": "s"}}) == {}


def _raise(error: Exception):  # type: ignore[no-untyped-def]  # noqa: ANN202 - a hook for one test
    def act(_: str) -> None:
        raise error

    return act
