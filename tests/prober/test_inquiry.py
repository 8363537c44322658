"""The second round: what is asked of each model, how often, and that it decides nothing."""

import asyncio
import json
import re
from dataclasses import replace

import httpx

from pointsman.kinds import kind
from pointsman.modellist import MODELS
from pointsman.names import ProviderType
from pointsman.prober.ask import Mode, ProbeRequest, ask
from pointsman.prober.inquiry import A_PROBE, AT_ONCE, BODY_LIMIT, Known
from pointsman.prober.request import ProbeTarget
from pointsman.prober.thresholds import Settings
from pointsman.served import Answer, Question, ServedModel, State
from pointsman.vendors import ollama
from prober.scripted import Answering, Results, Serve, running

SHOW = b'{"parameters":"num_ctx                        2048","capabilities":["completion"],"model_info":{}}'
SHOWN = ServedModel("", context_window=2048, input=("text",), reasoning=False, tools=False)
COLD = b'{"models":[]}'


def request(base_url: str, timeout: float = 10) -> ProbeRequest:
    return ProbeRequest(kind=kind(ProviderType.OLLAMA), base_urls=(base_url,), timeout=timeout)


def installed(*models: str, content: str = "") -> dict[str, tuple[int, bytes]]:
    """A server's lists. Models with the same name before the colon have the same content."""
    tags = [{"name": name, "digest": f"{name.split(':')[0]}{content}"} for name in models]
    return {
        "/v1/models": (200, json.dumps({"data": [{"id": name} for name in models]}).encode()),
        "/api/tags": (200, json.dumps({"models": tags}).encode()),
        "/api/ps": (200, COLD),
        "/api/show": (200, SHOW),
    }


def shown(script: Answering) -> list[str]:
    """The models that were asked for, in order."""
    return [json.loads(body)["model"] for body in script.bodies if body]


def expected(*models: str) -> tuple[ServedModel, ...]:
    return tuple(replace(SHOWN, id=name, loaded=False) for name in models)


async def test_each_content_is_asked_for_once(client: httpx.AsyncClient, serve: Serve) -> None:
    """Names of one digest share an answer; a later probe asks nothing, until a model is another one."""
    script, known = Answering(installed("a:latest", "a:8b", "b:latest")), Known()
    asked = request(await serve(script))
    for _ in range(3):
        assert (await ask(client, asked, known)).models == expected("a:latest", "a:8b", "b:latest")
    assert sorted(shown(script)) == ["a:latest", "b:latest"]
    script.paths = installed("a:latest", content="anew")
    assert (await ask(client, asked, known)).models == expected("a:latest")
    assert shown(script)[2:] == ["a:latest"]


async def test_who_keeps_nothing_asks_each_time(client: httpx.AsyncClient, serve: Serve) -> None:
    """As the doctor does, who probes once."""
    script = Answering(installed("a:latest"))
    asked = request(await serve(script))
    assert (await ask(client, asked)).models == (await ask(client, asked)).models == expected("a:latest")
    assert len(shown(script)) == 2


async def test_a_failure_is_asked_again_and_a_refusal_is_not(client: httpx.AsyncClient, serve: Serve) -> None:
    """Neither is one of the server: it is up, and of its models nothing more is known."""
    for status, times in ((500, 2), (429, 2), (404, 1), (200, 1)):
        script, known = Answering(installed("a:latest") | {"/api/show": (status, b"no JSON")}), Known()
        asked = request(await serve(script))
        for _ in range(2):
            found = await ask(client, asked, known)
            assert (found.ok, found.models) == (True, (ServedModel("a:latest", loaded=False),))
        assert len(shown(script)) == times


async def test_what_is_known_outlives_the_list_of_contents(client: httpx.AsyncClient, serve: Serve) -> None:
    """A probe to which /api/tags fails forgets nothing."""
    script, known = Answering(installed("a:latest")), Known()
    asked = request(await serve(script))
    await ask(client, asked, known)
    script.paths["/api/tags"] = (500, b"")
    assert (await ask(client, asked, known)).models == expected("a:latest")


async def test_many_models_take_more_than_one_probe(client: httpx.AsyncClient, serve: Serve) -> None:
    """64 a probe, so that a long list does not flood a server; what comes first is known first."""
    names = [f"m{i}:latest" for i in range(A_PROBE + 10)]
    script, known = Answering(installed(*names)), Known()
    asked = request(await serve(script))
    found = await ask(client, asked, known)
    assert [model.context_window for model in found.models] == [2048] * A_PROBE + [0] * 10
    assert (await ask(client, asked, known)).models == expected(*names)
    assert len(shown(script)) == len(names)


