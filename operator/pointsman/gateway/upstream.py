"""The side towards the targets: connections, their pools, and the parsing of answers.

A connection carries one exchange at a time and calls it back:

    connected()                  a dialled connection stands
    whole(status, fields, body)  the answer has come in one piece
    answered(status, fields)     its head is here, and then
    received(body, last)         a piece of it; `last`: the answer is complete
    broke(message, stale)        no more will come; `stale`: a kept connection that had died before an answer began

An exchange that wants no more calls `drop`: what is under way is cut off at once, and the pool is none the poorer. If
that is because nothing came, it calls `blame` before, so that the next ones go to another replica.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from typing import TYPE_CHECKING, Any, Final, Protocol, cast
from urllib.parse import urlsplit

import httptools

from pointsman.failover import replicas
from pointsman.table import TableError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pointsman.table import Provider, Tls

IDLE: Final = 60.0  # seconds for which a connection is kept without use
HEAD_LIMIT: Final = 256 * 1024  # bytes of an answer's head

Fields = dict[bytes, bytes]


class Caller(Protocol):
    """What a connection calls back. `line` is where the exchange keeps what carries it now."""

    line: Connection | Dial | None

    def connected(self) -> None: ...
    def whole(self, status: int, fields: Fields, body: bytes) -> None: ...
    def answered(self, status: int, fields: Fields) -> None: ...
    def received(self, body: bytes, last: bool) -> None: ...
    def broke(self, message: str, stale: bool) -> None: ...


class Address:
    """One host and port, with its kept connections. State: the idle ones, how many are in use, when it last refused."""

    __slots__ = ("busy", "host", "idle", "port", "refused", "seed", "server_name", "tls")

    def __init__(self, host: str, port: int, tls: ssl.SSLContext | None, server_name: str) -> None:
        self.host, self.port = host, port
        self.tls, self.server_name = tls, server_name
        self.idle: list[Connection] = []
        self.busy = 0
        self.refused = float("-inf")
        self.seed = replicas.seed(host, port)

    def close(self) -> None:
        """Let go of the kept connections."""
        for connection in list(self.idle):
            connection.abandon()
        self.idle.clear()


class Connection(asyncio.Protocol):
    """One connection to a target. State: whose answer it reads, and how far that has come."""

    stands: Final = True  # there is a connection

    __slots__ = (
        "_address", "_complete", "_fields", "_head", "_keep", "_parser", "_parts", "_seen", "_status", "caller",
        "idle_since", "on_body", "on_header", "reused", "transport",
    )  # fmt: skip

    def __init__(self, address: Address) -> None:
        self._address = address
        self._fields: Fields = {}
        self._parts: list[bytes] = []
        # The parser calls these two straight into C: no Python frame for a header or a piece of body.
        self.on_header = self._fields.__setitem__
        self.on_body = self._parts.append
        self._parser = httptools.HttpResponseParser(self)
        self._head = self._complete = self._keep = False
        self._seen = self._status = 0
        self.caller: Caller | None = None
        self.transport: asyncio.Transport = cast("asyncio.Transport", None)  # until connection_made
        self.reused = False
        self.idle_since = 0.0

    def carry(self, caller: Caller, request: bytes) -> None:
        """Send a request and call back with what comes."""
        self.caller = caller
        caller.line = self
        self._head = self._complete = False
        self._seen = 0
        self._address.busy += 1
        self._fields.clear()
        self.transport.write(request)

    def blame(self) -> None:
        """Nothing came in time: this replica is not asked for a while when there are others."""
        self._address.refused = time.monotonic()

    def drop(self) -> None:
        """The caller wants no more: nothing less than closing stops a server from generating."""
        if self.caller is not None:
            self.caller = None
            self._address.busy -= 1
        self.transport.abort()

    def adopt(self, caller: Caller) -> None:
        """What is under way is this caller's from now on."""
        self.caller = caller

    def abandon(self) -> None:
        """Close an idle connection."""
        self.transport.close()

    def pause(self) -> None:
        if not self.transport.is_closing():
            self.transport.pause_reading()

    def resume(self) -> None:
        if not self.transport.is_closing():
            self.transport.resume_reading()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        caller = self.caller
        if caller is None:
            self.transport.abort()  # nobody asked
            return
        fresh = not self._head
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._fail(f"malformed HTTP: {error}")
            return
        if fresh:
            self._seen += len(data)
            if not self._head:
                if self._seen > HEAD_LIMIT:
                    self._fail(f"an answer's head of more than {HEAD_LIMIT} bytes")
                return
            if self._complete:
                parts = self._parts
                body = parts.pop() if len(parts) == 1 else self._take()
                self._release()
                caller.whole(self._status, self._fields, body)
                return
            caller.answered(self._status, self._fields)
            if self.caller is not caller:
                return
        if self._complete:
            body = self._take()
            self._release()
            caller.received(body, last=True)
        elif parts := self._parts:
            caller.received(parts.pop() if len(parts) == 1 else self._take(), False)

    def _take(self) -> bytes:
        parts = self._parts
        body = parts[0] if len(parts) == 1 else b"".join(parts)
        parts.clear()
        return body

    def _release(self) -> None:
        self.caller = None
        self._address.busy -= 1
        if self._keep and not self.transport.is_closing():
            self.reused = True
            self.idle_since = 0.0
            self._address.idle.append(self)
        else:
            self.transport.close()

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status < 200:  # an interim answer; the real one follows
            return
        if self._head:  # a second answer to one request
            raise ValueError("unasked answer")
        self._status = status
        self._head = True

    def on_message_complete(self) -> None:
        if self._head:
            self._complete = True
            self._keep = self._parser.should_keep_alive()  # to be asked here: the parser is about to forget
        else:
            self._fields.clear()

    def connection_lost(self, exc: Exception | None) -> None:
        caller, address = self.caller, self._address
        if caller is None:
            if self in address.idle:
                address.idle.remove(self)
            return
        fields = self._fields
        framed = field(fields, b"content-length") or field(fields, b"transfer-encoding")
        if self._head and not framed and exc is None:
            # Without a length the end of the connection is the end of the answer.
            self.caller = None
            address.busy -= 1
            caller.received(self._take(), last=True)
            return
        stale = self.reused and self._seen == 0
        self._fail("connection closed" if exc is None else f"connection lost: {exc}", stale=stale)

    def _fail(self, message: str, *, stale: bool = False) -> None:
        caller, self.caller = self.caller, None
        self._address.busy -= 1
        if not stale:
            self.blame()
        self.transport.abort()
        if caller is not None:
            caller.broke(message, stale)


