"""llama-server's traps: a Responses stream that strict clients choke on, and any model name answered."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pytest
from openai.types.responses import ResponseCompletedEvent

from gateway.conftest import DIALECTS
from servers.upprocess import Up, provider, route
from testbed.llama import LlamaServer
from testbed.tinymodel import TEXT, TOOL_CALL, TinyModel

CITY: Any = {"type": "object", "properties": {"city": {"type": "string"}}}
TOOL: Any = {"type": "function", "name": "get_weather", "description": "x", "strict": False, "parameters": CITY}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, llama: LlamaServer) -> Iterator[Up]:
    """A gateway before a server that talks and one that calls a tool."""
    with LlamaServer(TinyModel("tool"), alias="calls") as calling:
        objects = [
            *provider("talking", "LlamaCpp", llama.base_url),
            *provider("calling", "LlamaCpp", calling.base_url),
            route("assistant", "talking/tiny"),
            route("weather", "calling/calls"),
            route("mistaken", "talking/no-such-model"),
            route("helped", "talking/no-such-model", "calling/calls"),
        ]
        with Up(tmp_path_factory.mktemp("llama"), objects) as running:
            yield running


@pytest.fixture
def client(gateway: Up) -> Iterator[openai.OpenAI]:
    """The official SDK."""
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key="x", max_retries=0) as made:
        yield made


def test_the_strict_sdk_can_follow_a_responses_stream(client: openai.OpenAI) -> None:
    """As it comes, its events have no indexes, for which the SDK's helper raises TypeError."""
    with client.responses.stream(model="assistant", input="hi") as stream:
        events = list(stream)
        assert stream.get_final_response().output_text == TEXT
    assert [event.sequence_number for event in events] == list(range(len(events)))


def test_the_strict_sdk_can_follow_a_call_in_a_responses_stream(client: openai.OpenAI) -> None:
    """The end of the arguments is told, which llama-server leaves out."""
    with client.responses.stream(model="weather", input="hi", tools=[TOOL]) as stream:
        kinds = [event.type for event in stream]
        [call] = [item for item in stream.get_final_response().output if item.type == "function_call"]
    assert "response.function_call_arguments.done" in kinds
    assert call.name == "get_weather"
    assert call.arguments.replace(" ", "") == '{"city":"Paris"}'


def test_an_answer_that_ran_into_its_limit_is_incomplete(client: openai.OpenAI) -> None:
    """In its own Responses llama-server says completed whatever the end was; in chat it tells."""
    reply = client.responses.create(model="assistant", input="hi", max_output_tokens=16)
    assert reply.status == "incomplete"
    assert reply.incomplete_details is not None
    assert reply.incomplete_details.reason == "max_output_tokens"


def test_lenient_clients_can_follow_it(client: openai.OpenAI) -> None:
    """The plain stream of events is read whatever they lack."""
    events = list(client.responses.create(model="assistant", input="hi", stream=True))
    assert isinstance(events[-1], ResponseCompletedEvent)
    assert events[-1].response.output_text == TEXT


def test_the_other_helpers_can_follow_their_streams(gateway: Up, client: openai.OpenAI) -> None:
    """Chat and Messages are right as they come."""
    with client.chat.completions.stream(model="assistant", messages=[{"role": "user", "content": "hi"}]) as chat:
        assert chat.get_final_completion().choices[0].message.content == TEXT
    with (
        anthropic.Anthropic(base_url=gateway.url, api_key="x", max_retries=0) as claude,
        claude.messages.stream(model="assistant", max_tokens=99, messages=[{"role": "user", "content": "hi"}]) as said,
    ):
        assert said.get_final_text() == TEXT


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_model_that_it_does_not_list_is_not_asked_for(gateway: Up, dialect: str) -> None:
    """It would answer 200 with whatever it has; a client that asked for one model is not given another."""
    reply = gateway.ask(dialect, "mistaken")
    assert (reply.status, reply.decision) == (503, "mistaken; attempts=0; passed=talking/no-such-model:skip")
    assert gateway.ask(dialect, "talking/no-such-model").status == 404
    assert gateway.ask(dialect, "gpt-4o").status == 404


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_next_is_asked_instead(gateway: Up, dialect: str) -> None:
    """A chain that begins with it goes on."""
    reply = gateway.ask(dialect, "helped")
    assert (reply.status, "answered=calling/calls" in reply.decision) == (200, True)
    assert TOOL_CALL[0]  # the call itself is text here, as no tool was offered
