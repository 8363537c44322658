"""A request of one dialect for a target of another, and the target's answer back.

    a client's fields ──read──▶ Request ──seals.only, write──▶ the target's fields ──with_model──▶ its body
    its frames ──Scanner, as of any stream──▶ StreamReader ──seals.signed──▶ StreamWriter ──▶ frames for the client

A request is read once, and written anew for each target. A stream of the client's own dialect that lacks what the
dialect promises is read and written anew in the same way, its request passed through as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from pointsman import dialects
from pointsman.dialects import aliases, codecs, features, seals
from pointsman.dialects.idents import Idents
from pointsman.exchange import BadRequestError, Usage
from pointsman.names import Dialect
from pointsman.neutral import (
    Begun,
    Ended,
    Foreign,
    Grew,
    Loss,
    Opened,
    Refusal,
    Refused,
    Request,
    StreamError,
    Text,
    ToolCall,
)  # fmt: skip
from pointsman.sse import frames

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pointsman.neutral import Event, Part
    from pointsman.table import Model, Provider

UNREADABLE = "unreadable"
"""The reason of targets of another dialect when the request cannot be read in its own."""

_ENCODE = msgspec.json.Encoder().encode


class Translation:
    """A client's request in the words of any target. State: what was read of it, and what each target may be told.

    `drop_tools`: tools that only the vendor of the client's dialect has are left out for targets of others, and named.
    """

    __slots__ = ("_drop_tools", "_fields", "_losses", "_request", "_told", "home")

    def __init__(self, home: Dialect, fields: Mapping[str, Raw], *, drop_tools: bool = False) -> None:
        self.home = home
        self._fields = fields
        self._drop_tools = drop_tools
        self._request: Request | None = None
        self._told: dict[tuple[Dialect, str], tuple[Request, tuple[str, ...]]] = {}
        self._losses: dict[tuple[Dialect, str, str], Loss] = {}

    @property
    def request(self) -> Request:
        """The request in no dialect's words. BadRequestError: it cannot be read."""
        if self._request is None:
            self._request = codecs.ALL[self.home].read_request(self._fields)
        return self._request

    def loss(self, dialect: Dialect, model: Model, provider: Provider) -> Loss:
        """What of the request a target is not told when it is asked in this dialect."""
        key = (dialect, provider.name, model.id)
        loss = self._losses.get(key)
        if loss is None:
            loss = self._losses[key] = self._loss(dialect, model, provider)
        return loss

    def _loss(self, dialect: Dialect, model: Model, provider: Provider) -> Loss:
        try:
            request, left_out = self._for(dialect, provider)
            loss = codecs.ALL[dialect].loss(request, model, provider)
        except BadRequestError as error:
            return Loss(refused=(Refused(UNREADABLE, str(error)),))
        return replace(loss, dropped=(*left_out, *loss.dropped)) if left_out else loss

    def fields(self, dialect: Dialect, model: Model, provider: Provider) -> dict[str, Raw]:
        """The fields of the request in a dialect, not yet fitted to the target."""
        written = codecs.ALL[dialect].write_request(self._for(dialect, provider)[0], model, provider)
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

    def _for(self, dialect: Dialect, provider: Provider) -> tuple[Request, tuple[str, ...]]:
        """The request as a target may be told of it, and the names of the tools that it is not told of."""
        told = self._told.get((dialect, provider.name))
        if told is None:
            told = self._told[dialect, provider.name] = self._tell(dialect, provider)
        return told

    def _tell(self, dialect: Dialect, provider: Provider) -> tuple[Request, tuple[str, ...]]:
        request = seals.only(self.request, provider.name, dialect)
        if dialect is self.home:
            return request, ()
        request = aliases.told(request, dialect)
        return features.without_hosted(request) if self._drop_tools else (request, ())


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
        what = _lost(reply.parts, self.home)
        if what and not any(map(_says, reply.parts)):
            raise ValueError(f"an answer of nothing but {what}, which cannot be carried over")
        idents = Idents(self.request, reply.id, reply.created, self.now)
        known = aliases.names(self.request)
        reply = replace(reply, parts=tuple(idents.named(aliases.back(part, known)) for part in reply.parts))
        return codecs.ALL[self.home].write_reply(reply, self.request, self.now)

    def translator(self) -> Translator:
        """What translates a stream for the client."""
        return Translator(self)


class Translator:
    """A target's stream in the client's dialect. State: the reader's and the writer's; whether it has spoken.

    What it has said, and what of it cannot be said in the client's dialect.
    """

    __slots__ = (
        "_idents", "_lost", "_more", "_names", "_prompt", "_provider", "_read", "_says", "_way", "_write", "spoke",
    )  # fmt: skip

    def __init__(self, way: Crossing) -> None:
        reader = codecs.ALL[way.dialect].StreamReader()
        self._read, self._more = reader.feed, reader.more
        self._write = codecs.ALL[way.home].StreamWriter(way.request, way.now).feed
        self._provider, self._prompt, self._way = way.provider, way.prompt, way
        self._idents = Idents(way.request, "", 0, way.now)
        self._names = aliases.names(way.request)
        self._lost, self._says = "", False
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

    def more(self, run: bytes) -> bytes | None:
        """The same of one frame with more of a text and nothing else, as nearly all are; None: it may be another."""
        grew = self._more(run)
        return None if grew is None else self._write(grew)

    def _signed(self, event: Event) -> Event:
        if isinstance(event, Opened):
            self._says = self._says or _says(event.part)
            self._lost = self._lost or _lost((event.part,), self._way.home)
            event = replace(event, part=self._idents.named(aliases.back(event.part, self._names)))
        elif isinstance(event, Begun):
            self._idents = Idents(self._way.request, event.id, event.created, self._way.now)
            if event.usage is None and self._prompt:
                return replace(event, usage=Usage(self._prompt))
        elif isinstance(event, Ended) and self._lost and not self._says:
            raise StreamError(f"an answer of nothing but {self._lost}, which cannot be carried over")
        return seals.signed_event(event, self._provider)


def _says(part: Part) -> bool:
    """Whether the part is one of those for which a client asks. A stream's has no words yet when it opens."""
    return isinstance(part, Text | Refusal | ToolCall)


def _lost(parts: Iterable[Part], home: Dialect) -> str:
    """The kind of the first of the parts that a client of this dialect cannot be told of; "": there is none."""
    return next((part.kind for part in parts if isinstance(part, Foreign) and part.home is not home), "")