def field(fields: Fields, name: bytes) -> bytes:
    """A field by its lower-case name; b"" when absent. Servers write names small or Like-This."""
    value = fields.get(name)
    if value is None:
        value = fields.get(name.title())
    if value is None:
        return next((value for other, value in fields.items() if other.lower() == name), b"")
    return value


class Dial:
    """A connection that is being made for a caller. State: its task."""

    stands: Final = False

    __slots__ = ("_address", "_caller", "_request", "_task")

    def __init__(self, address: Address, caller: Caller, request: bytes, loop: asyncio.AbstractEventLoop) -> None:
        self._address = address
        self._caller: Caller | None = caller
        self._request = request
        address.busy += 1  # a burst must not go to one replica because none of it is connected yet
        self._task = loop.create_task(self._connect(loop))

    def blame(self) -> None:
        """No connection in time: as a Connection's."""
        self._address.refused = time.monotonic()

    def drop(self) -> None:
        """The caller wants no more."""
        self._leave()
        self._task.cancel()

    def adopt(self, caller: Caller) -> None:
        """As a Connection's."""
        self._caller = caller

    def pause(self) -> None:
        """Nothing flows yet."""

    def resume(self) -> None:
        """As above."""

    async def _connect(self, loop: asyncio.AbstractEventLoop) -> None:
        address = self._address
        try:
            _, connection = await loop.create_connection(
                lambda: Connection(address),
                address.host,
                address.port,
                ssl=address.tls,
                server_hostname=(address.server_name or address.host) if address.tls else None,
            )
        except (OSError, ssl.SSLError, ssl.CertificateError, UnicodeError) as error:
            self.blame()
            caller = self._leave()
            if caller is not None:
                caller.broke(f"cannot connect to {address.host}:{address.port}: {error}", stale=False)
            return
        caller = self._leave()
        if caller is None:
            connection.abandon()
            return
        connection.carry(caller, self._request)
        caller.connected()

    def _leave(self) -> Caller | None:
        caller, self._caller = self._caller, None
        if caller is not None:
            self._address.busy -= 1
        return caller


