"""Proof that an engine moves, behind a list of models that is answered without it: figures that change, or a token."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from pointsman.prober import verdict, wire
from pointsman.prober.completion import body, choose, path

if TYPE_CHECKING:
    import httpx

    from pointsman.prober.ask import ProbeRequest
    from pointsman.served import Finding, Look

# Of the time that a probe has: the rest is for a look at an engine that owes the token.
_FOR_A_TOKEN: Final = 0.6
_FOR_MORE: Final = 0.2  # of that time: for what the first look does not tell
_LOOK_EVERY: Final = 0.5  # seconds


async def prove(
    client: httpx.AsyncClient, request: ProbeRequest, base_url: str, found: Finding, deadline: float
) -> Finding:
    """What the engine adds to `found`, a good list of models, by `deadline` (seconds of the loop's clock)."""
    watch, mode = request.kind.watch, request.mode
    before, silent = await _look(client, request, base_url, deadline)
    if before and before.asleep:
        return verdict.asleep(found)
    if watch and watch.proof and mode != "Completion" and (before or silent):
        return verdict.stalled(found, certain=False) if silent else found
    if mode == "Progress":
        return await _watched(client, request, base_url, found, before, deadline)
    return await _token(client, request, base_url, found, before, deadline)


async def _token(  # noqa: PLR0913, PLR0917 - what all steps of a probe have in common, and what the last one saw
    client: httpx.AsyncClient,
    request: ProbeRequest,
    base_url: str,
    found: Finding,
    before: Look | None,
    deadline: float,
) -> Finding:
    model = choose(found.models, request.models, request.kind)
    if not model:
        return found
    url, by = base_url + path(request.dialect), deadline - (1 - _FOR_A_TOKEN) * request.timeout
    answer = await wire.post(client, request, url, by, body(request.dialect, model))
    if (told := verdict.of_answer(answer, found, model)) is not None:
        return told
    after, _ = await _look(client, request, base_url, deadline)
    return verdict.of_looks(found, before, after)


async def _watched(  # noqa: PLR0913, PLR0917 - likewise
    client: httpx.AsyncClient,
    request: ProbeRequest,
    base_url: str,
    found: Finding,
    before: Look | None,
    deadline: float,
) -> Finding:
    """Look until something has moved; an engine without work owes no movement."""
    first, last = before, before
    while first and last and last.running and first.figures == last.figures:
        left = deadline - asyncio.get_running_loop().time()
        if left <= _LOOK_EVERY:
            return verdict.stalled(found, certain=True)
        await asyncio.sleep(_LOOK_EVERY)
        last, _ = await _look(client, request, base_url, deadline)
    return verdict.asleep(found) if last and last.asleep else found


async def _look(
    client: httpx.AsyncClient, request: ProbeRequest, base_url: str, deadline: float
) -> tuple[Look | None, bool]:
    """What the engine's figures say, None: they cannot be seen; and whether they were asked for in vain."""
    if request.kind.watch is None:
        return None, False
    seen, by = None, deadline
    for each in request.kind.watch.paths:
        answer = await wire.get(client, request, base_url + each, by)
        if answer.error == "Timeout":
            return seen, seen is None
        look = request.kind.watch.read(answer)
        if look and look.asleep is not None:
            return look, False
        seen = seen or look
        # What is asked further must leave time for the token: an engine that hangs may not answer it.
        by = min(deadline, asyncio.get_running_loop().time() + _FOR_MORE * request.timeout)
    return seen, False
