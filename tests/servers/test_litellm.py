"""A real LiteLLM proxy in front of llama-server: three dialects, its key, its ways of saying no, its cooldowns."""

from __future__ import annotations

from collections.abc import Iterator

import anthropic
import openai
import pytest

from gateway.conftest import DIALECTS
from servers.upprocess import Up, provider, route
from testbed import litellm as environment
from testbed.litellm import KEY, LiteLlm, backend
from testbed.llama import LlamaServer
from testbed.ports import free_port
from testbed.tinymodel import TEXT

pytestmark = [
    pytest.mark.skipif(
        environment.installed() is None, reason="LiteLLM is not installed: `make test-real` does that (576 MB)"
    ),
    pytest.mark.timeout(300),
]
FORMS = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])


@pytest.fixture(scope="module")
def litellm(llama: LlamaServer) -> Iterator[LiteLlm]:
    """One proxy, as it comes. `tiny` works, the backend of `gone` does not answer, `strange` is not known there."""
    models = {
        "tiny": backend(llama.base_url),
        "gone": backend(f"http://127.0.0.1:{free_port()}"),
        "strange": {"model": "openai/x", "api_base": f"{llama.base_url}/no/such/path", "api_key": "none"},
    }
    with LiteLlm(models, cooldowns=True) as running:
        yield running


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, litellm: LiteLlm, llama: LlamaServer) -> Iterator[Up]:
    """A gateway before it, with llama-server itself to fall back on."""
    objects = [
        *provider("proxy", "LiteLLM", f"{litellm.base_url}/v1", KEY),
        *provider("unlocked", "LiteLLM", f"{litellm.base_url}/v1"),
        *provider("mistaken", "LiteLLM", f"{litellm.base_url}/v1", "sk-wrong"),
        *provider("blind", "LiteLLM", litellm.base_url, KEY, probe={"mode": "None"}, models=[{"id": "nope"}]),
        *provider("near", "LlamaCpp", llama.base_url),
        route("tiny-alone", "proxy/tiny"),
        route("nope-alone", "blind/nope"),
        route("nope", "blind/nope", "near/tiny"),
        *(route(model, f"proxy/{model}", "near/tiny") for model in ("gone", "strange")),
        *(route(name, f"{name}/tiny", "near/tiny") for name in ("unlocked", "mistaken")),
    ]
    with Up(tmp_path_factory.mktemp("litellm"), objects) as running:
        yield running


@pytest.mark.parametrize("dialect", DIALECTS)
@FORMS
def test_it_answers_in_three_dialects(gateway: Up, dialect: str, stream: bool) -> None:
    """As it speaks them all."""
    reply = gateway.ask(dialect, "tiny-alone", stream=stream)
    assert (reply.status, reply.whole, reply.text) == (200, True, TEXT)
    assert "answered=proxy/tiny; attempts=1" in reply.decision


def test_the_sdks_can_follow_it(gateway: Up) -> None:
    """Their helpers, which are strict."""
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key="x", max_retries=0) as client:
        turns = [{"role": "user", "content": "hi"}]
        with client.chat.completions.stream(model="tiny-alone", messages=turns) as chat:  # type: ignore[arg-type]
            assert chat.get_final_completion().choices[0].message.content == TEXT
    with (
        anthropic.Anthropic(base_url=gateway.url, api_key="x", max_retries=0) as claude,
        claude.messages.stream(model="tiny-alone", max_tokens=99, messages=[{"role": "user", "content": "hi"}]) as said,
    ):
        assert said.get_final_text() == TEXT


def test_the_strict_sdk_can_follow_a_responses_stream(gateway: Up) -> None:
    """It hands on what its backend says, which here is llama-server."""
    with (
        openai.OpenAI(base_url=f"{gateway.url}/v1", api_key="x", max_retries=0) as client,
        client.responses.stream(model="tiny-alone", input="hi") as stream,
    ):
        assert stream.get_final_response().output_text == TEXT


@pytest.mark.parametrize("dialect", DIALECTS)
@FORMS
def test_an_unknown_model_is_no_fault_of_the_client(gateway: Up, dialect: str, stream: bool) -> None:
    """It says 400, which is read for what it means: the next is asked; without one it is an upstream's failure."""
    reply = gateway.ask(dialect, "nope", stream=stream)
    assert (reply.status, reply.text) == (200, TEXT)
    assert gateway.ask(dialect, "nope-alone", stream=stream).status == 503


@pytest.mark.parametrize("dialect", DIALECTS)
@FORMS
@pytest.mark.parametrize("model", ["gone", "strange"])
def test_what_fails_behind_it_is_stood_in_for(gateway: Up, dialect: str, stream: bool, model: str) -> None:
    """It says 500 of a backend that is not there, and hands its backends' 404 on."""
    reply = gateway.ask(dialect, model, stream=stream)
    assert (reply.status, reply.text) == (200, TEXT)
    assert "answered=near/tiny" in reply.decision


def test_its_cooldowns_are_about_one_model(gateway: Up) -> None:
    """One that cools is passed over; the others of the same proxy answer."""
    for _ in range(4):
        assert gateway.ask("completions", "gone").text == TEXT
    reply = gateway.ask("completions", "tiny-alone")
    assert (reply.status, reply.text) == (200, TEXT)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_prompt_that_is_too_long_is_refused_as_such(gateway: Up, dialect: str) -> None:
    """It wraps its backend's words in its own."""
    text = "zqx " * 12_000
    content = {"input": text} if dialect == "responses" else {"messages": [{"role": "user", "content": text}]}
    reply = gateway.ask(dialect, "tiny-alone", **content)
    assert (reply.status, reply.json["error"]["code"]) == (400, "context_length_exceeded")


@pytest.mark.parametrize("name", ["unlocked", "mistaken"])
def test_a_missing_and_a_wrong_key_are_found_out(gateway: Up, name: str) -> None:
    """A wrong one is 400 without a database: the probe knows."""
    reply = gateway.ask("completions", name)
    assert (reply.status, reply.text) == (200, TEXT)
    assert any(
        line.split()[:3] == ["provider", name, "Down"] and "Unauthorized" in line for line in gateway.said.splitlines()
    )


def test_where_it_passes_requests_to_stays_its_own(gateway: Up, llama: LlamaServer) -> None:
    """Its headers name the backend's address, which is none of the client's business."""
    reply = gateway.ask("completions", "tiny-alone")
    assert llama.base_url not in str(reply.fields)
    assert not [name for name in reply.fields if name.startswith("x-litellm")]
