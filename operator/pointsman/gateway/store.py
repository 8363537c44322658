"""Responses that clients can go on from by `previous_response_id`: in the memory of one process, bounded, opt-in.

What was used least recently goes first when there is no room, and everything goes when it is too old. A conversation's
items are kept once, however many of its responses are. The id is a secret of 192 random bits: who knows it can read the
conversation and go on with it, as at OpenAI within one key.
"""

from __future__ import annotations

import secrets
from collections import Counter, OrderedDict, deque
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs

import msgspec

from pointsman.dialects import capture, responses, stored
from pointsman.exchange import STATE, BadRequestError
from pointsman.gateway.answers import Answer
from pointsman.table import Fence

if TYPE_CHECKING:
    from pointsman.dialects.stored import Entry, Items, Turn
    from pointsman.exchange import Head

PREFIXES: Final = ("/v1/responses/", "/responses/")
METHODS: Final = frozenset({b"GET", b"HEAD", b"DELETE", b"OPTIONS"})
NOT_FOUND: Final = "previous_response_not_found"
SECONDS: Final = 3600.0
_OWN: Final = 1024  # bytes that an entry costs beside its items and its response
_PAGE: Final = 100  # items at most in a page of input items
_NOWHERE: Final = ("none",)  # a location, or region, that no provider has
_ITEMS: Final = "/input_items"
_ALLOW: Final = b"allow: GET, HEAD, DELETE, OPTIONS\r\n"


class UnknownResponseError(BadRequestError):
    """A request goes on from a response that is not kept."""


class Store:
    """State: entries by id, least recently used first; how many of them each list of items is part of; their bytes."""

    def __init__(self, limit: int, seconds: float = SECONDS) -> None:
        """`limit`: bytes in all; 0: nothing is kept. `seconds`: after which an entry is forgotten."""
        self.limit, self.seconds = limit, seconds
        self.size = 0
        self._entries: OrderedDict[str, Entry] = OrderedDict()
        self._ages: deque[tuple[float, str]] = deque()  # in the order of their making
        self._uses: Counter[Items] = Counter()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, ident: str, now: float) -> Entry | None:
        """The entry of that id, which is then the one used last; None: there is none, or none any more."""
        self.expire(now)
        entry = self._entries.get(ident)
        if entry is not None:
            self._entries.move_to_end(ident)
        return entry

    def put(self, ident: str, entry: Entry) -> bool:
        """Keep an entry; False: it alone is larger than all that may be kept. `entry.at` is never before the last's."""
        self.expire(entry.at)
        if _cost(entry) + sum(len(part.text) for part in entry.items) > self.limit:
            return False
        self._entries[ident] = entry
        self._ages.append((entry.at, ident))
        self.size += _cost(entry)
        for part in entry.items:
            if not self._uses[part]:
                self.size += len(part.text)
            self._uses[part] += 1
        while self.size > self.limit:
            self.drop(next(iter(self._entries)))
        return True

    def drop(self, ident: str) -> bool:
        """Forget an entry; False: there is none."""
        entry = self._entries.pop(ident, None)
        if entry is None:
            return False
        self.size -= _cost(entry)
        for part in entry.items:
            self._uses[part] -= 1
            if not self._uses[part]:
                self.size -= len(part.text)
                del self._uses[part]
        return True

    def expire(self, now: float) -> None:
        """Forget what is too old. To be called now and then, so that it is not only forgotten when asked for."""
        while self._ages and self._ages[0][0] + self.seconds <= now:
            self.drop(self._ages.popleft()[1])
        if len(self._ages) > 2 * len(self._entries) + 64:  # most were dropped before their time
            self._ages = deque((at, ident) for at, ident in self._ages if ident in self._entries)


class Keeping:
    """One answer that is to be kept, or goes on from one that was. State: its capture."""

    __slots__ = ("_capture", "_fence", "_ident", "_store", "_turn")

    def __init__(self, store: Store, turn: Turn, fence: Fence | None, *, wanted: bool) -> None:
        self._store, self._turn, self._fence = store, turn, fence
        self._ident = f"resp_{secrets.token_hex(24)}" if wanted else ""
        self._capture = capture.Capture(self._ident, turn)

    def feed(self, run: bytes) -> bytes:
        """Frames on their way to the client, as they are to be sent."""
        return self._capture.feed(run)

    def whole(self, body: bytes) -> bytes:
        """A whole answer on its way to the client, as it is to be sent."""
        return self._capture.whole(body)

    def finish(self, now: float) -> None:
        """The client was sent all of a good answer: keep it, before it can ask to go on."""
        response = self._capture.response
        entry = stored.taken(self._turn, response, self._fence, now) if self._ident and response else None
        if entry is not None:
            self._store.put(self._ident, entry)


