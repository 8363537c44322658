"""`python -m differential [--write FILE] [--bodies] [TOPIC...]`: our translation beside LiteLLM's."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from differential import page, runner
from differential.answered import ALL_ANSWERED
from differential.asked import ALL_ASKED
from differential.knobs import KNOBS
from differential.topics import inputs


def main() -> int:
    parser = argparse.ArgumentParser(prog="differential", description="Our translation beside LiteLLM's.")
    parser.add_argument("--write", type=Path, metavar="FILE", help="publish it as markdown, too")
    parser.add_argument("--bodies", action="store_true", help="show what the vendor was asked where it differs")
    parser.add_argument("topics", nargs="*", metavar="TOPIC", help="only these, such as text")
    arguments = parser.parse_args()
    topics = [
        one for one in (*ALL_ASKED, *KNOBS, *ALL_ANSWERED) if not arguments.topics or one.name in arguments.topics
    ]
    outcomes = asyncio.run(runner.run(inputs(tuple(topics))))
    if arguments.write:
        arguments.write.write_text(page.markdown(outcomes))
    print("\n".join(page.lines(outcomes, bodies=arguments.bodies)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
