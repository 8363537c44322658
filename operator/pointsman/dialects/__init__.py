"""The wire formats, one file each. A new one is a file and a line in `ALL`; `services` are what else is passed on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

from pointsman.dialects import chat, messages, responses, services
from pointsman.names import Dialect

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from msgspec import Raw

    from pointsman.dialects.services import Service
    from pointsman.dialects.told import Json, Said, Told
    from pointsman.exchange import Failure, Head, Signal, Usage
    from pointsman.sse import Frame
    from pointsman.table import Model, Provider


class Scanner(Protocol):
    """Follows one streamed answer for the commit point and the end.

    `feed` gives CALL for the first frame of a tool call and for every later one with data, up to the TERMINAL: none of
    them may be passed on before that. `usage` is what the answer has said so far that it cost.
    """

    @property
    def usage(self) -> Usage | None: ...

    @property
    def ending(self) -> bool: ...
    def go_on(self) -> None: ...
    def quiet(self, run: bytes) -> bool: ...
    def feed(self, frame: Frame) -> Signal | Failure: ...
    def closing(self) -> bytes | None: ...


class Wire(Protocol):
    """What a dialect's module provides."""

    @property
    def PATH(self) -> str: ...  # noqa: N802 - a module's constant
    @property
    def Scanner(self) -> Callable[[Head], Scanner]: ...  # noqa: N802 - a module's class

    def read_head(self, body: bytes) -> Head: ...
    def with_model(self, fields: dict[str, Raw], model: Model, provider: Provider) -> tuple[bytes, tuple[str, ...]]: ...
    def read_whole(self, status: int, body: bytes) -> Failure | Usage | None: ...
    def whole_ok(self, status: int, body: bytes) -> Failure | None: ...
    def read_error(self, status: int, body: bytes, retry_after: float = 0.0) -> Failure: ...
    def read_usage(self, body: bytes) -> Usage | None: ...
    def is_error(self, body: bytes) -> bool: ...
    def write_error(self, status: int, code: str, message: str, extra: Mapping[str, Any] | None = None) -> bytes: ...
    def write_stream_error(self, status: int, code: str, message: str, told: Told | None = None) -> bytes: ...
    def said(self, event: Json) -> Said | None: ...
    def resaid(self, event: Json, texts: Mapping[str, str]) -> Json: ...


ALL: Final[dict[Dialect, Wire]] = {
    Dialect.CHAT: chat,
    Dialect.RESPONSES: responses,
    Dialect.MESSAGES: messages,
}

WIRES: Final[dict[Dialect | Service, Wire]] = dict([*ALL.items(), *services.ALL.items()])
"""All that is passed on: dialects, which are translated into each other, and services, which are not."""

_PATHS: Final[dict[str, Dialect | Service]] = {
    path: dialect
    for dialect, module in ALL.items()
    # With and without /v1: clients put it into the base URL or leave it out.
    for path in (module.PATH, module.PATH.removeprefix("/v1"))
} | services.PATHS


def for_path(path: str) -> Dialect | Service | None:
    """What is asked for at a path, given without query; None: nothing is."""
    return _PATHS.get(path)
