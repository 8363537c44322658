"""The gateway as a child process: started, kept running, stopped gracefully."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import logging
import signal
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from pathlib import Path

log = logging.getLogger(__name__)

_BACKOFF_MAX = 30.0
_STARTING = 10.0  # seconds within which a gateway that cannot listen has ended
_GRACE = 35.0  # a little more than the gateway takes for its streams


_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def _die_with_parent() -> None:
    """Between fork and exec: when we are killed without a chance to stop it, the gateway shall not stay behind."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


class ChildError(Exception):
    """The gateway cannot be run as it was called; what it printed says why."""


class GatewayChild:
    """`pointsman gateway` on a table in `folder`. It runs as in a cluster: it knows nothing but files."""

    def __init__(self, listen: str, table: Path, credentials: Path, more: tuple[str, ...] = ()) -> None:
        """`more`: further arguments."""
        self._command = [
            sys.executable, "-m", "pointsman", "gateway",
            "--listen", listen, "--table", str(table), "--credentials", str(credentials),
            *more,
        ]  # fmt: skip
        self._process: Process | None = None

    async def keep_running(self) -> None:
        """Start the gateway again whenever it ends.

        ChildError: a wrong call (exit status 2), or it failed as it first started, which it does when it cannot listen.
        """
        failures, first = 0, True
        while True:
            self._process = await asyncio.create_subprocess_exec(
                *self._command, start_new_session=True, preexec_fn=_die_with_parent
            )
            started = asyncio.get_running_loop().time()
            status = await self._process.wait()
            lasted = asyncio.get_running_loop().time() - started
            if status == 2:
                raise ChildError("the gateway refused its arguments; see above")
            if first and status == 1 and lasted < _STARTING:
                raise ChildError("the gateway could not be started; see above")
            first = False
            failures = 0 if lasted > _BACKOFF_MAX else failures + 1
            delay = min(0.2 * 2**failures, _BACKOFF_MAX)
            log.error("the gateway ended with status %s; starting it again in %.1f s", status, delay)
            await asyncio.sleep(delay)

    async def stop(self) -> None:
        """SIGTERM lets streams end; SIGKILL follows if they do not."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(process.wait(), _GRACE)
            except TimeoutError:
                process.kill()
                await process.wait()
