"""Servers that tests share, each started once for a session when the first test asks for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from servers.upprocess import Object, Up
from testbed.aimock import Aimock
from testbed.llama import LlamaServer

Starting = Callable[[Sequence[Object]], Up]


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Starting]:
    """Start `pointsman up` on objects: `up([*provider(...), route(...)])`. It ends with the test."""
    with ExitStack() as stack:

        def start(objects: Sequence[Object]) -> Up:
            return stack.enter_context(Up(tmp_path, objects))

        yield start


@pytest.fixture(scope="session")
def llama() -> Iterator[LlamaServer]:
    """A real engine, model `tiny`."""
    with LlamaServer() as server:
        yield server


@pytest.fixture(scope="session")
def aimock() -> Iterator[Aimock]:
    """A hosted vendor that asks for a key."""
    with Aimock() as server:
        yield server
