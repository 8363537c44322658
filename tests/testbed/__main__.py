"""`python -m testbed prepare`: build and fetch everything that the tests need, once, and say where it is."""

import sys
from collections.abc import Iterator
from pathlib import Path

from testbed import agents, aimock, claudecode, codex, controlplane, llmock, node, nodejs, openclaw, tools
from testbed.cache import root
from testbed.tinymodel import CHAINS, TinyModel


def prepare(*, real_node: bool = True) -> Iterator[tuple[str, Path | None]]:
    """Put everything into the cache, with progress on standard error; give each thing's name and place.

    Without `real_node`, not the packages and images of the real node, whose check takes some seconds.
    """
    yield "cache", root()
    for tool in (tools.go, tools.kubectl, tools.helm, tools.llama_server, tools.promtool):
        yield tool.__name__, tool()
    for chain in CHAINS:
        yield f"model {chain}", TinyModel(chain).path()
    yield "node.js", nodejs.node()
    yield "aimock", aimock.prepare()
    yield "llmock", llmock.prepare()
    for agent in (openclaw, codex, claudecode):
        yield agent.__name__.removeprefix("testbed."), agents.fetched(agent.package)
    yield "control plane", controlplane.build()
    if real_node:
        yield "real node", node.prepare()


def main(arguments: list[str]) -> int:
    if arguments != ["prepare"]:
        sys.stderr.write("usage: python -m testbed prepare\n")
        return 2
    for name, place in prepare():
        print(f"{name:14} {place or 'not to be had here: its tests are skipped'}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
