"""A cell: a case asked by one client of one backend, whole or streamed; and how it is driven."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any, Final

import anthropic
import openai

from matrix import client_chat, client_messages, client_responses
from matrix.cases import Case
from matrix.server import Seen, Server
from matrix.speech import CHAT, MESSAGES, RESPONSES, Ask, Got, Result, Turn

Json = Any
Run = Callable[[str, str, Ask], Awaitable[Got]]
_RUN: Final[dict[str, Run]] = {
    CHAT: client_chat.run, RESPONSES: client_responses.run, MESSAGES: client_messages.run,
}  # fmt: skip


VENDORS: Final = {CHAT: "gpt-5", RESPONSES: "gpt-5", MESSAGES: "claude-sonnet-4-6"}


@dataclass
class Cell:
    """State: what was got so far, by the model that was asked."""

    case: Case
    client: str
    backend: str
    stream: bool
    url: str = ""
    server: Server | None = None
    direct: bool = False  # ask the backend itself: what a client without a gateway sees
    got: list[Got] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The name of the model; a vendor's tells the generation, and so what it takes."""
        return f"{VENDORS[self.backend]}-{self._plain}" if self.case.vendor else self._plain

    @property
    def provider(self) -> str:
        """The provider that is to answer."""
        return f"vendor-{self.backend}" if self.case.vendor else self.backend

    @property
    def _plain(self) -> str:
        return f"{self.case.name}-{self.client}-{'streamed' if self.stream else 'whole'}"

    @property
    def route(self) -> str:
        return f"{self._plain}-{self.backend}"

    @property
    def chain(self) -> list[str]:
        """The providers of the route; those that fail are the cell's own, so that none rests for another's fault."""
        return [self.provider if one == "@" else f"{one}-{self.route}" for one in self.case.chain]

    def seen(self, provider: str = "") -> list[Seen]:
        """What the cell's backend, or another, was asked."""
        assert self.server is not None
        return self.server.seen[provider or self.provider, self.name]

    async def ask(self, ask: Ask, model: str = "") -> Got:
        """One request of the client's SDK."""
        run = client_messages.count if self.case.drive == "counted" else _RUN[self.client]
        got = await _asked(
            run, self.url, model or (self.name if self.direct else self.route), replace(ask, stream=self.stream)
        )
        self.got.append(got)
        return got

    async def drive(self) -> None:
        """The case's requests, one after the other."""
        if self.case.drive == "seals":
            await self._seals()
        else:
            await self.ask(self.case.ask)

    async def _seals(self) -> None:
        first = await self.ask(self.case.ask)
        if first.error:
            return
        results = tuple(Result(call.id, "done") for call in first.calls)
        turns = (*self.case.ask.turns, Turn("assistant", (first.native,)), Turn("user", results))
        again = replace(self.case.ask, turns=turns)
        await self.ask(again)
        await self.ask(again, f"{self.backend}-b/{self.name}")


async def _asked(run: Run, url: str, model: str, ask: Ask) -> Got:
    try:
        return await run(url, model, ask)
    except (openai.APIError, anthropic.APIError) as error:
        return _failed(error)
    except Exception as error:  # noqa: BLE001 - whatever an SDK makes of a bad answer is told of the cell
        return Got(error=type(error).__name__, message=str(error)[:300])


def _failed(error: openai.APIError | anthropic.APIError) -> Got:
    response = getattr(error, "response", None)
    fields = {} if response is None else response.headers
    return Got(
        error=type(error).__name__,
        message=f"{error.message} {error.body}",
        status=getattr(error, "status_code", 0),
        retry_after=fields.get("retry-after", ""),
        decision=fields.get("x-pointsman-decision", ""),
    )
