"""Asks a server what it serves, and whether its engine moves: a shell over the kinds' readers."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from pointsman.names import Dialect
from pointsman.prober import inquiry, proof, wire
from pointsman.prober.inquiry import Known
from pointsman.served import Finding, Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx

    from pointsman.served import Answer


class Mode(StrEnum):
    """What a good list of models is followed by."""

    MODELS = "Models"  # nothing
    PROGRESS = "Progress"  # a look at the engine's figures
    COMPLETION = "Completion"  # a look, and an answer of one token
    ALIVE = ""  # the cheaper of the two that proves something


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """How certificates are verified: against these PEM authorities, or the system's where none are given."""

    ca_bundle: str = ""
    server_name: str = ""
    insecure: bool = False


@dataclass(frozen=True, slots=True)
class ProbeRequest:
    """What to ask of whom. `base_urls` have no /v1 and no final slash; several are replicas, of which one has to do.

    `path` stands in for the first of the kind's paths. `timeout` is in seconds and bounds the whole probe. The client's
    own settings verify certificates: `tls` is for whoever makes that client, but for the server name. `models` are
    those that may be asked for a token before all others, `dialect` is the one to ask in.
    """

    kind: Kind
    base_urls: tuple[str, ...]
    token: str = field(default="", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    tls: TlsSettings = TlsSettings()
    timeout: float = 5.0
    path: str = ""
    mode: Mode = Mode.MODELS
    dialect: Dialect = Dialect.CHAT
    models: tuple[str, ...] = ()


async def ask(client: httpx.AsyncClient, request: ProbeRequest, known: Known | None = None) -> Finding:
    """Ask all replicas at once: the first in order that serves counts, else the first in order.

    `known` is what earlier probes of the provider were told of its models, and learns. Raises for nothing that a
    server does.
    """
    if not request.base_urls:
        return Finding(ok=False, reason="ConnectionRefused", message="there is no address to ask")
    known = known or Known()
    if len(request.base_urls) == 1:
        return await _ask_one(client, request, request.base_urls[0], known)
    findings = await asyncio.gather(*(_ask_one(client, request, base_url, known) for base_url in request.base_urls))
    return next((finding for finding in findings if finding.ok), findings[0])


async def _ask_one(client: httpx.AsyncClient, request: ProbeRequest, base_url: str, known: Known) -> Finding:
    deadline = asyncio.get_running_loop().time() + request.timeout
    answers = await _lists(client, request, base_url, deadline)
    found = request.kind.read(answers)
    if found.ok and request.mode is not Mode.MODELS:
        found = await proof.prove(client, request, base_url, found, deadline)
    # Last, with the time that is left: the details of a model are worth less than whether the server is up.
    return await inquiry.detailed(client, request, base_url, found, answers, known, deadline)


async def _lists(client: httpx.AsyncClient, request: ProbeRequest, base_url: str, deadline: float) -> dict[str, Answer]:
    decisive, *details = request.kind.paths
    answers = {decisive: await wire.get(client, request, base_url + (request.path or decisive), deadline)}
    if 200 <= answers[decisive].status < 300:
        for path in details:
            answers[path] = await wire.get(client, request, base_url + path, deadline)
    return answers
