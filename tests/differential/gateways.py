"""Both gateways as processes, each with a model for every input: ours by its routing table, LiteLLM by its file."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from differential.topics import Input
from matrix.speech import CHAT, MESSAGES, RESPONSES
from pointsman import table as tables
from pointsman.table import Model, Provider, Route, RoutingTable, Target
from testbed.litellm import PINS, LiteLlm
from testbed.ports import free_port
from wall.program import _SOURCE, Program, _stop, ready

OURS: Final = "pointsman"
THEIRS: Final = "litellm"
VERSION: Final = PINS[0].partition("==")[2]
_API: Final = {CHAT: "openai-completions", RESPONSES: "openai-responses", MESSAGES: "anthropic-messages"}


class Peer(LiteLlm):
    """A LiteLLM proxy without a key. `chat_alone`: Messages clients reach OpenAI by chat, which it does on request."""

    def __init__(self, models: Mapping[str, Mapping[str, Any]], *, chat_alone: bool) -> None:
        super().__init__(models)
        self._chat_alone = chat_alone
        self._settings.seek(0)
        settings = json.load(open(self._settings.name))  # noqa: SIM115, PTH123
        settings["general_settings"] = {"dangerously_permit_weak_or_unset_master_key": True}  # the clients have none
        settings["litellm_settings"]["use_chat_completions_url_for_anthropic_messages"] = chat_alone
        self._settings.truncate(0)
        json.dump(settings, self._settings)
        self._settings.flush()


def their_models(inputs: Iterable[Input], port: int) -> dict[str, dict[str, Any]]:
    """LiteLLM's parameters for each input, as its documentation has them for such a backend and client."""
    return {one.slug: _theirs(one, port) for one in inputs}


def _theirs(one: Input, port: int) -> dict[str, Any]:
    base = f"http://127.0.0.1:{port}/at/{THEIRS}-{one.slug}"
    if one.backend == MESSAGES:
        return {"model": f"anthropic/{one.model}", "api_base": base, "api_key": "x"}
    prefix = "responses/" if one.backend == RESPONSES and one.client == CHAT else ""
    made: dict[str, Any] = {"model": f"openai/{prefix}{one.model}", "api_base": f"{base}/v1", "api_key": "x"}
    if one.backend == CHAT and one.client == RESPONSES:
        made["use_chat_completions_api"] = True
    return made


@contextlib.asynccontextmanager
async def ours(folder: Path, inputs: list[Input], port: int) -> AsyncIterator[str]:
    """The URL of a gateway that takes each place for the vendor itself."""
    file = folder / "routing.json"
    file.write_bytes(tables.dump(_table(inputs, port)))
    own = free_port()
    command = [sys.executable, "-m", "pointsman", "gateway", "--listen", f"127.0.0.1:{own}", "--table", str(file)]
    with (folder / "said.txt").open("wb") as out:
        process = await asyncio.create_subprocess_exec(
            *command, stdout=out, stderr=out, env={**os.environ, "PYTHONPATH": str(_SOURCE)}
        )
    try:
        await ready(Program(folder, own, process), {one.slug for one in inputs})
        yield f"http://127.0.0.1:{own}"
    finally:
        await _stop(process)


def _table(inputs: list[Input], port: int) -> RoutingTable:
    providers = tuple(
        Provider(
            name=f"{OURS}-{one.slug}", type="Anthropic" if one.backend == MESSAGES else "OpenAI", native=True,
            base_url=f"http://127.0.0.1:{port}/at/{OURS}-{one.slug}", api=(_API[one.backend],), models=(_model(one),),
        )
        for one in inputs
    )  # fmt: skip
    routes = tuple(
        Route(name=one.slug, model_name=one.slug, targets=(Target(f"{OURS}-{one.slug}", one.model),)) for one in inputs
    )
    return RoutingTable(providers=providers, routes=routes)


def _model(one: Input) -> Model:
    return Model(
        id=one.model, input=("text", "image"), reasoning=one.model != "gpt-4.1", context_window=400_000,
        max_tokens=32_768,
    )  # fmt: skip


@contextlib.asynccontextmanager
async def theirs(inputs: list[Input], port: int, *, chat_alone: bool) -> AsyncIterator[str]:
    """The URL of a LiteLLM proxy."""
    peer = Peer(their_models(inputs, port), chat_alone=chat_alone)
    await asyncio.to_thread(peer.start)
    try:
        yield peer.base_url
    finally:
        peer.close()
