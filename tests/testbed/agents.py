"""Agents as users run them: other people's programs, in a home of their own, told of nothing but the gateway.

They run without a network but loopback if the test session is in a namespace of its own (`netns`), and never as
anybody's real self: the environment has nothing of this process's, and what they would report home is switched off.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from testbed import nodejs
from testbed.cache import say

_PATH = "/usr/local/bin:/usr/bin:/bin"


@dataclass(frozen=True)
class Ran:
    """What became of it. `lines`: each line of its output that is JSON."""

    status: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The JSON that it printed, as a whole."""
        return json.loads(self.out[self.out.index("{") :])

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines() if line.startswith("{")]

    def __str__(self) -> str:
        return f"status {self.status}\n{self.out[-3000:]}\n{self.err[-3000:]}"


def fetched(package: Callable[[], Path]) -> Path | None:
    """Where an agent's package is; None: it cannot be had here, as standard error says."""
    try:
        return package()
    except (subprocess.CalledProcessError, OSError) as error:
        say(f"no agent: {error} {getattr(error, 'stderr', '')}")
        return None


async def run(command: Sequence[str], folder: Path, environment: Mapping[str, str], limit: float = 100) -> Ran:
    """Run it in a folder, with this environment and no other; TimeoutError after `limit` seconds."""
    path = f"{nodejs.node().parent}:{_PATH}"
    process = await asyncio.create_subprocess_exec(
        *command, cwd=folder, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE, env={"PATH": path, "NO_COLOR": "1", **environment}, start_new_session=True,
    )  # fmt: skip
    try:
        out, err = await asyncio.wait_for(process.communicate(), limit)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return Ran(process.returncode, out.decode(errors="replace"), err.decode(errors="replace"))
