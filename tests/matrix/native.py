"""A gateway that takes the providers `vendor-…` for the vendors themselves, which on loopback none can be.

It serves the very table that `pointsman up` has written, but for that one word.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from msgspec.structs import replace

from pointsman import table as tables
from testbed.ports import free_port
from wall.program import _SOURCE, Program, _stop, ready


@contextlib.asynccontextmanager
async def started(folder: Path, up: Program, names: set[str]) -> AsyncIterator[Program]:
    """Start it on the table of a running `up`, wait until these models are served, and stop it at the end."""
    file = _natively(folder, up)
    port = free_port()
    command = [sys.executable, "-m", "pointsman", "gateway", "--listen", f"127.0.0.1:{port}", "--table", str(file)]
    environment = {**os.environ, "PYTHONPATH": str(_SOURCE)}
    with (folder / "said.txt").open("wb") as out:
        process = await asyncio.create_subprocess_exec(*command, stdout=out, stderr=out, env=environment)
    try:
        program = Program(folder, port, process)
        await ready(program, names)
        yield program
    finally:
        await _stop(process)


def _natively(folder: Path, up: Program) -> Path:
    folder.mkdir()
    written = Path(up.said.partition("  files ")[2].splitlines()[0]) / "routing.json"
    table = tables.load(written.read_bytes())
    providers = tuple(replace(one, native=True) if one.name.startswith("vendor-") else one for one in table.providers)
    file = folder / "routing.json"
    file.write_bytes(tables.dump(replace(table, providers=providers)))
    return file
