"""A real Ollama: three dialects, windows that are never cut in silence, tools that its template has no place for."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest

from gateway.conftest import DIALECTS, Reply
from servers.conftest import Starting
from servers.upprocess import Object, Up, provider, route
from testbed import ollama as build
from testbed.llama import LlamaServer
from testbed.ollama import Ollama, Recipe
from testbed.tinymodel import TEXT, TinyModel
from testbed.waiting import until

pytestmark = pytest.mark.skipif(
    build.installed() is None, reason="Ollama is not built: `make test-real` does that (some five minutes)"
)
TOO_LONG = {"tiny": 2700, "plain": 4500, "roomy": 9000}  # tokens
OFTEN = {"period": "1s"}
SHORT = {"connect": "2s", "firstToken": "1s", "stall": "10s", "total": "30s"}
FORMS = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}}
TOOLS: dict[str, list[dict[str, Any]]] = {
    "completions": [{"type": "function", "function": {"name": "get_weather", "parameters": PARAMETERS}}],
    "responses": [{"type": "function", "name": "get_weather", "parameters": PARAMETERS, "strict": False}],
    "messages": [{"name": "get_weather", "input_schema": PARAMETERS}],
}


@pytest.fixture(scope="module")
def ollama() -> Iterator[Ollama]:
    """One server. `tiny` has a small window of its own, `plain` the server's, `roomy` a large one."""
    recipes = {"tiny": Recipe(num_ctx=2048), "plain": Recipe(num_ctx=0), "roomy": Recipe(num_ctx=8192)}
    with Ollama(recipes, variables={"OLLAMA_CONTEXT_LENGTH": "4096", "OLLAMA_MAX_LOADED_MODELS": "3"}) as running:
        yield running


def objects(ollama: Ollama, llama: LlamaServer) -> list[Object]:
    """Ollama with its usual models, alone and before llama-server."""
    found = provider("ollama", "Ollama", f"{ollama.base_url}/v1", probe=OFTEN)
    found += provider("near", "LlamaCpp", llama.base_url)
    for model in ("tiny", "plain", "roomy"):
        found.append(route(f"{model}-alone", f"ollama/{model}:latest"))
        found.append(route(f"{model}-helped", f"ollama/{model}:latest", "near/tiny", timeouts=SHORT))
    found.append(route("untagged-helped", "ollama/tiny", "near/tiny", timeouts=SHORT))
    return [*found, route("untagged-alone", "ollama/tiny")]


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, ollama: Ollama, llama: LlamaServer) -> Iterator[Up]:
    """A gateway before them."""
    with Up(tmp_path_factory.mktemp("ollama"), objects(ollama, llama)) as running:
        yield running


