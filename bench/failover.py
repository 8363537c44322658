"""What failing over costs, seen by a client: `pointsman up` with YAML objects over two backends that are processes.

    python bench/failover.py [--part time|kills|rescue|memory ...] [--json FILE]

    time     from the fault to the first byte of the next target's answer, for each fault; and for requests after it
    kills    failed requests of 100,000 while the primary is killed every 2 s
    rescue   streams that reached the client whole, of those that were cut
    memory   of the gateway with 2,000 streams open

Every answer is compared with the right text to the letter. The last line is all figures as JSON; the exit status is 1
when a request failed. The gateway has one core, all else the other: the figures hold for a gateway that is not alone.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import failover_kills  # beside this file
import failover_streams
import failover_time
import msgspec
import uvloop
from failover_rig import GATEWAY_CORE, LOAD_CORE, many_files

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

PARTS: Final[dict[str, Callable[[argparse.Namespace], Awaitable[dict[str, Any]]]]] = {
    "time": lambda options: failover_time.measure(options.trials, options.keep),
    "kills": lambda options: failover_kills.measure(options.requests, options.rate, options.keep),
    "rescue": lambda options: failover_streams.rescue(options.streams, options.keep),
    "memory": lambda options: failover_streams.weigh(options.open, options.keep),
}
_BAD: Final = frozenset({"failed", "wrong", "wrong_or_failed"})


def main() -> int:
    options = parser().parse_args()
    many_files()
    print(f"gateway on core {GATEWAY_CORE}, backends and client on core {LOAD_CORE}; load {os.getloadavg()[0]:.1f}")
    if hasattr(os, "sched_setaffinity") and (os.cpu_count() or 1) > 1:
        os.sched_setaffinity(0, {int(LOAD_CORE)})
    figures = uvloop.run(measure(options))
    text = msgspec.json.encode(figures)
    if options.json is not None:
        options.json.write_bytes(text + b"\n")
    print(f"\n{text.decode()}")
    return 1 if bad(figures) else 0


def parser() -> argparse.ArgumentParser:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--part", action="append", choices=list(PARTS), help="repeatable; else all")
    arguments.add_argument("--trials", type=int, default=100, help="of each fault; a quarter where deadlines must pass")
    arguments.add_argument("--requests", type=int, default=100_000, help="under kills")
    arguments.add_argument("--rate", type=float, default=1500, help="requests a second under kills")
    arguments.add_argument("--streams", type=int, default=500, help="cut in parallel, a dialect")
    arguments.add_argument("--open", type=int, default=2000, help="streams when memory is read")
    arguments.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    arguments.add_argument("--keep", type=Path, metavar="DIR", help="keep objects and the gateway's log there")
    return arguments


async def measure(options: argparse.Namespace) -> dict[str, Any]:
    return {name: await PARTS[name](options) for name in options.part or PARTS}


def bad(figures: Any) -> bool:
    """Whether any request failed or was wrong, at any depth of the figures."""
    if not isinstance(figures, dict):
        return False
    return any((key in _BAD and value) or bad(value) for key, value in figures.items())


if __name__ == "__main__":
    sys.exit(main())
