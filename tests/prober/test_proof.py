"""Engines that sleep, hang or are busy behind servers that list their models."""

import asyncio
from dataclasses import replace

import httpx
import pytest

from pointsman.fleet.world import Provider, read_provider
from pointsman.kinds import kind
from pointsman.names import Dialect, ProviderType
from pointsman.prober.ask import Mode, ProbeRequest, ask
from pointsman.prober.request import target
from pointsman.served import State
from prober.fakevllm import Engine, FakeVllm
from prober.scripted import MODELS, Answering, Results, Serve, running
from testbed.llama import LlamaServer
from testbed.tinymodel import TinyModel


def request(base_url: str, of: ProviderType = ProviderType.VLLM, mode: Mode = Mode.ALIVE) -> ProbeRequest:
    return ProbeRequest(kind=kind(of), base_urls=(base_url,), timeout=1.0, mode=mode)


@pytest.mark.parametrize(
    ("engine", "metrics", "reason", "certain", "posted"),
    [
        (Engine.AWAKE, True, "", False, 1),
        (Engine.AWAKE, False, "", False, 1),
        (Engine.ASLEEP, True, "Asleep", True, 0),
        (Engine.ASLEEP, False, "EngineStalled", False, 1),
        (Engine.HUNG, True, "EngineStalled", True, 1),
        (Engine.HUNG, False, "EngineStalled", False, 1),
        (Engine.BUSY, True, "", False, 1),
        (Engine.BUSY, False, "EngineStalled", False, 1),
    ],
)
async def test_a_token_or_a_movement_is_proof(  # noqa: PLR0917 - a row of the table
    client: httpx.AsyncClient, engine: Engine, metrics: bool, reason: str, certain: bool, posted: int
) -> None:
    """The list is good every time. Without figures a busy engine cannot be told from a dead one, and that is said."""
    with FakeVllm(metrics=metrics) as server:
        server.engine = engine
        found = await ask(client, request(server.base_url))
        assert (found.ok, found.reason, found.certain) == (not reason, reason, certain)
        assert len(server.posted) == posted
        assert [model.id for model in found.models] == ([] if reason else ["tiny"])


@pytest.mark.parametrize("metrics", [True, False], ids=["old", "no-stats"])
@pytest.mark.parametrize("mode", [Mode.ALIVE, Mode.PROGRESS])
async def test_sleep_is_asked_for_where_the_figures_do_not_tell(
    client: httpx.AsyncClient, metrics: bool, mode: Mode
) -> None:
    """An older vLLM, or one without figures, tells at /is_sleeping, and is not asked for a token."""
    with FakeVllm(metrics=metrics, sleep_state=False, development=True) as server:
        server.engine = Engine.ASLEEP
        found = await ask(client, request(server.base_url, mode=mode))
        assert (found.reason, found.certain, server.posted) == ("Asleep", True, [])
        server.engine = Engine.AWAKE
        assert (await ask(client, request(server.base_url, mode=mode))).ok


async def test_sleep_is_not_asked_for_where_the_figures_tell(client: httpx.AsyncClient) -> None:
    """A vLLM outside development mode would log a 404 for each."""
    with FakeVllm(development=True) as server:
        assert (await ask(client, request(server.base_url))).ok
        assert "/is_sleeping" not in server.got


@pytest.mark.parametrize("mode", [Mode.ALIVE, Mode.PROGRESS])
async def test_a_question_for_sleep_that_hangs_hides_nothing(client: httpx.AsyncClient, mode: Mode) -> None:
    """The engine answers it, so a hung one does not: there is time left for the token, and the figures count."""
    with FakeVllm(sleep_state=False, development=True) as server:
        server.engine = Engine.HUNG
        found = await ask(client, replace(request(server.base_url, mode=mode), timeout=3.0))
        assert (found.reason, found.certain) == ("EngineStalled", True)
        assert len(server.posted) == (mode is Mode.ALIVE)


@pytest.mark.parametrize(
    ("engine", "reason"),
    [(Engine.AWAKE, ""), (Engine.BUSY, ""), (Engine.HUNG, "EngineStalled"), (Engine.ASLEEP, "Asleep")],
)
async def test_progress_is_watched_without_a_token(client: httpx.AsyncClient, engine: Engine, reason: str) -> None:
    """Mode Progress: work that does not move is a hang, no work is none."""
    with FakeVllm() as server:
        server.engine = engine
        found = await ask(client, request(server.base_url, mode=Mode.PROGRESS))
        assert (found.reason, server.posted) == (reason, [])


