"""The files that the gateway reads: routing table, OpenClaw config, a credential for each provider."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pointsman import table
from pointsman.names import OPENCLAW_FILE, ROUTING_FILE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class Files:
    """A folder only its owner may read. Each file is replaced whole, so that no reader sees half of one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.table = folder / ROUTING_FILE
        self.credentials = folder / "credentials"
        self.credentials.mkdir(mode=0o700, parents=True, exist_ok=True)

    def publish(self, routing: table.RoutingTable, openclaw: Mapping[str, Any], secrets: Mapping[str, str]) -> bool:
        """Write what differs, keys before the table that names them. True when the table differs."""
        for stale in {path.name for path in self.credentials.iterdir()} - secrets.keys():
            (self.credentials / stale).unlink()
        for name, secret in secrets.items():
            _replace(self.credentials / name, secret.encode())
        _replace(self.folder / OPENCLAW_FILE, json.dumps(openclaw, indent=2).encode() + b"\n")
        return _replace(self.table, table.dump(routing))


def _replace(path: Path, content: bytes) -> bool:
    if path.exists() and path.read_bytes() == content:
        return False
    beside = path.with_name(f".{path.name}.new")
    beside.touch(mode=0o600)
    beside.write_bytes(content)
    beside.replace(path)
    return True