async def test_few_are_asked_for_at_once(client: httpx.AsyncClient, serve: Serve) -> None:
    """Four: the server reads a file for each."""
    names = [f"m{i}:latest" for i in range(3 * AT_ONCE)]
    lists, at_once, most = installed(*names), 0, 0

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal at_once, most
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            _, body = lists[head.split()[1]]
            if length := re.search(r"content-length: (\d+)", head.lower()):
                at_once += 1
                most = max(most, at_once)
                await reader.readexactly(int(length[1]))
                await asyncio.sleep(0.01)
                at_once -= 1
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body)

    assert (await ask(client, request(await serve(script)))).models == expected(*names)
    assert most == AT_ONCE


async def test_a_model_that_hangs_holds_up_nobody(client: httpx.AsyncClient, serve: Serve) -> None:
    """Four that never answer use up a probe; at the next they come after the others. The server is up throughout."""
    hanging = [f"h{i}:latest" for i in range(AT_ONCE)]
    lists = installed(*hanging, "good:latest")

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = re.search(r"content-length: (\d+)", head.lower())
            asked = await reader.readexactly(int(length[1]) if length else 0)
            if b'"h' in asked:
                await reader.read(-1)
                return
            _, body = lists[head.split()[1]]
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body)

    known, asked = Known(), request(await serve(script), timeout=1.0)
    first, second = await ask(client, asked, known), await ask(client, asked, known)
    assert (first.ok, first.models[-1]) == (True, ServedModel("good:latest", loaded=False))
    assert (second.ok, second.models[-1]) == (True, *expected("good:latest"))


async def test_it_takes_no_time_from_the_proof(client: httpx.AsyncClient, serve: Serve) -> None:
    """Who is asked for a token has answered before it is asked for details, of which none come."""
    token = 0

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal token
        lists = installed("a:latest") | {"/api/ps": (200, b'{"models":[{"name":"a:latest"}]}')}
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            path = head.split()[1]
            length = re.search(r"content-length: (\d+)", head.lower())
            await reader.readexactly(int(length[1]) if length else 0)
            if path == "/api/show":
                await reader.read(-1)
                return
            token += path == "/v1/chat/completions"
            _, body = lists.get(path, (200, b"{}"))
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body)

    found = await ask(client, replace(request(await serve(script), timeout=1.0), mode=Mode.COMPLETION))
    assert (found.ok, token) == (True, 1)


async def test_an_endless_answer_is_cut(client: httpx.AsyncClient, serve: Serve) -> None:
    """Of what was cut nothing is known."""
    script = Answering(installed("a:latest") | {"/api/show": (200, b'{"x":"' + b"y" * (BODY_LIMIT + 1) + b'"}')})
    assert (await ask(client, request(await serve(script)))).models == (ServedModel("a:latest", loaded=False),)


async def test_a_server_that_refuses_is_asked_for_no_model(client: httpx.AsyncClient, serve: Serve) -> None:
    """Its list comes first."""
    script = Answering(installed("a:latest") | {"/v1/models": (401, b"{}")})
    assert (await ask(client, request(await serve(script)))).reason == "Unauthorized"
    assert shown(script) == []


async def test_the_prober_keeps_what_it_was_told(results: Results, serve: Serve) -> None:
    """From probe to probe, also at another pace; of another server nothing is known."""
    script = Answering(installed("a:latest"))
    base = await serve(script)
    quick = ProbeTarget(request(base), Settings(period=0.02, steady=True), identity=("here",))
    async with running(results) as prober:
        prober.set("p", quick)
        await results.until(lambda: len(results.asked) >= 3)
        prober.set("p", replace(quick, settings=Settings(period=0.01, steady=True)))
        await results.until(lambda: len(results.asked) >= 6)
        assert shown(script) == ["a:latest"]
        prober.set("p", replace(quick, identity=("there",)))
        await results.until(lambda: len(shown(script)) == 2)
    assert {state for state, _ in results.states()} == {State.UP}
    assert all(finding.models == expected("a:latest") for _, finding in results.asked)


def test_what_is_kept_is_bounded() -> None:
    """A server whose models change all the time fills no memory: the oldest answers go."""
    known, inquiry = Known(), ollama.KIND.inquiry
    assert inquiry
    for start in range(0, 3 * MODELS, A_PROBE):
        asked = [Question(str(i), (f"m{i}",), "/api/show", b"") for i in range(start, start + A_PROBE)]
        known.listed(asked)
        known.learn([(each, Answer(200, SHOW)) for each in known.open(asked)], inquiry)
    assert len(known.told) == MODELS
    assert known.details() == {each.models[0]: SHOWN for each in asked}
