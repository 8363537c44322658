"""`python -m wall [--write FILE] [IDENT...]`: print the scorecard; 1 when a case fails."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from wall import runner, table


def main() -> int:
    parser = argparse.ArgumentParser(prog="wall", description="The scorecard of failover.")
    parser.add_argument("--write", type=Path, metavar="FILE", help="publish it as markdown, run in both ways")
    parser.add_argument("--crossed", action="store_true", help="no target speaks its client's dialect")
    parser.add_argument("scenarios", nargs="*", metavar="IDENT", help="only these, such as S08")
    arguments = parser.parse_args()
    wanted = {name.upper() for name in arguments.scenarios}
    chosen = [one for one in runner.ALL_SCENARIOS if not wanted or one.ident in wanted]
    if not chosen:
        parser.error(f"no such scenario; there are {', '.join(one.ident for one in runner.ALL_SCENARIOS)}")
    ways = (False, True) if arguments.write else (arguments.crossed,)
    results = [asyncio.run(runner.run(chosen, crossed=crossed)) for crossed in ways]
    if arguments.write:
        arguments.write.write_text(table.markdown(*results))
    for result in results:
        print("\n".join(table.lines(result)))
    return 0 if all(result.passed == len(result.verdicts) and not result.troubles for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