class Backend:
    """A provider's replicas. State: the turn of the round robin."""

    __slots__ = ("_turn", "addresses", "only")

    def __init__(self, addresses: Sequence[Address]) -> None:
        self.addresses = tuple(addresses)
        self.only = self.addresses[0] if len(self.addresses) == 1 else None
        self._turn = 0

    def send(
        self, caller: Caller, request: bytes, loop: asyncio.AbstractEventLoop, *, fresh: bool = False, affinity: int = 0
    ) -> bool:
        """Send a request over a kept connection (True), or begin to make one (False, always when `fresh`).

        `affinity`: a number of the prompt's head, the same for prompts that begin alike; 0: none.
        """
        address = self.only
        if address is None:
            self._turn += 1
            address = replicas.pick(self.addresses, time.monotonic(), affinity, self._turn)
        idle = address.idle
        while idle and not fresh:
            connection = idle.pop()
            if not connection.transport.is_closing():
                connection.carry(caller, request)
                return True
        caller.line = Dial(address, caller, request, loop)
        return False


class Pools:
    """All addresses in use, kept over reloads of the table. State: them, and a TLS context for each way to verify."""

    __slots__ = ("_addresses", "_contexts")

    def __init__(self) -> None:
        self._addresses: dict[tuple[Any, ...], Address] = {}
        self._contexts: dict[Tls | None, ssl.SSLContext] = {}

    def backend(self, provider: Provider) -> Backend:
        """The provider's backend. TableError: its URL, addresses or certificates cannot be used."""
        try:
            url = urlsplit(provider.base_url)
            secure = {"http": False, "https": True}[url.scheme]
            default = (url.hostname or "", url.port or (443 if secure else 80))
            places = [_read_address(text) for text in provider.addresses] or [default]
            tls = self._context(provider.tls) if secure else None
        except (KeyError, ValueError, ssl.SSLError) as error:
            raise TableError(f"provider {provider.name!r}: {provider.base_url!r}: {error}") from error
        name = (provider.tls.server_name if provider.tls else "") or default[0]
        return Backend([self._address(host, port, tls, name) for host, port in places])

    def keep_only(self, backends: Sequence[Backend]) -> None:
        """Let go of addresses that no table names any more; exchanges on them run on."""
        wanted = {id(address) for backend in backends for address in backend.addresses}
        for key, address in list(self._addresses.items()):
            if id(address) not in wanted:
                self._addresses.pop(key).close()

    def sweep(self, now: float) -> None:
        """Close what has been idle for long. Idle since: the first sweep that saw it so."""
        for address in self._addresses.values():
            for connection in list(address.idle):
                if not connection.idle_since:
                    connection.idle_since = now
                elif now - connection.idle_since > IDLE:
                    connection.abandon()

    def close(self) -> None:
        for address in self._addresses.values():
            address.close()

    def _address(self, host: str, port: int, tls: ssl.SSLContext | None, name: str) -> Address:
        key = (host, port, id(tls), name)
        return self._addresses.setdefault(key, Address(host, port, tls, name))

    def _context(self, tls: Tls | None) -> ssl.SSLContext:
        # Reading the system's authorities takes 10 ms and more: once for each way to verify.
        if tls not in self._contexts:
            context = ssl.create_default_context(cadata=(tls.ca_bundle or None) if tls else None)
            if tls is not None and tls.insecure_skip_verify:
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
            context.set_alpn_protocols(["http/1.1"])
            self._contexts[tls] = context
        return self._contexts[tls]


def _read_address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)
