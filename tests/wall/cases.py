"""A scenario, and one case of it: a chain of models, how it is asked, what must come of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from wall.answers import TOOL
from wall.client import Received, ask
from wall.frames import CHAT, MESSAGES, PATHS, RESPONSES
from wall.journal import Attempt, Place
from wall.reading import read
from wall.seen import Reading
from wall.server import Wall

Json = dict[str, Any]
PROMPT: Final = "Tell me of the yard."
PROMPT_TOKENS: Final = len(PROMPT.split()) + 1  # and the mark


class Form(NamedTuple):
    dialect: str
    streamed: bool

    @property
    def name(self) -> str:
        return f"{self.dialect}-{'streamed' if self.streamed else 'whole'}"


STREAMED: Final = tuple(Form(dialect, True) for dialect in (CHAT, RESPONSES, MESSAGES))
WHOLE: Final = tuple(Form(dialect, False) for dialect in (CHAT, RESPONSES, MESSAGES))
ALL: Final = tuple(Form(dialect, streamed) for dialect in (CHAT, RESPONSES, MESSAGES) for streamed in (True, False))


@dataclass(frozen=True)
class Scenario:
    """`chain`: the models of primary and fallbacks. `outside`: which of them (by place) are External."""

    ident: str
    title: str
    chain: tuple[str, ...]
    check: Callable[[Case], Iterable[str]]
    drive: Callable[[Case], Awaitable[None]]
    forms: tuple[Form, ...] = ALL
    policy: Json = field(default_factory=dict)  # the route's
    outside: tuple[int, ...] = ()
    headers: dict[str, str] = field(default_factory=dict)
    tools: bool = False
    hopeless: bool = False  # a cut that nothing may rescue
    limit: float = 60.0  # seconds that the client waits for an answer
    heavy: bool = False  # not beside another heavy one
    long: bool = False  # waits more than it works


class Asked(NamedTuple):
    """One request: its mark, what came, what that says."""

    mark: str
    received: Received
    reading: Reading


@dataclass
class Case:
    """A scenario in one form, against a running gateway."""

    scenario: Scenario
    form: Form
    wall: Wall
    port: int
    direct: bool = False  # ask the primary itself: what a client without a gateway sees
    asked: list[Asked] = field(default_factory=list)
    sent: int = 0

    @property
    def name(self) -> str:
        return f"{self.scenario.ident.lower()}-{self.form.name}"

    def provider(self, at: int) -> str:
        return f"{self.name}-{'abcdef'[at]}"

    def place(self, at: int) -> Place:
        return self.wall.places[self.provider(at)]

    def attempts(self, mark: str = "") -> list[Attempt]:
        """What came at the wall, in order; of one request, or of all."""
        places = [self.place(at) for at in range(len(self.scenario.chain))]
        found = [attempt for place in places for attempt in place.attempts if mark in {"", attempt.request}]
        return sorted(found, key=lambda attempt: attempt.at)

    async def ask(self, *, route: str = "", leave_after: int = 0) -> Asked:
        """One request, kept in `asked`."""
        self.sent += 1
        mark = f"wall:{self.name}#{self.sent}"
        model = self.scenario.chain[0] if self.direct else route or self.name
        body = request(self.form, model, mark, tools=self.scenario.tools)
        path = (f"/at/{self.provider(0)}/v1" if self.direct else "/v1") + PATHS[self.form.dialect]
        limit, headers = self.scenario.limit, self.scenario.headers
        received = await ask(self.port, path, body, limit, headers=headers, leave_after=leave_after)
        streamed = self.form.streamed
        reading = read(self.form.dialect, received, streamed=streamed) if received.status == 200 else Reading()
        asked = Asked(mark, received, reading)
        self.asked.append(asked)
        return asked


_PARAMETERS: Final[Json] = {
    "type": "object",
    "properties": {"track": {"type": "integer"}, "line": {"type": "string"}},
    "required": ["track"],
}


def request(form: Form, model: str, mark: str, *, tools: bool = False) -> Json:
    """What an SDK of the dialect would send."""
    turns = [{"role": "user", "content": f"{PROMPT} {mark}"}]
    body: Json = {"model": model, "input" if form.dialect == RESPONSES else "messages": turns}
    if form.dialect == MESSAGES:
        body["max_tokens"] = 1024
    if form.streamed:
        body["stream"] = True
    if form.streamed and form.dialect == CHAT:
        body["stream_options"] = {"include_usage": True}
    return body | ({"tools": [_tool(form.dialect)]} if tools else {})


def _tool(dialect: str) -> Json:
    described = {"name": TOOL, "description": "Set the points."}
    if dialect == CHAT:
        return {"type": "function", "function": {**described, "parameters": _PARAMETERS}}
    if dialect == RESPONSES:
        return {"type": "function", **described, "parameters": _PARAMETERS}
    return {**described, "input_schema": _PARAMETERS}
