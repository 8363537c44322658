"""A real vLLM for these tests. It takes a minute to start, so they share one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from gateway.conftest import upstream
from pointsman.names import Dialect
from pointsman.sse import Frame
from real.asking import ASKED, ask
from real.checkpoint import checkpoint
from testbed import vllm as environment
from testbed.vllm import VllmServer

__all__ = ["upstream"]
WINDOW = 32768


@pytest.fixture(scope="session")
def server() -> Iterator[VllmServer]:
    """The server, which a test may have killed: ask for `vllm`."""
    if environment.installed() is None:
        pytest.skip("vLLM is not installed: `make test-real` does that (6 GB)")
    one = VllmServer(checkpoint("long", ctx=WINDOW))
    yield one
    one.close()


@pytest.fixture
def vllm(server: VllmServer) -> VllmServer:
    """The server, serving."""
    return server.ready()


@pytest.fixture(scope="session")
def answers(server: VllmServer) -> dict[Dialect, list[Frame]]:
    """What it says, in each dialect, as it came off the wire."""
    url = server.ready().base_url
    return {dialect: asyncio.run(ask(url, dialect, "tiny", ASKED[dialect])) for dialect in Dialect}
