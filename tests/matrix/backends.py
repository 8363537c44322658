"""The dialects of backends, each by what reads its requests and writes its answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple, Protocol

from matrix import (
    backend_chat,
    backend_messages,
    backend_responses,
    output_chat,
    output_messages,
    output_responses,
)
from matrix.reading import Complaints
from matrix.speech import CHAT, MESSAGES, RESPONSES, Ask, Fault, Say

Json = Any


class Events(Protocol):
    def __call__(self, say: Say, model: str, ident: str, *, until: int = -1) -> Iterator[tuple[str, Json]]: ...


class Backend(NamedTuple):
    path: str
    understand: Callable[[Json], tuple[Ask, Complaints]]
    whole: Callable[[Say, str, str], Json]
    events: Events
    fault: Callable[[Fault], Json]
    late: Callable[[Fault, str, str], tuple[str, Json]]


def _backend(asked: Any, said: Any) -> Backend:
    return Backend(asked.PATH, asked.understand, said.whole, said.events, said.fault, said.late)


ALL: Final = {
    CHAT: _backend(backend_chat, output_chat),
    RESPONSES: _backend(backend_responses, output_responses),
    MESSAGES: _backend(backend_messages, output_messages),
}
