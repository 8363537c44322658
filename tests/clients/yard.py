"""What the agents are sent on an errand through: `pointsman up`, and behind it a strict server of each dialect.

The server has the agent read a file, with the tool that the agent has for that, and repeats what it is given. So an
answer with the file's content has crossed the gateway as a request, a call, a result and a text.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from matrix.server import Place, Seen, Server
from matrix.speech import DIALECTS, Ask, Call, Fault, Result, Say, Spent, Words
from testbed.ports import free_port
from wall.program import Program, ready, started

NOTE: Final = "Track 4 is clear; the signalman's word is Zügelschraube-7281."
FILE: Final = "note.txt"
WORD: Final = "Zügelschraube-7281"
HELLO: Final = "Hello from the yard, 列車 and all."
DEAD: Final = "dead-"
_API: Final = "pointsman.dev/v1alpha1"
_NATIVE: Final = {"chat": "openai-completions", "responses": "openai-responses", "messages": "anthropic-messages"}
_WHERE: Final = re.compile(r"in the folder (/[^\s\"<]+)")
_ERRAND, _GREETING = "errand", "greeting"


@dataclass
class Yard:
    """`errand(...)` and `greeting(...)` are names of models."""

    server: Server
    program: Program

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.program.port}"

    def openclaw(self) -> str:
        """The text of the openclaw.json that `up` has written."""
        folder = self.program.said.partition("  files ")[2].splitlines()[0]
        return (Path(folder) / "openclaw.json").read_text()

    def seen(self, backend: str, model: str = _ERRAND) -> list[Seen]:
        """What a backend was asked since the last call."""
        seen = self.server.seen[backend, model]
        taken, seen[:] = [*seen], []
        return taken


def errand(backend: str, *, dead: bool = False) -> str:
    return f"{DEAD if dead else ''}{_ERRAND}-{backend}"


def greeting(backend: str, *, dead: bool = False) -> str:
    return f"{DEAD if dead else ''}{_GREETING}-{backend}"


def _run_errand(ask: Ask) -> Say | Fault:
    results = [part.text for turn in ask.turns for part in turn.parts if isinstance(part, Result)]
    if results:
        return Say((Words(f"It says: {results[-1]}"),), spent=Spent(2000, 50, cached=1000))
    tools = {tool.name for tool in ask.tools}
    folder = _folder(ask)
    calls = {
        "exec_command": {"cmd": f"cat {FILE}"},
        "Read": {"file_path": f"{folder}/{FILE}"},
        "read": {"path": FILE},
    }
    for name, arguments in calls.items():
        if name in tools:
            return Say((Words("I shall look. "), Call("call_9z", name, arguments)), "tools")
    return Say((Words(HELLO),))


def _folder(ask: Ask) -> str:
    # Claude Code only takes whole paths; the prompt has it.
    said = " ".join(part.text for turn in ask.turns for part in turn.parts if isinstance(part, Words))
    found = _WHERE.search(said)
    return found[1] if found else ""


def _greet(_ask: Ask) -> Say | Fault:
    return Say((Words(HELLO),))


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Yard]:
    """Start all of it, and stop it."""
    server = Server({dialect: Place(dialect) for dialect in DIALECTS}, {_ERRAND: _run_errand, _GREETING: _greet})
    await server.start()
    objects = _objects(server.port, free_port())
    async with started(folder, yaml.safe_dump_all(objects, allow_unicode=True)) as program:
        names = {one["spec"]["modelName"] for one in objects if one["kind"] == "ModelRoute"}
        await ready(program, names)
        yield Yard(server, program)
    server.stop()


def _objects(port: int, closed: int) -> list[Any]:
    objects = [_provider("gone", closed, "gone", list(_NATIVE.values()))]
    for backend in DIALECTS:
        objects.append(_provider(backend, port, backend, [_NATIVE[backend]]))
        for model in (_ERRAND, _GREETING):
            target = {"provider": backend, "model": model}
            objects.append(_route(f"{model}-{backend}", target))
            objects.append(_route(f"{DEAD}{model}-{backend}", {"provider": "gone", "model": model}, target))
    return objects


def _provider(name: str, port: int, path: str, api: list[str]) -> Any:
    model = {"reasoning": True, "input": ["text", "image"], "contextWindow": 200_000, "maxTokens": 16_384}
    spec = {
        "type": "OpenAICompatible",
        "endpoint": {"baseUrl": f"http://127.0.0.1:{port}/at/{path}/v1"},
        "api": api,
        "discovery": "Static",
        "models": [{"id": one, **model} for one in (_ERRAND, _GREETING)],
        "probe": {"mode": "None"},
        "dataPolicy": {"location": "OnPremises"},
    }
    return {"apiVersion": _API, "kind": "ModelProvider", "metadata": {"name": name}, "spec": spec}


def _route(name: str, *chain: Any) -> Any:
    spec = {"modelName": name, "primary": chain[0], "fallbacks": list(chain[1:])}
    return {"apiVersion": _API, "kind": "ModelRoute", "metadata": {"name": name}, "spec": spec}
