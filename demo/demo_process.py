"""`pointsman up` as a process, as a user starts it."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING, Self

import httpx

if TYPE_CHECKING:
    from pathlib import Path


class Up:
    """`pointsman up FOLDER --listen HOST:PORT`; its own words go to up.log in the folder."""

    def __init__(self, folder: Path, listen: str) -> None:
        self.folder, self.listen, self.url = folder, listen, f"http://{listen}"

    def __enter__(self) -> Self:
        self._log = (self.folder / "up.log").open("w")
        command = [sys.executable, "-m", "pointsman", "up", str(self.folder / "objects.yaml"), "--listen", self.listen]
        self._process = subprocess.Popen(command, stdout=self._log, stderr=subprocess.STDOUT)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._log.close()

    def ready(self) -> bool:
        """Whether the gateway has a table and both backends are known to be up; RuntimeError when `up` has ended."""
        if self._process.poll() is not None:
            raise RuntimeError(f"pointsman up ended:\n{(self.folder / 'up.log').read_text()}")
        try:
            return httpx.get(f"{self.url}/-/readyz", timeout=1, trust_env=False).status_code == 200
        except httpx.HTTPError:
            return False

    def failovers(self) -> int:
        """How often an answer moved on to the next target, by the gateway's own count."""
        metrics = httpx.get(f"{self.url}/metrics", timeout=5, trust_env=False).text
        counts = re.findall(r"^pointsman_gateway_failovers_total\{[^}]*\} (\S+)$", metrics, re.MULTILINE)
        return int(sum(float(count) for count in counts))
