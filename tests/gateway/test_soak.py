"""A minute of `make soak`: mixed faults, rude clients, and a gateway that stays as it was."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.timeout(150)
async def test_a_minute_of_soaking() -> None:
    """No request fails that had a healthy target left; memory, open files and tasks are flat."""
    # Without the script's folder on the path: a file there has the name of this package.
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-P", str(ROOT / "bench" / "soak.py"), "--seconds", "50", stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT, env={**os.environ, "PYTHONPATH": f"{ROOT / 'operator'}:{ROOT / 'tests'}"},
    )  # fmt: skip
    told, _ = await process.communicate()
    print(told.decode())
    assert process.returncode == 0, told.decode()
