"""Real agents, offline: their packages are fetched first, then the session leaves the network behind."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from clients.yard import Yard, opened
from testbed import agents, claudecode, codex, netns, openclaw

_HERE = Path(__file__).parent
_PACKAGES = (openclaw.package, codex.package, claudecode.package)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    ours = [item for item in items if item.path.is_relative_to(_HERE)]
    if not ours or config.option.collectonly:
        return
    for item in ours:
        item.add_marker("agents")
    if any(agents.fetched(package) is None for package in _PACKAGES):
        for item in ours:
            item.add_marker(pytest.mark.skip(reason="the agents cannot be fetched: see standard error"))


def pytest_runtestloop(session: pytest.Session) -> None:
    ours = [item for item in session.items if item.path.is_relative_to(_HERE)]
    if session.config.option.collectonly or not ours:
        return
    try:
        netns.enter()
    except OSError as error:
        for item in ours:
            item.add_marker(pytest.mark.skip(reason=f"agents run without a network, and that cannot be had: {error}"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def yard(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Yard]:
    """The gateway and what is behind it, for a file of tests."""
    async with opened(tmp_path_factory.mktemp("yard")) as running:
        yield running
