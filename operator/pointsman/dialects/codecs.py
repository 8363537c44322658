"""How each dialect reads and writes the neutral exchange: eight plain functions and two classes a dialect."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from pointsman.dialects.chat import codec as chat_codec
from pointsman.dialects.messages import codec as messages_codec
from pointsman.dialects.responses import codec as responses_codec
from pointsman.names import Dialect

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from msgspec import Raw

    from pointsman.neutral import Event, Grew, Json, Loss, Reply, Request
    from pointsman.sse import Frame
    from pointsman.table import Model, Provider


class StreamReader(Protocol):
    """Follows a target's stream. State: which parts are open, what was said of the usage.

    `feed` gives what a frame means, of comments and unknown events nothing. StreamError: no event of the dialect, or
    one that has no place where it stands. The frame that ends the stream gives Closed for what is open, and Ended.
    """

    def feed(self, frame: Frame) -> list[Event]: ...

    def more(self, run: bytes) -> Grew | None:
        """What a run of frames amounts to if it is one, with more of the text that is open and nothing else.

        None: it may be anything, and is to be fed. This is what nearly every run is, at half the cost.
        """


class StreamWriter(Protocol):
    """Writes a stream for a client. State: which parts are open, identifiers, numbers of events.

    `feed` gives whole frames, maybe none: those of Begun may wait for the first part. Parts that grow at the same time
    come one after the other where the dialect knows no other way.
    """

    def feed(self, event: Event) -> bytes: ...


class Codec(Protocol):
    """What a dialect's codec provides.

    `read_request`: BadRequestError for what no target could answer, with the path. `write_request`: the fields of the
    body, `model` among them; what `loss` names is not in it. `read_reply`: ValueError for what is no answer. `now`:
    seconds of the epoch, for dialects that date an answer whose target does not. `request` is the client's own, as
    some dialects repeat it in the answer.
    """

    def read_request(self, fields: Mapping[str, Raw]) -> Request: ...
    def write_request(self, request: Request, model: Model, provider: Provider) -> dict[str, Json]: ...
    def loss(self, request: Request, model: Model, provider: Provider) -> Loss: ...
    def read_reply(self, body: bytes) -> Reply: ...
    def write_reply(self, reply: Reply, request: Request, now: int) -> bytes: ...
    @property
    def StreamReader(self) -> Callable[[], StreamReader]: ...  # noqa: N802 - a module's class
    @property
    def StreamWriter(self) -> Callable[[Request, int], StreamWriter]: ...  # noqa: N802 - a module's class


ALL: Final[dict[Dialect, Codec]] = {
    Dialect.CHAT: chat_codec,
    Dialect.RESPONSES: responses_codec,
    Dialect.MESSAGES: messages_codec,
}
