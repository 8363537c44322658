"""A request of one dialect for a target of another, and the target's answer back.

    a client's fields ──read──▶ Request ──seals.only, write──▶ the target's fields ──with_model──▶ its body
    its frames ──Scanner, as of any stream──▶ StreamReader ──seals.signed──▶ StreamWriter ──▶ frames for the client

A request is read once, and written anew for each target. A target whose streams do not keep to their own dialect is
read and written anew as well (`served.Kind.mended`), its request passed through as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from pointsman import dialects
from pointsman.dialects import codecs, seals
from pointsman.exchange import BadRequestError, Usage
from pointsman.names import Dialect
from pointsman.neutral import Begun, Grew, Loss, Refused, Request
from pointsman.sse import frames

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pointsman.neutral import Event
    from pointsman.table import Model, Provider

UNREADABLE = "unreadable"
"""The reason of targets of another dialect when the request cannot be read in its own."""

_ENCODE = msgspec.json.Encoder().encode


class Translation:
    """A client's request in the words of any target. State: what was read of it, once it has been."""

    __slots__ = ("_fields", "_request", "home")

    def __init__(self, home: Dialect, fields: Mapping[str, Raw]) -> None:
        self.home = home
        self._fields = fields
        self._request: Request | None = None

    @property
    def request(self) -> Request:
        """The request in no dialect's words. BadRequestError: it cannot be read."""
        if self._request is None:
            self._request = codecs.ALL[self.home].read_request(self._fields)
        return self._request

    def loss(self, dialect: Dialect, model: Model, provider: Provider) -> Loss:
        """What of the request a target is not told when it is asked in this dialect."""
        try:
            return codecs.ALL[dialect].loss(self._for(dialect, provider), model, provider)
        except BadRequestError as error:
            return Loss(refused=(Refused(UNREADABLE, str(error)),))

    def fields(self, dialect: Dialect, model: Model, provider: Provider) -> dict[str, Raw]:
        """The fields of the request in a dialect, not yet fitted to the target."""
        written = codecs.ALL[dialect].write_request(self._for(dialect, provider), model, provider)
        return {name: Raw(_ENCODE(value)) for name, value in written.items()}

    def body(self, dialect: Dialect, model: Model, provider: Provider) -> tuple[bytes, tuple[str, ...]]:
        """The request for a target, and the names of what it is not told."""
        fields = self.fields(dialect, model, provider)
        body, dropped = dialects.ALL[dialect].with_model(fields, model, provider)
        lost = self.loss(dialect, model, provider).dropped
        return body, (*lost, *(name for name in dropped if name not in lost))

    def crossing(self, dialect: Dialect, provider: str, now: int, prompt: int = 0) -> Crossing | None:
        """What brings a target's answer back; None: the request cannot be read, and so no answer be written to it."""
        try:
            return Crossing(self.home, dialect, self.request, provider, now, prompt)
        except BadRequestError:
            return None

    def _for(self, dialect: Dialect, provider: Provider) -> Request:
        return seals.only(self.request, provider.name, dialect)


class Crossing(msgspec.Struct, frozen=True):
    """The way of one attempt's answer back to the client. `now`: seconds of the epoch.

    `prompt`: about how many tokens the request has, for a dialect that tells so at the beginning; 0: not known.
    """

    home: Dialect
    dialect: Dialect  # of the target
    request: Request
    provider: str
    now: int
    prompt: int = 0

    def answer(self, body: bytes) -> bytes:
        """A whole answer for the client. ValueError: it is none."""
        reply = seals.signed(codecs.ALL[self.dialect].read_reply(body), self.provider)
        return codecs.ALL[self.home].write_reply(reply, self.request, self.now)

    def translator(self) -> Translator:
        """What translates a stream for the client."""
        return Translator(self)


class Translator:
    """A target's stream in the client's dialect. State: the reader's and the writer's; whether it has spoken."""

    __slots__ = ("_prompt", "_provider", "_read", "_write", "spoke")

    def __init__(self, way: Crossing) -> None:
        self._read = codecs.ALL[way.dialect].StreamReader().feed
        self._write = codecs.ALL[way.home].StreamWriter(way.request, way.now).feed
        self._provider, self._prompt = way.provider, way.prompt
        self.spoke = False  # the client has been given more than a preamble

    def feed(self, run: bytes) -> bytes:
        """Whole frames in, whole frames out, maybe none. StreamError: they are no answer."""
        written: list[bytes] = []
        for frame in frames(run):
            for event in self._read(frame):
                if isinstance(event, Grew):
                    self.spoke = True
                    written.append(self._write(event))
                else:
                    written.append(self._write(self._signed(event)))
        return b"".join(written)

    def _signed(self, event: Event) -> Event:
        if isinstance(event, Begun) and event.usage is None and self._prompt:
            return replace(event, usage=Usage(self._prompt))
        return seals.signed_event(event, self._provider)
