"""Keeps the table and the credentials in force those that lie in the mounted files.

Kubernetes changes a mount by swapping the symlink `..data`; others rename a new file over the old. Either way the file
that the path leads to is another one, which a `stat` every half second sees. What cannot be read or used leaves the
last good table in force, and says so.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pointsman import table as tables
from pointsman.gateway.routing import Routing
from pointsman.table import TableError

if TYPE_CHECKING:
    from pointsman.gateway.state import State
    from pointsman.table import Provider

PERIOD: Final = 0.5  # seconds between two looks
_CREDENTIAL_LIMIT: Final = 64 * 1024  # bytes

Mark = tuple[object, ...]


class Reloader:
    """State: the marks of the files as they were when last read, and the credentials that were in them."""

    __slots__ = ("_credentials", "_folder", "_folder_mark", "_state", "_table", "_table_mark")

    def __init__(self, state: State) -> None:
        self._state = state
        self._table = Path(state.options.table)
        self._folder = Path(state.options.credentials) if state.options.credentials else None
        self._table_mark: Mark = ()
        self._folder_mark: Mark = ()
        self._credentials: dict[str, str] = {}

    def look(self) -> None:
        """Read what has changed since the last look."""
        table_mark, folder_mark = _mark(self._table), _folder_mark(self._folder)
        if (table_mark, folder_mark) == (self._table_mark, self._folder_mark):
            return
        renewed = self._read_credentials() if folder_mark != self._folder_mark else frozenset()
        self._table_mark, self._folder_mark = table_mark, folder_mark
        try:
            self._put_in_force(tables.load(self._table.read_bytes()), renewed)
        except FileNotFoundError as error:
            self._await(f"{self._table}: {error.strerror}")
        except (OSError, TableError) as error:
            self._keep(f"{self._table}: {error}" if isinstance(error, OSError) else str(error))

    def _put_in_force(self, table: tables.RoutingTable, renewed: frozenset[str]) -> None:
        state = self._state
        routing = Routing(table, self._credentials, state.pools, state.metrics, state.pace, state.demand)
        old = state.routing
        for provider in table.providers:
            before = old.providers.get(provider.name) if old is not None else None
            if provider.credential in renewed or (before is not None and _moved(before, provider)):
                state.health.forget(provider.name)
                state.windows.forget(provider.name)
                state.pace.forget(provider.name)
            elif before is not None and before.state == "Down" and provider.state == "Up":
                state.health.recovered(provider.name, state.now)
        state.routing = routing
        state.limits.bind(table.providers)
        state.demand.bind(table.providers, state.now)
        state.error, state.absent = "", False
        state.metrics.last_load = time.time()
        state.pools.keep_only([place.backend for place in routing.places.values()])
        state.journal.event("table loaded", hash=table.hash, routes=len(table.routes), providers=len(table.providers))

    def _await(self, error: str) -> None:
        state = self._state
        if state.routing is not None:
            self._keep(error)
        elif error != state.error:
            state.error, state.absent = error, True
            state.journal.event("waiting for a table", error=error)

    def _keep(self, error: str) -> None:
        state = self._state
        state.absent = False
        if error != state.error:
            kept = "the last good one stays in force" if state.routing is not None else "and there was none before"
            state.journal.event(f"table not loaded, {kept}", error=error)
        state.error = error
        state.metrics.load_failures.n += 1

    def _read_credentials(self) -> frozenset[str]:
        """Read the folder; gives the names of those that are new or have changed."""
        found: dict[str, str] = {}
        for file in sorted(self._folder.iterdir()) if self._folder is not None and self._folder.is_dir() else ():
            if file.name.startswith(".") or not file.is_file():
                continue
            try:
                found[file.name] = file.read_bytes()[:_CREDENTIAL_LIMIT].decode("latin-1").strip()
            except OSError as error:
                self._state.journal.event("credential not read", file=file.name, error=str(error))
        renewed = frozenset(name for name, value in found.items() if self._credentials.get(name) != value)
        self._credentials = found
        return renewed


def _moved(before: Provider, after: Provider) -> bool:
    return (before.base_url, before.addresses) != (after.base_url, after.addresses)


def _mark(path: Path) -> Mark:
    try:
        found = path.stat()
    except OSError as error:
        return (error.errno,)
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size


def _folder_mark(folder: Path | None) -> Mark:
    if folder is None:
        return ()
    try:
        return tuple((file.name, _mark(file)) for file in sorted(folder.iterdir()))
    except OSError as error:
        return (error.errno,)