def long_request(dialect: str, tokens: int) -> dict[str, Any]:
    """A prompt of some more than `tokens` tokens: signs, of which each is one."""
    text = "{}[]" * (tokens // 4)
    return {"input": text} if dialect == "responses" else {"messages": [{"role": "user", "content": text}]}


def read_tokens(reply: Reply) -> int:
    """How many tokens of the prompt the server says that it read."""
    usage = reply.json["usage"]
    return int(usage.get("prompt_tokens") or usage.get("input_tokens") or 0)


def cold(gateway: Up, ollama: Ollama, model: str) -> None:
    """Have a model out of memory, and the gateway know it."""
    ollama.unload(model)
    until(lambda: (it := gateway.model("ollama", f"{model}:latest")) and it.loaded is False, what=f"{model} seen cold")


def warm(gateway: Up, ollama: Ollama, model: str) -> None:
    """Have a model in memory, and the gateway know it."""
    ollama.post("/api/generate", {"model": model}).raise_for_status()
    until(lambda: (found := gateway.model("ollama", f"{model}:latest")) and found.loaded, what=f"{model} seen loaded")


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("name", ["tiny", "untagged"])
@FORMS
def test_it_answers_in_three_dialects(gateway: Up, dialect: str, name: str, stream: bool) -> None:
    """A model may be asked for without its tag, as people do."""
    reply = gateway.ask(dialect, f"{name}-alone", stream=stream)
    assert (reply.status, reply.whole, reply.text) == (200, True, TEXT)
    assert "attempts=1" in reply.decision


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("model", TOO_LONG)
def test_no_prompt_is_cut_in_silence(gateway: Up, ollama: Ollama, dialect: str, model: str) -> None:
    """Ollama itself answers 200 from what is left of it; alone behind the gateway it is refused."""
    warm(gateway, ollama, model)
    reply = gateway.ask(dialect, f"{model}-alone", **long_request(dialect, TOO_LONG[model]))
    assert (reply.status, reply.json["error"]["code"]) == (400, "context_length_exceeded")


@pytest.mark.parametrize("model", ["plain", "roomy"])
def test_no_prompt_is_cut_in_silence_while_its_model_loads(gateway: Up, ollama: Ollama, model: str) -> None:
    """Until it is loaded, its window is what its Modelfile says, else taken to be Ollama's own 4096."""
    cold(gateway, ollama, model)
    reply = gateway.ask("completions", f"{model}-alone", **long_request("completions", TOO_LONG[model]))
    assert (reply.status, reply.json["error"]["code"]) == (400, "context_length_exceeded")


def test_a_small_window_is_known_before_its_model_loads(up: Starting, ollama: Ollama, llama: LlamaServer) -> None:
    """A Modelfile's num_ctx below 4096 is no place to be cut in, also for a gateway that has learnt nothing yet."""
    gateway = up(objects(ollama, llama))
    cold(gateway, ollama, "tiny")
    reply = gateway.ask("completions", "tiny-alone", **long_request("completions", TOO_LONG["tiny"]), max_tokens=16)
    assert reply.status == 400


@pytest.mark.parametrize("dialect", DIALECTS)
def test_no_prompt_is_cut_in_silence_for_want_of_a_tag(gateway: Up, ollama: Ollama, dialect: str) -> None:
    """`tiny` is `tiny:latest`, and has its window."""
    warm(gateway, ollama, "tiny")
    reply = gateway.ask(dialect, "untagged-alone", **long_request(dialect, TOO_LONG["tiny"]))
    assert reply.status == 400


def test_a_cold_model_without_its_tag_is_stood_in_for(gateway: Up, ollama: Ollama) -> None:
    """`tiny` is cold when `tiny:latest` is."""
    cold(gateway, ollama, "tiny")
    assert "answered=near/tiny" in gateway.ask("completions", "untagged-helped").decision


@pytest.mark.parametrize("dialect", DIALECTS)
def test_what_is_too_long_moves_on(gateway: Up, ollama: Ollama, dialect: str) -> None:
    """To the next in the chain that has room, which reads all of it."""
    warm(gateway, ollama, "tiny")
    reply = gateway.ask(dialect, "tiny-helped", **long_request(dialect, 3000))
    assert (reply.status, reply.text) == (200, TEXT)
    assert "answered=near/tiny" in reply.decision


@pytest.mark.parametrize("dialect", DIALECTS)
def test_what_fits_is_read_whole(gateway: Up, ollama: Ollama, dialect: str) -> None:
    """A prompt that the smaller windows have no room for goes where there is some, and is counted in full."""
    warm(gateway, ollama, "roomy")
    reply = gateway.ask(dialect, "roomy-alone", **long_request(dialect, 4000))
    assert (reply.status, reply.text) == (200, TEXT)
    assert read_tokens(reply) > 4000


@pytest.mark.parametrize("dialect", DIALECTS)
@FORMS
def test_tools_go_where_they_are_taken(gateway: Up, ollama: Ollama, dialect: str, stream: bool) -> None:
    """Its 400 about tools is its own, not the client's: the next is asked, and it is not thought ill."""
    warm(gateway, ollama, "tiny")
    for _ in range(2):
        reply = gateway.ask(dialect, "tiny-helped", stream=stream, tools=TOOLS[dialect])
        assert (reply.status, reply.text) == (200, TEXT)
        assert "answered=near/tiny" in reply.decision
    assert "answered=ollama/tiny%3Alatest" in gateway.ask(dialect, "tiny-helped", stream=stream).decision


def test_tokens_are_counted_although_it_cannot(gateway: Up) -> None:
    """It has no count_tokens; the gateway estimates."""
    body = {"model": "tiny-alone", "messages": [{"role": "user", "content": "zqx " * 100}]}
    reply = gateway.post("/v1/messages/count_tokens", body)
    assert reply.status == 200
    assert 50 <= reply.json["input_tokens"] <= 1000


def test_a_cold_model_is_stood_in_for_and_woken(gateway: Up, ollama: Ollama) -> None:
    """Loaded state is /api/ps's, the list of models has all that are installed."""
    cold(gateway, ollama, "roomy")
    assert "passed=ollama/roomy%3Alatest:cold" in gateway.ask("completions", "roomy-helped").decision
    until(lambda: "roomy:latest" in ollama.loaded(), what="roomy woken")


def test_a_model_is_kept_as_long_as_its_provider_asks(up: Starting, ollama: Ollama, llama: LlamaServer) -> None:
    """Said once on its own API, it holds for all that is asked on /v1 after that."""
    ollama.unload("tiny")
    gateway = up([*provider("ollama", "Ollama", ollama.base_url, keepLoaded="2h"), route("tiny", "ollama/tiny:latest")])
    assert gateway.ask("completions", "tiny").text == TEXT

    def stays() -> bool:
        ends = dt.datetime.fromisoformat(ollama.loaded()["tiny:latest"]["expires_at"])
        return ends > dt.datetime.now(tz=dt.UTC) + dt.timedelta(hours=1)

    until(stays, 5, what="the model kept")
    assert gateway.ask("completions", "tiny").text == TEXT
    assert stays()


def test_its_death_reaches_nobody(up: Starting, llama: LlamaServer) -> None:
    """A server that dies is stood in for."""
    with Ollama({"tiny": Recipe(weights=TinyModel("loop"))}) as own:
        gateway = up(objects(own, llama))
        own.kill()
        assert gateway.ask("completions", "tiny-helped").text == TEXT
