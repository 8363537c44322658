"""LM Studio (a stand-in made after its documentation): what is loaded, cold starts, windows, its ways of saying no."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import httpx
import openai
import pytest

from gateway.conftest import DIALECTS
from pointsman.table import Model
from servers.conftest import Starting
from servers.upprocess import Object, Up, provider, route
from testbed.llama import LlamaServer
from testbed.lmstudio import ANSWER, TTL, Downloaded, LmStudio
from testbed.tinymodel import TEXT
from testbed.waiting import until

OFTEN = {"period": "1s"}
SHORT = {"connect": "2s", "firstToken": "1s", "stall": "10s", "total": "30s"}  # less than a load takes


def objects(studio: LmStudio, llama: LlamaServer, key: str = "", **spec: Any) -> list[Object]:
    """Routes `alone`, which has LM Studio's model `tiny`, and `assistant`, with a fallback."""
    return [
        *provider("studio", "LMStudio", f"{studio.base_url}/v1", key, probe=OFTEN, **spec),
        *provider("near", "LlamaCpp", llama.base_url),
        route("alone", "studio/tiny"),
        route("assistant", "studio/tiny", "near/tiny", timeouts=SHORT),
    ]


def behind(up: Starting, studio: LmStudio, llama: LlamaServer, key: str = "", **spec: Any) -> Up:
    """A gateway on these objects that has seen the model."""
    gateway = up(objects(studio, llama, key, **spec))
    until(lambda: gateway.model("studio", "tiny"), what="the model found")
    return gateway


def told(gateway: Up, condition: Callable[[Model], bool]) -> Model:
    """Wait until what the routing table says of the model `tiny` is so."""
    return until(lambda: (found := gateway.model("studio", "tiny")) and condition(found) and found, what="the state")


def test_a_loaded_model_answers(up: Starting, llama: LlamaServer) -> None:
    """In all three dialects, as it speaks them all, whole and streamed."""
    with LmStudio() as studio:
        studio.load("tiny")
        gateway = behind(up, studio, llama)
        for dialect, stream in itertools.product(DIALECTS, (False, True)):
            reply = gateway.ask(dialect, "assistant", stream=stream)
            assert (reply.status, reply.whole, reply.text) == (200, True, ANSWER)
            assert "answered=studio/tiny; attempts=1" in reply.decision


def test_load_state_and_window_are_seen(up: Starting, llama: LlamaServer) -> None:
    """The window is the loaded instance's, not what the model could do; loading and unloading are noticed."""
    with LmStudio(downloaded={"tiny": Downloaded(vision=True), "vectors": Downloaded(kind="embedding")}) as studio:
        gateway = behind(up, studio, llama)
        cold = told(gateway, lambda model: model.loaded is False)
        assert cold.context_window == 0
        assert gateway.model("studio", "vectors") is None
        body = {"model": "tiny", "context_length": 16384, "echo_load_config": True}
        answer = httpx.post(f"{studio.base_url}/api/v1/models/load", json=body, trust_env=False).json()
        assert answer["load_config"] == {"context_length": 16384}
        warm = told(gateway, lambda model: model.loaded is True)
        assert (warm.context_window, warm.input) == (16384, ("text", "image"))
        httpx.post(f"{studio.base_url}/api/v1/models/unload", json={"instance_id": "tiny"}, trust_env=False)
        told(gateway, lambda model: model.loaded is False)
        assert studio.asked == []  # no probe loads a model


@pytest.mark.parametrize("dialect", ["completions", "messages"])
def test_a_cold_start_is_covered_and_ends(up: Starting, llama: LlamaServer, dialect: str) -> None:
    """The fallback answers at once while the model is woken, which then answers itself."""
    with LmStudio(load_seconds=3) as studio:
        gateway = behind(up, studio, llama)
        told(gateway, lambda model: model.loaded is False)
        reply = gateway.ask(dialect)
        assert (reply.status, reply.text) == (200, TEXT)
        assert reply.decision.endswith("passed=studio/tiny:cold")
        told(gateway, lambda model: model.loaded is True)
        assert gateway.ask(dialect).text == ANSWER
        assert studio.loads == ["tiny"]


def test_alone_a_cold_model_is_waited_for(up: Starting, llama: LlamaServer) -> None:
    """There is nobody to stand in: the request loads it."""
    with LmStudio(load_seconds=1) as studio:
        gateway = behind(up, studio, llama)
        assert gateway.ask("completions", "alone", stream=True).text == ANSWER
        assert studio.loads == ["tiny"]


