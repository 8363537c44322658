"""One gateway: the listening socket, the sweep, the reloads, and an orderly end.

SIGTERM drains: no new connection is taken, /-/readyz says so, kept connections close after their answer, and what is
still under way when the grace is over, or at a second SIGTERM, is told so inside its stream. Several workers share one
port (SO_REUSEPORT).
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import resource
import signal
import socket
from typing import TYPE_CHECKING, Final

import uvloop

from pointsman import address
from pointsman.gateway.crowd import Crowd
from pointsman.gateway.demand import Board
from pointsman.gateway.edge import Client
from pointsman.gateway.reload import PERIOD, Reloader
from pointsman.gateway.state import SWEEP, Options, State

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Options", "main", "serve"]

_BACKLOG: Final = 4096
_OWN_FILES: Final = 64  # for the log, the table, the listener, the loop and what the system's resolver opens
_HELD_UP: Final = 0.25  # seconds between two sweeps, from which on the process itself was kept from running
_SLOW_SWEEP: Final = 1.0  # seconds between two looks at idle connections


def main(options: Options) -> int:
    """Run until SIGTERM or SIGINT; the exit status."""
    if options.store_bytes < 0 or options.store_seconds <= 0:
        os.write(2, b"pointsman gateway: --store-bytes must be 0 or more, --store-seconds more than 0\n")
        return 2
    if options.workers > 1 and options.store_bytes:
        text = "each process keeps responses of its own, and a client's next request may reach another"
        os.write(2, f"pointsman gateway: --store-bytes needs --workers 1: {text}\n".encode())
        return 2
    if options.workers > 1:
        return _supervise(options)
    return _run(options)


async def serve(
    options: Options,
    stop: asyncio.Event,
    started: asyncio.Future[State] | None = None,
    hurry: asyncio.Event | None = None,
    board: Board | None = None,
) -> None:
    """Serve until `stop` is set, then drain, which `hurry` ends at once. `started` gets the state.

    OSError when the address cannot be had.
    """
    loop = asyncio.get_running_loop()
    state = State(options, loop)
    state.demand.board = board
    reloader = Reloader(state)
    reloader.look()
    sockets = [listen(options)]
    most = room()

    def meet() -> Client | Crowd:
        # An exchange may have one target's connection and, for a moment, that of the next.
        return Client(state) if len(state.clients) + 2 * len(state.exchanges) < most else Crowd(state)

    server = await loop.create_server(meet, sock=sockets[0], backlog=_BACKLOG)
    state.port = sockets[0].getsockname()[1]
    state.journal.event("listening", address=options.listen, port=state.port)
    sweeps = [asyncio.ensure_future(_sweep(state)), asyncio.ensure_future(_sweep_slowly(state, reloader))]
    if started is not None:
        started.set_result(state)
    try:
        await stop.wait()
        server.close()
        await drain(state, hurry or asyncio.Event())
    finally:
        server.close()
        for sweep in sweeps:
            sweep.cancel()
        await asyncio.gather(*sweeps, return_exceptions=True)
        close(state)


def listen(options: Options) -> socket.socket:
    """The listening socket. ValueError: not HOST:PORT. OSError: it cannot be had."""
    try:
        host, port = address.parse(options.listen)
    except ValueError as error:
        raise ValueError(f"--listen {error}") from None
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with contextlib.ExitStack() as stack:
        listening = stack.enter_context(socket.socket(family, socket.SOCK_STREAM))
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if options.workers > 1:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        try:
            listening.bind((host, port))
        except OSError as error:
            raise OSError(error.errno, f"cannot listen on {options.listen}: {error.strerror}") from None
        stack.pop_all()
        return listening


def room() -> int:
    """How many connections there may be, to clients and for exchanges together, before a client is turned away.

    An eighth of all files is kept for clients that are there already and begin to ask. Without files a target could not
    be reached, and would be taken for one that is down.
    """
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(8, files - files // 8 - _OWN_FILES) if files != resource.RLIM_INFINITY else 1 << 20


async def drain(state: State, hurry: asyncio.Event) -> None:
    """Let what is under way finish and be sent, within the grace and unless `hurry` is set; then say so and close."""
    state.draining = True
    state.journal.event("draining", requests=len(state.exchanges))
    for client in list(state.clients):
        if client.exchange is None and not client.reading:
            client.transport.close()
    end = state.loop.time() + state.options.grace
    # Looking is cheaper than an event that every request would have to set.
    while (state.busy() or _unsent(state)) and state.loop.time() < end and not hurry.is_set():  # noqa: ASYNC110
        await asyncio.sleep(SWEEP)
    for exchange in list(state.exchanges):
        exchange.cut()
    for asking in list(state.askings):
        asking.drop()
    await asyncio.sleep(0)


def _unsent(state: State) -> bool:
    return any(client.transport.get_write_buffer_size() for client in state.clients)


def close(state: State) -> None:
    """Close every connection and write the last lines."""
    for client in list(state.clients):
        client.transport.close()
    state.pools.close()
    state.journal.event("stopped", lost_lines=state.journal.lost)
    state.journal.flush()


async def _sweep(state: State) -> None:
    held_up = False
    while True:
        before = state.now
        await asyncio.sleep(SWEEP)
        state.tick()
        now = state.now
        # A process that did not run reads first what has come: nobody is late before the next look.
        held_up = now - before > _HELD_UP and not held_up
        for exchange in [exchange for exchange in state.exchanges if not held_up and exchange.deadline <= now]:
            exchange.late(now)
        state.journal.flush()
        state.metrics.sort_in()


async def _sweep_slowly(state: State, reloader: Reloader) -> None:
    while True:
        await asyncio.sleep(PERIOD)
        reloader.look()
        state.pools.sweep(state.now)
        state.store.expire(state.now)
        state.demand.share(state.exchanges, state.now)
        for client in list(state.clients):
            client.time_out(state.now)


def _run(options: Options, board: Board | None = None) -> int:
    async def body() -> None:
        stop, hurry = asyncio.Event(), asyncio.Event()
        loop = asyncio.get_running_loop()

        def end() -> None:
            (hurry if stop.is_set() else stop).set()

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, end)
        await serve(options, stop, hurry=hurry, board=board)

    _raise_files()
    gc.freeze()  # what was imported stays: the collector need not look at it again
    gc.set_threshold(50_000, 20, 20)
    try:
        uvloop.run(body())
    except (OSError, ValueError) as error:
        os.write(2, f"pointsman gateway: {error}\n".encode())
        return 1
    return 0


def _raise_files() -> None:
    """As many open files as the system lets us have: the usual 1024 are for programs that use select()."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _supervise(options: Options) -> int:
    """A process for each worker; when one ends by itself, all do, and whoever started us starts us again."""
    board = Board(options.workers)
    workers = [_fork(options, board, i) for i in range(options.workers)]
    stopping = False

    def stop(_number: int, _frame: object) -> None:
        nonlocal stopping
        stopping = True
        _signal(workers, signal.SIGTERM)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    worst = 0
    while workers:
        try:
            pid, status = os.wait()
        except InterruptedError:
            continue
        if pid in workers:
            workers.remove(pid)
            worst = worst or os.waitstatus_to_exitcode(status)
            if not stopping:
                stop(0, None)
                worst = worst or 1
    return 1 if worst else 0


def _fork(options: Options, board: Board, slot: int) -> int:
    pid = os.fork()
    if pid == 0:
        board.mine = slot
        os._exit(_run(options, board))
    return pid


def _signal(pids: Sequence[int], number: int) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
