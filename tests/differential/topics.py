"""An input: a case, by a client's dialect, of a vendor's, whole or streamed; and which of them there are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final

from differential.backend import Raw
from differential.facts import Fact
from matrix.cases import Case
from matrix.cells import Cell
from matrix.speech import CHAT, DIALECTS, MESSAGES, RESPONSES, Ask, Fault, Say, Words

Json = Any
BOTH: Final = (False, True)
WHOLE: Final = (False,)
STREAMED: Final = (True,)
PAIRS: Final = tuple((client, backend) for client in DIALECTS for backend in DIALECTS if client != backend)
_MODELS: Final = {CHAT: "gpt-4.1", RESPONSES: "gpt-4.1", MESSAGES: "claude-sonnet-4-6"}
_REASONING: Final = {CHAT: "gpt-5.1", RESPONSES: "gpt-5.1", MESSAGES: "claude-sonnet-4-6"}


@dataclass(frozen=True)
class Topic:
    """`facts` hold besides what any answer must keep to. `asks`: by client, where it is not the same for all.

    `may_refuse`: no is an answer, silence is not. `by_facts`: only they judge, as the matrix' own words cannot say
    what is asked or answered here. `again`: the answer goes back with results of its calls, and the second is judged.
    """

    name: str
    title: str
    ask: Ask
    says: tuple[Say | Fault | Raw, ...] = (Say((Words("Yes."),)),)
    clients: tuple[str, ...] = DIALECTS
    backends: tuple[str, ...] = DIALECTS
    modes: tuple[bool, ...] = BOTH
    facts: tuple[Fact, ...] = ()
    at: dict[str, tuple[Fact, ...]] = field(default_factory=dict)
    asks: dict[str, Ask] = field(default_factory=dict)
    raw: dict[str, tuple[Raw, ...]] = field(default_factory=dict)
    may_refuse: bool = False
    by_facts: bool = False
    again: bool = False
    cut: int = -1
    fault: bool = False
    model: str = ""
    reasons: bool = False


@dataclass(frozen=True)
class Input:
    """One of them. `slug` names its place at the vendors, its model at the gateways."""

    topic: Topic
    client: str
    backend: str
    stream: bool

    @property
    def slug(self) -> str:
        return f"{self.topic.name}-{self.client}-{self.backend}-{'streamed' if self.stream else 'whole'}"

    @property
    def ask(self) -> Ask:
        return replace(self.topic.asks.get(self.client, self.topic.ask), stream=self.stream)

    @property
    def model(self) -> str:
        if self.topic.model and self.backend == MESSAGES:
            return self.topic.model
        return (_REASONING if self.ask.thinks or self.topic.reasons else _MODELS)[self.backend]

    @property
    def says(self) -> tuple[Say | Fault | Raw, ...]:
        return self.topic.raw.get(self.backend, self.topic.says)

    @property
    def facts(self) -> tuple[Fact, ...]:
        return (*self.topic.facts, *self.topic.at.get(self.backend, ()))

    @property
    def cell(self) -> Cell:
        """It as the matrix has it, for its judges."""
        says = tuple(say for say in self.says if isinstance(say, Say | Fault))
        case = Case(self.topic.name, self.topic.title, self.ask, says, vendor=True)
        return Cell(case, self.client, self.backend, self.stream)


def inputs(topics: tuple[Topic, ...]) -> Iterator[Input]:
    """Each topic by each pair of dialects that it is for."""
    for topic in topics:
        for client, backend in PAIRS:
            if client in topic.clients and backend in topic.backends:
                made = [Input(topic, client, backend, stream) for stream in topic.modes]
                # These LiteLLM takes to Responses, whatever it is told.
                yield from (one for one in made if not (one.ask.thinks and (client, backend) == (MESSAGES, CHAT)))


__all__ = ["CHAT", "MESSAGES", "RESPONSES", "Input", "Topic", "inputs"]
