"""What the parts of one gateway process share, and nothing else does."""

from __future__ import annotations

import itertools
import secrets
import time
from dataclasses import dataclass
from email.utils import formatdate
from typing import TYPE_CHECKING, Final

from pointsman.failover.context import Windows
from pointsman.failover.health import Health
from pointsman.failover.limits import Limits, Queue
from pointsman.failover.pace import Pace
from pointsman.gateway.demand import Demand
from pointsman.gateway.journal import Journal
from pointsman.gateway.keeping import Keeper
from pointsman.gateway.metrics import Metrics
from pointsman.gateway.store import SECONDS, Store
from pointsman.gateway.upstream import Pools

if TYPE_CHECKING:
    import asyncio

    from pointsman.failover.limits import Ticket
    from pointsman.gateway.asking import Asking
    from pointsman.gateway.edge import Client
    from pointsman.gateway.relay import Exchange
    from pointsman.gateway.routing import Routing

SWEEP: Final = 0.05  # seconds between two looks at all deadlines: their resolution


@dataclass(frozen=True, slots=True)
class Options:
    """How a gateway is run. Bytes and seconds."""

    listen: str  # HOST:PORT
    table: str
    credentials: str = ""
    grace: float = 30.0  # for streams to finish after SIGTERM
    max_body: int = 32 * 1024 * 1024
    workers: int = 1
    header_time: float = 15.0  # for a request's head to come
    body_time: float = 120.0  # for its body
    idle_time: float = 300.0  # for a connection without a request
    store_bytes: int = 0  # of responses that are kept to go on from; 0: none are
    store_seconds: float = SECONDS  # after which one is forgotten


class State:
    """One gateway process."""

    def __init__(self, options: Options, loop: asyncio.AbstractEventLoop, journal: Journal | None = None) -> None:
        self.options = options
        self.loop = loop
        self.health = Health()
        self.pace = Pace()
        self.windows = Windows()
        self.limits = Limits()
        self.queue = Queue()
        self.waiting: dict[Ticket, Exchange] = {}  # who stands in the queue
        self.askings: set[Asking] = set()  # small questions under way
        self.keeper = Keeper()
        self.woken: dict[tuple[str, str], float] = {}  # provider, model -> when it was last asked to load
        self.metrics = Metrics()
        self.journal = journal or Journal()
        self.pools = Pools()
        self.store = Store(options.store_bytes, options.store_seconds)
        self.routing: Routing | None = None  # None: no table was ever loaded
        self.error = ""  # why the table on disk is not the one in force
        self.absent = False  # there is no table on disk, and never was
        self.draining = False
        self.port = 0  # where it listens, once it does
        self.exchanges: set[Exchange] = set()
        self.clients: set[Client] = set()
        self._ids = itertools.count(1)
        self._prefix = secrets.token_hex(6).encode()
        self.demand = Demand(time.monotonic())
        self.epoch = time.time() - time.monotonic()  # what makes a monotonic time one of the calendar
        self.tick()

    def tick(self) -> None:
        """Look at the clocks: `now` is monotonic and as coarse as the sweep, `date` is the HTTP field's value."""
        self.now = time.monotonic()
        self.windows.age(self.now)
        date = formatdate(usegmt=True).encode()
        self.opening = (  # of a good answer in one piece, up to its length
            b"HTTP/1.1 200 OK\r\ndate: %b\r\ncontent-type: application/json\r\ncontent-length: " % date
        )
        self.date = date

    def busy(self) -> bool:
        """Whether a request is under way or coming in."""
        return bool(self.exchanges) or any(client.reading or client.exchange is not None for client in self.clients)

    def new_id(self) -> bytes:
        """A request id that no other process gives."""
        return b"%b-%x" % (self._prefix, next(self._ids))
