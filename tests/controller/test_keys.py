"""Each engine has a key of its own, made once, never written over, and gone with its provider."""

import asyncio
import base64

import pytest

from controller.fakeapi import Direct, FakeApi, failing
from pointsman.controller import keys
from pointsman.controller.cluster import ConflictError
from pointsman.names import ENGINE_KEYS_SECRET, FIELD_MANAGER, MANAGED_BY


@pytest.fixture
def api() -> FakeApi:
    return FakeApi()


def stored(api: FakeApi) -> dict[str, str]:
    data = api.get("Secret", "ai", ENGINE_KEYS_SECRET).get("data", {})
    return {name: base64.b64decode(value).decode() for name, value in data.items()}


async def test_a_key_is_made_once(api: FakeApi) -> None:
    """The second time nothing is written."""
    assert await keys.ensure(Direct(api), "ai", "qwen")
    first, writes = stored(api), api.writes
    assert not await keys.ensure(Direct(api), "ai", "qwen")
    assert (stored(api), api.writes) == (first, writes)


async def test_every_provider_has_another_key(api: FakeApi) -> None:
    """However many are made at once; each is long, and can be a header's value."""
    names = [f"p{i}" for i in range(8)]
    await asyncio.gather(*(keys.ensure(Direct(api), "ai", name) for name in names))
    made = stored(api)
    assert made.keys() == set(names)
    assert len(set(made.values())) == len(names)
    assert all(len(key) >= 43 and key.isascii() and key.isprintable() for key in made.values())


async def test_what_somebody_wrote_is_kept(api: FakeApi) -> None:
    """A key of the user's own, an entry of another: both stay."""
    ours = {"name": ENGINE_KEYS_SECRET, "namespace": "ai", "labels": {MANAGED_BY: FIELD_MANAGER}}
    mine = base64.b64encode(b"mine").decode()
    api.create("Secret", {"metadata": ours, "data": {"qwen": mine, "other": mine}})
    assert not await keys.ensure(Direct(api), "ai", "qwen")
    assert stored(api) == {"qwen": "mine", "other": "mine"}


async def test_a_write_that_came_before_is_read_again(api: FakeApi) -> None:
    """Of two operators that make the same key at once, the second takes the first one's."""
    cluster, rival = Direct(api), Direct(api)
    await keys.ensure(rival, "ai", "other")
    raced = asyncio.Event()

    def race(verb: str) -> None:
        if verb == "WRITE" and not raced.is_set():
            raced.set()
            change = {"data": {"qwen": base64.b64encode(b"theirs").decode()}}
            api.edit("Secret", "ai", ENGINE_KEYS_SECRET, lambda body: body["data"].update(change["data"]))

    cluster.before = race
    assert not await keys.ensure(cluster, "ai", "qwen")
    assert stored(api)["qwen"] == "theirs"


async def test_a_conflict_without_end_is_told(api: FakeApi) -> None:
    """It is tried again a few times, and then by the queue."""
    cluster = Direct(api)
    await keys.ensure(cluster, "ai", "other")

    def always(verb: str) -> None:
        if verb == "WRITE":
            raise ConflictError("PATCH", 409, "Conflict")

    cluster.before = always
    with pytest.raises(ConflictError):
        await keys.ensure(cluster, "ai", "qwen")


async def test_a_key_goes_with_its_provider_and_the_secret_with_the_last(api: FakeApi) -> None:
    """What was never made is not missed."""
    cluster = Direct(api)
    for name in ("a", "b"):
        await keys.ensure(cluster, "ai", name)
    await keys.forget(cluster, "ai", "a")
    assert stored(api).keys() == {"b"}
    await keys.forget(cluster, "ai", "a")
    await keys.forget(cluster, "ai", "b")
    assert ("Secret", "ai", ENGINE_KEYS_SECRET) not in api.objects
    await keys.forget(cluster, "ai", "b")


async def test_a_secret_that_is_not_ours_is_left_alone(api: FakeApi) -> None:
    """Somebody else's object of that name is theirs to delete; and what the cluster refuses, stays."""
    api.create("Secret", {"metadata": {"name": ENGINE_KEYS_SECRET, "namespace": "ai"}, "data": {"a": "YQ=="}})
    await keys.forget(Direct(api), "ai", "a")
    assert stored(api) == {"a": "a"}
    cluster = Direct(api)

    def refuse(_: str) -> None:
        raise failing(500)

    cluster.before = refuse
    await keys.forget(cluster, "ai", "a")
    assert stored(api) == {"a": "a"}
