"""Adapters at running engines: loaded, replaced and unloaded at every address, tried again, told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from pointsman.api.deploy import Deploy
from pointsman.controller import adapters as shell
from pointsman.controller.adapters import Adapters

KEY = "engine-key"


class Engine:
    """vLLM's list and its two ways of 0.32, behind a key."""

    def __init__(self) -> None:
        self.has: dict[str, str] = {}
        self.calls: list[str] = []
        self.refuses: dict[str, str] = {}  # path -> vLLM's words
        self.address = ""

    async def handle(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != f"Bearer {KEY}":
            return web.json_response({"error": "Unauthorized"}, status=401)
        if request.method == "GET":
            cards = [{"id": name, "root": path, "parent": "base"} for name, path in self.has.items()]
            return web.json_response({"object": "list", "data": [{"id": "base", "parent": None}, *cards]})
        body = await request.json()
        name, path = body["lora_name"], body.get("lora_path", "")
        self.calls.append(f"{request.path.removeprefix('/v1/').removesuffix('_lora_adapter')} {name} {path}".strip())
        return self._load(name, path) if path else self._unload(name)

    def _load(self, name: str, path: str) -> web.Response:
        if words := self.refuses.get(path):
            return refusal(words, 500)
        if name in self.has:
            return refusal(f"The lora adapter '{name}' has already been loaded.", 400)
        self.has[name] = path
        return web.Response(text=f"Success: LoRA adapter '{name}' added successfully.")

    def _unload(self, name: str) -> web.Response:
        if self.has.pop(name, None) is None:
            return refusal(f"The lora adapter '{name}' cannot be found.", 404)
        return web.Response(text="Success")


def refusal(words: str, status: int) -> web.Response:
    return web.json_response({"error": {"message": words, "type": "X", "param": None, "code": status}}, status=status)


@asynccontextmanager
async def listening(engine: Engine) -> AsyncIterator[Engine]:
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", engine.handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    engine.address = f"127.0.0.1:{runner.addresses[0][1]}"
    yield engine
    await runner.cleanup()


@pytest.fixture
async def engine() -> AsyncIterator[Engine]:
    async with listening(Engine()) as made:
        yield made


class Space:
    """The adapters of one namespace, and who hears of them."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str]] = []
        self.adapters = Adapters(lambda namespace, name: self.heard.append((namespace, name)))

    def ensure(self, deploy: Deploy | None, *engines: Engine, key: str = KEY) -> None:
        self.adapters.ensure("ns", "qwen", deploy, [each.address for each in engines], key)

    def told(self) -> tuple[str, str]:
        return self.adapters.told("ns")["qwen"]

    async def until(self, reason: str, word: str = "") -> None:
        await until(lambda: self.told()[0] == reason and word in self.told()[1])


@pytest.fixture
async def space(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Space]:
    monkeypatch.setattr(shell, "_FIRST", 0.01)
    made = Space()
    yield made
    await made.adapters.close()


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110 - what is tested has no event for it
            await asyncio.sleep(0.01)


def deploy(loading: str = "AtRuntime", **sources: str) -> Deploy:
    adapters = [{"name": name, "source": f"hf://{source}"} for name, source in sources.items()]
    model: dict[str, Any] = {"source": "hf://o/base", "adapterLoading": loading, "adapters": adapters}
    return Deploy.model_validate({"model": model})


async def test_adapters_come_and_go_without_a_rollout(space: Space, engine: Engine) -> None:
    """What the spec adds is loaded, what it changes is unloaded and loaded, what it drops is unloaded."""
    engine.has["theirs"] = "o/theirs"
    space.ensure(deploy(a="o/a", b="o/b"), engine)
    assert space.told()[0] == "AdaptersLoading"
    await space.until("AdaptersLoaded", "a, b")
    assert space.heard == [("ns", "qwen")]
    space.ensure(deploy(a="o/a2"), engine)
    await until(lambda: engine.has == {"theirs": "o/theirs", "a": "o/a2"})
    await space.until("AdaptersLoaded")
    assert engine.calls == ["load a o/a", "load b o/b", "unload a", "unload b", "load a o/a2"]
    space.ensure(deploy(), engine)
    await until(lambda: engine.has == {"theirs": "o/theirs"})


async def test_nothing_is_asked_where_nothing_changed(space: Space, engine: Engine) -> None:
    """Called with every reconciliation, it asks a server that has everything no more."""
    space.ensure(deploy(a="o/a"), engine)
    await space.until("AdaptersLoaded")
    tasks = list(space.adapters._providers[("ns", "qwen")].tasks.values())
    for _ in range(100):
        space.ensure(deploy(a="o/a"), engine)
    assert list(space.adapters._providers[("ns", "qwen")].tasks.values()) == tasks
    assert len(space.heard) == 1


async def test_every_replica_has_them(space: Space, engine: Engine) -> None:
    """One that comes later, or comes back at the same address without them, is brought to the same."""
    async with listening(Engine()) as second:
        space.ensure(deploy(a="o/a"), engine)
        await space.until("AdaptersLoaded")
        space.ensure(deploy(a="o/a"), engine, second)
        await space.until("AdaptersLoaded")
        assert engine.has == second.has == {"a": "o/a"}
        space.ensure(deploy(a="o/a"), second)  # the first restarts: it is not ready
        engine.has.clear()
        space.ensure(deploy(a="o/a"), engine, second)
        await until(lambda: engine.has == {"a": "o/a"})
        assert second.calls == ["load a o/a"]


async def test_what_fails_is_told_and_tried_again(space: Space, engine: Engine) -> None:
    """In vLLM's own words, with the address; others are loaded all the same."""
    engine.refuses["o/big"] = "Call to add_lora method failed: LoRA rank 64 is greater than max_lora_rank 16."
    space.ensure(deploy(big="o/big", small="o/small"), engine)
    await space.until("AdapterLoadFailed", "rank 64")
    assert engine.address in space.told()[1]
    assert "spec.deploy.engine.maxLoraRank" in space.told()[1]
    assert engine.has == {"small": "o/small"}
    await until(lambda: engine.calls.count("load big o/big") > 2)
    engine.refuses.clear()
    await space.until("AdaptersLoaded")


async def test_the_engines_key_is_sent(space: Space, engine: Engine) -> None:
    """A server that refuses it is tried again with the next one."""
    space.ensure(deploy(a="o/a"), engine, key="old")
    await space.until("Unauthorized")
    space.ensure(deploy(a="o/a"), engine)
    await space.until("AdaptersLoaded")


async def test_a_server_that_is_gone_counts_no_more(space: Space, engine: Engine) -> None:
    """While it is asked in vain it says so; without its address nothing is told of it."""
    gone = Engine()
    gone.address = "127.0.0.1:9"
    space.ensure(deploy(a="o/a"), engine, gone)
    await space.until("ConnectionRefused")
    space.ensure(deploy(a="o/a"), engine)
    await space.until("AdaptersLoaded")


async def test_adapters_of_the_start_are_left_alone(space: Space, engine: Engine) -> None:
    """No server is asked, and nothing is told, for AtStart, for an endpoint and after a provider's end."""
    for each in (deploy("AtStart", a="o/a"), None):
        space.ensure(each, engine)
        assert space.adapters.told("ns") == {}
    space.ensure(deploy(a="o/a"), engine)
    await space.until("AdaptersLoaded")
    space.adapters.forget("ns", "qwen")
    space.adapters.forget("ns", "qwen")
    assert space.adapters.told("ns") == {}
    assert engine.has == {"a": "o/a"}


async def test_without_any_adapter_nobody_is_asked(space: Space, engine: Engine) -> None:
    """AtRuntime with an empty list costs nothing until the first one comes."""
    space.ensure(deploy(), engine)
    assert space.told()[0] == "AdaptersLoaded"
    assert space.adapters._providers[("ns", "qwen")].tasks == {}
