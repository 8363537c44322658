"""`pointsman up` as a user runs it: a process of its own, on a folder of YAML."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from testbed.ports import free_port
from wall.client import ask

_PATIENCE: Final = 90.0  # seconds until it serves
_SOURCE: Final = Path(__file__).parents[2] / "operator"


class Program:
    """A running `pointsman up`; what it says goes into `said`."""

    def __init__(self, folder: Path, port: int, process: asyncio.subprocess.Process) -> None:
        self.port, self.process, self._folder = port, process, folder

    @property
    def said(self) -> str:
        return (self._folder / "said.txt").read_text()

    async def get(self, path: str) -> Any:
        """The JSON at a path; None: there is none (yet)."""
        received = await ask(self.port, path, None, 10, headers={})
        return json.loads(received.body) if received.status == 200 else None

    async def knows(self, names: set[str]) -> bool:
        listed = await self.get("/v1/models")
        return listed is not None and names <= {model["id"] for model in listed["data"]}

    async def story(self, request: str) -> Any:
        """What the gateway has to tell of a request; for those who look into a failure."""
        return await self.get(f"/-/explain/{quote(request)}")


@contextlib.asynccontextmanager
async def started(folder: Path, objects: str) -> AsyncIterator[Program]:
    """Start it on these objects; stop it at the end, whatever happens."""
    files = folder / "objects"
    files.mkdir()
    (files / "objects.yaml").write_text(objects)
    port = free_port()
    environment = {**os.environ, "PYTHONPATH": str(_SOURCE), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "pointsman", "up", str(files), "--listen", f"127.0.0.1:{port}"]
    with (folder / "said.txt").open("wb") as out:
        process = await asyncio.create_subprocess_exec(*command, stdout=out, stderr=out, env=environment)
    try:
        yield Program(folder, port, process)
    finally:
        await _stop(process)


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.send_signal(signal.SIGTERM)
    try:
        await asyncio.wait_for(process.wait(), 20)
    except TimeoutError:
        process.kill()
        await process.wait()


async def ready(program: Program, names: set[str]) -> None:
    """Wait until all these models are served. RuntimeError with what it said, when they are not."""
    end = time.monotonic() + _PATIENCE
    while not await program.knows(names):
        if program.process.returncode is not None or time.monotonic() > end:
            raise RuntimeError(f"pointsman up does not serve: {program.said[-2000:]}")
        await asyncio.sleep(0.2)