def join(store: Store, head: Head, fence: Fence | None, now: float) -> tuple[Head, Fence | None, Keeping | None]:
    """A request with the conversation that it goes on from, the fence that holds for it, and what keeps its answer.

    `fence`: the request's own; that of earlier ones holds as well. BadRequestError: no such response, or a bad field.
    """
    named, wanted = stored.previous(head.fields), stored.wanted(head.fields)
    vendors = stored.elsewhere(head.fields)
    if named and vendors:
        raise BadRequestError(f"{stored.PREVIOUS!r} cannot go with {vendors!r}, which only the vendor itself keeps")
    if vendors or not (named or wanted):
        return head, fence, None
    entry = store.get(named, now) if named else None
    if named and entry is None:
        raise UnknownResponseError(_unknown(store, named))
    fields, turn = stored.expand(head.fields, entry)
    if stored.refers(turn):
        head = msgspec.structs.replace(head, needs=head.needs | STATE)
    if entry is not None:
        size = head.size + sum(len(part.text) + 1 for part in turn.before)
        head, fence = msgspec.structs.replace(head, fields=fields, size=size), narrowed(fence, entry.fence)
    return head, fence, Keeping(store, turn, fence, wanted=wanted)


def refusal(error: BadRequestError) -> Answer:
    """What is said of a request that cannot be joined."""
    if isinstance(error, UnknownResponseError):
        body = responses.write_error(400, NOT_FOUND, str(error), {"param": stored.PREVIOUS})
        return Answer(400, NOT_FOUND, body)
    return _invalid(str(error))


def narrowed(first: Fence | None, second: Fence | None) -> Fence | None:
    """The fence that allows what both allow."""
    if first is None or second is None:
        return second if first is None else first
    return Fence(_common(first.locations, second.locations), _common(first.regions, second.regions))


def answer(store: Store, method: bytes, path: str, query: str, now: float) -> Answer:
    """GET and DELETE of /v1/responses/ID, and GET of its /input_items."""
    prefix = next(prefix for prefix in PREFIXES if path.startswith(prefix))
    ident, slash, rest = path.removeprefix(prefix).partition("/")
    if method == b"OPTIONS":
        return Answer(204, "", b"", _ALLOW, b"text/plain; charset=utf-8")
    entry = store.get(ident, now)
    if entry is None or (slash and f"/{rest}" != _ITEMS):
        message = f"Response with id {ident[:100]!r} not found: {_kept(store)}"
        return Answer(404, "not_found", responses.write_error(404, "not_found", message))
    if slash:
        return _page(method, entry, query)
    if method == b"DELETE":
        store.drop(ident)
        return _json({"id": ident, "object": "response", "deleted": True})
    if parse_qs(query).get("stream", ["false"])[-1].lower() not in {"false", "0"}:
        return _invalid("stream=true: a kept response is not told as a stream; ask without it")
    return Answer(200, "", entry.response)


def _page(method: bytes, entry: Entry, query: str) -> Answer:
    asked = {name: values[-1] for name, values in parse_qs(query).items()}
    limit = asked.get("limit", "20")
    if method == b"DELETE":
        return Answer(405, "method_not_allowed", responses.write_error(405, "method_not_allowed", "not here"), _ALLOW)
    if not limit.isdigit() or not 1 <= int(limit[:9]) <= _PAGE:
        return _invalid(f"limit={limit[:20]!r}: a number from 1 to {_PAGE}")
    try:
        body = stored.page(entry, limit=int(limit), order=asked.get("order", ""), after=asked.get("after", ""))
    except BadRequestError as error:
        return _invalid(str(error))
    return Answer(200, "", body)


def _invalid(message: str) -> Answer:
    return Answer(400, "invalid_request", responses.write_error(400, "invalid_request", message))


def _json(value: object) -> Answer:
    return Answer(200, "", msgspec.json.encode(value))


def _unknown(store: Store, ident: str) -> str:
    return (
        f"Previous response with id {ident[:100]!r} not found: {_kept(store)}. "
        "Send the items of the conversation in 'input' instead"
    )


def _kept(store: Store) -> str:
    if not store.limit:
        return "this gateway keeps no responses (start it with --store-bytes)"
    return (
        f"each gateway process keeps its own responses in memory, for {store.seconds:g} s and in {store.limit} bytes "
        "at most, and forgets them when it restarts; with store: false none is kept"
    )


def _cost(entry: Entry) -> int:
    return _OWN + len(entry.response) + 8 * len(entry.asked)


def _common(first: tuple[str, ...], second: tuple[str, ...]) -> tuple[str, ...]:
    if not first or not second:
        return first or second
    # An empty tuple would allow all.
    return tuple(name for name in first if name in second) or _NOWHERE