@pytest.mark.parametrize(("wanted", "sent"), [("2h", 7200), ("90s", 90)])
def test_a_model_is_kept_as_long_as_its_provider_asks(up: Starting, llama: LlamaServer, wanted: str, sent: int) -> None:
    """By the `ttl` of the request that loads it, in every dialect; what the client itself says of it wins."""
    with LmStudio() as studio:
        gateway = behind(up, studio, llama, keepLoaded=wanted)
        for dialect in ("completions", "responses"):
            assert gateway.ask(dialect, "alone").text == ANSWER
        assert [body.get("ttl") for body in studio.asked] == [sent, sent]
        assert studio.loaded["tiny"].ttl == sent
        gateway.ask("completions", "alone", ttl=7)
        assert studio.asked[-1]["ttl"] == 7


def test_unasked_nothing_is_said_of_its_stay(up: Starting, llama: LlamaServer) -> None:
    """Whether a model may stay is its owner's business."""
    with LmStudio() as studio:
        behind(up, studio, llama).ask("completions", "alone")
        assert "ttl" not in studio.asked[-1]
        assert studio.loaded["tiny"].ttl == TTL


def test_auto_evict_is_borne(up: Starting, llama: LlamaServer) -> None:
    """Two models that take turns in memory both answer, and what was put out is seen to be cold."""
    with LmStudio(downloaded={"tiny": Downloaded(), "other": Downloaded()}) as studio:
        gateway = behind(up, studio, llama)
        assert gateway.ask("completions", "alone").text == ANSWER
        other = gateway.ask("completions", "studio/other")
        assert other.text == ANSWER, other.body
        assert list(studio.loaded) == ["other"]
        told(gateway, lambda model: model.loaded is False)
        assert gateway.ask("completions", "alone").text == ANSWER


def test_a_model_that_its_ttl_put_out_is_woken_again(up: Starting, llama: LlamaServer) -> None:
    """An idle model leaves memory; the next client is covered for."""
    with LmStudio(load_seconds=3) as studio:
        gateway = behind(up, studio, llama)
        assert gateway.ask("completions", "alone").text == ANSWER
        told(gateway, lambda model: model.loaded is True)
        studio.loaded["tiny"].ttl = 0.1
        told(gateway, lambda model: model.loaded is False)
        assert gateway.ask("completions").text == TEXT
        told(gateway, lambda model: model.loaded is True)


def test_no_models_loaded_is_passed_over(up: Starting, llama: LlamaServer) -> None:
    """Without JIT it refuses between two probes: the next answers, and the client sees nothing of it."""
    with LmStudio(jit=False) as studio:
        studio.load("tiny")
        gateway = behind(up, studio, llama)
        studio.loaded.clear()
        for stream in (False, True):
            reply = gateway.ask("completions", stream=stream)
            assert (reply.status, reply.text) == (200, TEXT)


def test_its_responses_can_be_gone_on_from(up: Starting, llama: LlamaServer) -> None:
    """It keeps them: a previous response is known where it was given, and one that it never gave is refused."""
    with LmStudio() as studio:
        studio.load("tiny")
        gateway = behind(up, studio, llama)
        with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key="x", max_retries=0) as client:
            first = client.responses.create(model="alone", input="hi")
            second = client.responses.create(model="alone", input="and?", previous_response_id=first.id)
            assert second.output_text == ANSWER
            with pytest.raises(openai.APIStatusError):
                client.responses.create(model="alone", input="and?", previous_response_id="resp_strange")


def test_a_key_is_sent_and_a_wrong_one_found_out(up: Starting, llama: LlamaServer) -> None:
    """Its API tokens, off by default."""
    with LmStudio(key="lm-token") as studio:
        studio.load("tiny")
        gateway = behind(up, studio, llama, key="lm-token")
        assert gateway.ask("messages").text == ANSWER
        studio.key = "another"
        until(lambda: "Unauthorized" in gateway.said, what="the key found out")
        assert gateway.ask("messages").text == TEXT


def test_what_is_no_path_of_it_is_no_list(up: Starting, llama: LlamaServer) -> None:
    """It answers 200 with an error to anything: a base URL that ends elsewhere is told of, with how to mend it."""
    with LmStudio() as studio:
        gateway = up([*provider("studio", "LMStudio", f"{studio.base_url}/wrong"), route("assistant", "studio/tiny")])
        assert "NotOpenAICompatible" in gateway.said
        assert "is spec.endpoint.baseUrl right?" in gateway.said
