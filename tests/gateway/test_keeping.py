"""Ollama is told to keep a model, after it has answered."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.conftest import Start, chain, provider, until
from gateway.fakeupstream import FakeUpstream
from pointsman.gateway.keeping import Keeper
from pointsman.table import Model

MODEL = Model(id="ok")


async def said(start: Start, upstream: FakeUpstream, times: int, after: float, **place: Any) -> list[Any]:
    """The bodies that are posted to Ollama's own API when a model answers so often, with so many seconds between."""
    gateway = await start(chain(provider("p", upstream, **place)))
    assert gateway.state.routing is not None
    keeper, there = Keeper(), gateway.state.routing.places["p"]
    for _ in range(times):
        keeper.keep(gateway.state, there, MODEL)
        gateway.state.now += after
        await until(lambda: not gateway.state.askings)
    return [(request.path, request.body) for request in upstream.seen]


@pytest.mark.parametrize(("seconds", "written"), [(1800.0, 1800), (-1.0, -1)])
async def test_once_a_minute_while_it_is_used(
    start: Start, upstream: FakeUpstream, seconds: float, written: int
) -> None:
    """On its own API; not at every answer, and again later, as it may have been unloaded in the meantime."""
    seen = await said(start, upstream, 4, 31.0, type="Ollama", keep_alive=seconds)
    assert seen == [("/api/generate", {"model": "ok", "keep_alive": written})] * 2


@pytest.mark.parametrize("place", [{"type": "Ollama"}, {"type": "LMStudio", "keep_alive": 60.0}])
async def test_nobody_else_is_told(start: Start, upstream: FakeUpstream, place: dict[str, Any]) -> None:
    """LM Studio hears it with each request, and who asks for nothing gets nothing."""
    assert await said(start, upstream, 3, 100.0, **place) == []
