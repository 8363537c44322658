"""A gateway in a process of its own: what it costs, what it logs, how it ends."""

from __future__ import annotations

import asyncio
import json
import os
import re
import resource
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from pointsman import table as tables
from pointsman.gateway import server
from pointsman.table import RoutingTable

CODE = """
import asyncio, json, resource, signal, sys
from pointsman.gateway import server, state
files = int(sys.argv[2])
if files:
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))

class Watched(state.State):
    # What it holds, as a line of the log, when asked by a signal.
    def __init__(self, options, loop):
        super().__init__(options, loop)
        loop.add_signal_handler(signal.SIGUSR1, self.count)

    def count(self):
        held = {"clients": len(self.clients), "exchanges": len(self.exchanges)}
        self.journal.event("counts", tasks=len(asyncio.all_tasks()), **held)

server.State = Watched
sys.exit(server.main(state.Options(**json.loads(sys.argv[1]))))
"""


class GatewayProcess:
    """State: the process, its log without the requests, and the connections that were made to it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.pid = process.pid
        self.lines: list[dict[str, Any]] = []
        self.requests = 0
        self.noise: list[str] = []  # what it wrote that is no line of its log: a traceback, a warning
        self._counts: asyncio.Queue[dict[str, int]] = asyncio.Queue()
        self.port = 0
        self.opened: list[asyncio.StreamWriter] = []
        self.listening = asyncio.Event()
        self.reading = asyncio.ensure_future(self._read())

    async def _read(self) -> None:
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            try:
                told = json.loads(line)
            except ValueError:
                self.noise.append(line.decode(errors="replace"))
                continue
            if "event" not in told:
                self.requests += 1
            elif told["event"] == "counts":
                self._counts.put_nowait(told)
            else:
                self.lines.append(told)
            if told.get("event") == "listening":
                self.port = told["port"]
                self.listening.set()

    def events(self) -> list[str]:
        return [line["event"] for line in self.lines]

    async def counts(self) -> dict[str, int]:
        """How many tasks, clients and exchanges it has now."""
        self.signal(signal.SIGUSR1)
        async with asyncio.timeout(10):
            return await self._counts.get()

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=2**26)
        self.opened.append(writer)
        return reader, writer

    def signal(self, number: int = signal.SIGTERM) -> None:
        self.process.send_signal(number)

    async def ended(self, seconds: float) -> int:
        """Its exit status."""
        async with asyncio.timeout(seconds):
            await self.reading
            return await self.process.wait()

    def rss(self) -> int:
        """Resident memory in bytes."""
        text = Path(f"/proc/{self.pid}/status").read_text()
        return int(re.findall(r"VmRSS:\s+(\d+) kB", text)[0]) * 1024

    def files(self) -> int:
        """Open file descriptors."""
        return sum(1 for _ in Path(f"/proc/{self.pid}/fd").iterdir())

    def cpu(self) -> float:
        """Seconds of processor time so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@asynccontextmanager
async def gateway_process(
    folder: Path, table: RoutingTable, files: int = 0, **options: Any
) -> AsyncIterator[GatewayProcess]:
    """Run one while it lasts. `files`: its limit of open files; `options`: those of the gateway."""
    file = folder / "routing.json"
    file.write_bytes(tables.dump(table))
    settings = {"listen": "127.0.0.1:0", "table": str(file), **options}
    environment = {**os.environ, "PYTHONPATH": str(Path(server.__file__).parents[2])}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", CODE, json.dumps(settings), str(files), stderr=subprocess.PIPE, env=environment
    )
    gateway = GatewayProcess(process)
    try:
        async with asyncio.timeout(20):
            await gateway.listening.wait()
        yield gateway
    finally:
        for writer in gateway.opened:
            writer.transport.abort()
        if process.returncode is None:
            process.kill()
        await process.wait()
        await gateway.reading
    assert not gateway.noise, "".join(gateway.noise)


def many_files(wanted: int) -> bool:
    """Raise this process's limit of open files; whether it is enough now."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard == resource.RLIM_INFINITY or hard >= wanted