async def test_models_alone_prove_nothing_of_the_engine(client: httpx.AsyncClient) -> None:
    """Mode Models, as for others' servers: what it asks for costs nothing."""
    with FakeVllm() as server:
        server.engine = Engine.HUNG
        assert (await ask(client, request(server.base_url, mode=Mode.MODELS))).ok
        assert server.posted == []


@pytest.mark.parametrize(
    ("dialect", "path", "words"),
    [
        (Dialect.CHAT, "/v1/chat/completions", ('"max_tokens":1', '"messages"')),
        (Dialect.RESPONSES, "/v1/responses", ('"input":"."', '"max_output_tokens":16')),
        (Dialect.MESSAGES, "/v1/messages", ('"max_tokens":1', '"messages"')),
    ],
)
async def test_a_token_is_asked_for_in_the_providers_dialect(
    client: httpx.AsyncClient, serve: Serve, dialect: Dialect, path: str, words: tuple[str, str]
) -> None:
    """With its key and its model, on the connection of the list."""
    script = Answering({"/v1/models": (200, MODELS), path: (200, b"{}")})
    asked = request(await serve(script), ProviderType.OPENAI_COMPATIBLE, Mode.COMPLETION)
    assert (await ask(client, replace(asked, dialect=dialect, token="secret"))).ok
    first, second = script.heads
    assert first.startswith("GET /v1/models ")
    assert second.startswith(f"POST {path} ")
    assert "bearer secret" in second.lower()
    assert script.connections == 1
    assert all(word in script.bodies[1] for word in words)
    assert '"model":"tiny"' in script.bodies[1]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ((400, b'{"error":"no"}'), ""),
        ((401, b"{}"), "Unauthorized"),
        ((429, b"{}"), "RateLimited"),
        ((500, b'{"error":{"message":"EngineCore encountered an issue"}}'), "ServerError"),
        ((503, b'{"error":"server busy, please try again"}'), ""),
    ],
)
async def test_what_the_answer_means(
    client: httpx.AsyncClient, serve: Serve, answer: tuple[int, bytes], reason: str
) -> None:
    """Through the whole of a probe; `test_verdict.py` has all of it."""
    script = Answering({"/v1/models": (200, MODELS), "/v1/chat/completions": answer})
    found = await ask(client, request(await serve(script)))
    assert found.reason == reason


def provider(base_url: str, of: str = "VLLM", **probe: object) -> Provider:
    spec = {"type": of, "endpoint": {"baseUrl": base_url}, "probe": {"period": "200ms", "timeout": "1s", **probe}}
    return read_provider({"metadata": {"name": "p"}, "spec": spec})


async def test_an_engine_that_hangs_and_one_that_is_put_to_sleep_are_down_at_once(results: Results) -> None:
    """One probe is enough where it can be seen; one success brings it back."""
    with FakeVllm() as server:
        async with running(results) as prober:
            prober.set("p", target(provider(server.base_url), "", ()))
            for engine, standing in (
                (Engine.AWAKE, (State.UP, "")),
                (Engine.HUNG, (State.DOWN, "EngineStalled")),
                (Engine.AWAKE, (State.UP, "")),
                (Engine.ASLEEP, (State.DOWN, "Asleep")),
                (Engine.AWAKE, (State.UP, "")),
            ):
                server.engine = engine
                await results.until(lambda wanted=standing: results.states()[-1:] == [wanted])  # type: ignore[misc]
    assert [reason for state, reason in results.states() if state is State.DOWN] == ["EngineStalled", "Asleep"]
    stalls = [finding for _, finding in results.asked if finding.reason == "EngineStalled"]
    assert stalls[0].certain


async def test_a_llama_server_with_a_long_answer_in_its_only_slot_stays_up(results: Results) -> None:
    """Its loop answers between two tokens; no token of ours waits in its queue."""
    with LlamaServer(TinyModel("long"), slots=1) as server:
        async with running(results) as prober, httpx.AsyncClient(trust_env=False, timeout=60) as client:
            body = {"model": "tiny", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 6000}
            long = asyncio.create_task(client.post(f"{server.base_url}/v1/chat/completions", json=body))
            prober.set("p", target(provider(server.base_url, "LlamaCpp"), "", ()))
            assert (await long).json()["usage"]["completion_tokens"] > 1000
    assert len(results.asked) > 1
    assert {finding.reason for _, finding in results.asked} == {""}


async def test_a_real_server_gives_its_token_in_every_dialect(client: httpx.AsyncClient) -> None:
    """As `probe.mode: Completion` asks for it, also where nothing else would prove anything."""
    with LlamaServer(slots=1, arguments=["--no-slots"]) as server:
        for dialect in Dialect:
            asked = replace(request(server.base_url, ProviderType.LLAMACPP, Mode.COMPLETION), dialect=dialect)
            assert (await ask(client, replace(asked, timeout=20.0))).ok
