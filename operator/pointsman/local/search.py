"""Looks for servers on their usual ports of this machine."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from pointsman.kinds import kind
from pointsman.names import USUAL_PORTS, ProviderType
from pointsman.prober.ask import ProbeRequest, ask

if TYPE_CHECKING:
    import httpx

    from pointsman.served import ServedModel

_PATIENCE = 2.0  # seconds: it is this machine


async def search(client: httpx.AsyncClient) -> dict[str, tuple[ServedModel, ...]]:
    """Models by provider type, for every usual port where a server of an OpenAI-compatible API answers.

    One that wants a key is found without models: its standing then says what to do.
    """
    findings = await asyncio.gather(*(_look(client, name, port) for name, port in USUAL_PORTS.items()))
    return {name: models for name, models in findings if models is not None}


async def _look(client: httpx.AsyncClient, name: str, port: int) -> tuple[str, tuple[ServedModel, ...] | None]:
    request = ProbeRequest(kind=kind(ProviderType(name)), base_urls=(f"http://127.0.0.1:{port}",), timeout=_PATIENCE)
    finding = await ask(client, request)
    return name, finding.models if finding.ok or finding.credentials_valid is False else None
