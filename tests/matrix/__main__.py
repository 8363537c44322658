"""`python -m matrix [--write FILE] [CASE...]`: print the matrix; 1 when a cell fails."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from matrix import cases, runner, table


def main() -> int:
    parser = argparse.ArgumentParser(prog="matrix", description="Every client before every backend.")
    parser.add_argument("--write", type=Path, metavar="FILE", help="publish it as markdown, too")
    parser.add_argument("cases", nargs="*", metavar="CASE", help="only these, such as text")
    arguments = parser.parse_args()
    chosen = [one for one in cases.ALL if not arguments.cases or one.name in arguments.cases]
    if not chosen:
        parser.error(f"no such case; there are {', '.join(one.name for one in cases.ALL)}")
    result = asyncio.run(runner.run(chosen))
    if arguments.write:
        arguments.write.write_text(table.markdown(result))
    print("\n".join(table.lines(result)))
    return 0 if result.passed == len(result.verdicts) and not result.troubles else 1


if __name__ == "__main__":
    sys.exit(main())
