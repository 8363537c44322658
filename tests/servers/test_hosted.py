"""Hosted vendors, with aimock in their place: each type with its key, its list of models and its error shapes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from gateway.conftest import DIALECTS, Reply
from servers.upprocess import Object, Up, provider, route
from testbed.aimock import ANSWER, KEY, Aimock
from testbed.llama import LlamaServer
from testbed.tinymodel import TEXT

FAULTS = ("limited", "broken", "cut", "unpaid", "forbidden")
VENDORS = {  # type -> the dialects that it speaks, and where below aimock it is
    "OpenAI": (("completions", "responses"), "/v1"),
    "Anthropic": (("messages",), ""),
    "OpenRouter": (("completions",), "/api/v1"),
}
SPOKEN = [(kind, dialect) for kind, (dialects, _) in VENDORS.items() for dialect in dialects]
FORMS = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
SPEAKING = pytest.mark.parametrize(("kind", "dialect"), SPOKEN)


def objects(aimock: Aimock, llama: LlamaServer) -> list[Object]:
    """Routes TYPE-MODEL: that model at a vendor of its own, as some faults are the account's, with one to fall back on.

    An answer that was cut off is taken up by the same vendor, others would answer in other words.
    """
    found: list[Object] = provider("near", "LlamaCpp", llama.base_url)
    for kind, (_, path) in VENDORS.items():
        for model in ("ok", "tool", "reasons", *FAULTS):
            name = f"{kind}-{model}".lower()
            found += provider(name, kind, aimock.base_url + path, KEY)
            found.append(
                route(f"{kind}-{model}", f"{name}/{model}", f"{kind.lower()}-ok/ok" if model == "cut" else "near/tiny")
            )
        found.append(route(f"{kind}-alone", f"{kind.lower()}-ok/ok"))
    found += provider("keyless", "OpenAI", f"{aimock.base_url}/v1", "not-the-key")
    return [*found, route("keyless", "keyless/ok", "near/tiny")]


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, aimock: Aimock, llama: LlamaServer) -> Iterator[Up]:
    """One gateway before all of them."""
    with Up(tmp_path_factory.mktemp("hosted"), objects(aimock, llama)) as running:
        yield running


def calls(reply: Reply) -> set[str]:
    """The names of the tools that an answer of any form calls."""
    found: set[str] = set()

    def look(value: Any) -> None:
        if isinstance(value, dict):
            if value.get("type") in {"function_call", "tool_use"} and value.get("name"):
                found.add(value["name"])
            if isinstance(value.get("function"), dict) and value["function"].get("name"):
                found.add(value["function"]["name"])
            value = list(value.values())
        for each in value if isinstance(value, list) else ():
            look(each)

    streamed = reply.fields["content-type"].startswith("text/event-stream")
    look(reply.events if streamed else reply.json)
    return found


@SPEAKING
@FORMS
def test_a_healthy_vendor_answers(gateway: Up, kind: str, dialect: str, stream: bool) -> None:
    """In its own dialects, with its key in its own header."""
    reply = gateway.ask(dialect, f"{kind}-ok", stream=stream)
    assert (reply.status, reply.whole, reply.text) == (200, True, ANSWER)
    assert f"answered={kind.lower()}-ok/ok; attempts=1" in reply.decision


@pytest.mark.parametrize("kind", VENDORS)
@pytest.mark.parametrize("dialect", DIALECTS)
@FORMS
def test_any_client_is_answered_by_any_vendor(gateway: Up, kind: str, dialect: str, stream: bool) -> None:
    """What the vendor does not speak is translated."""
    reply = gateway.ask(dialect, f"{kind}-alone", stream=stream)
    assert (reply.status, reply.whole, reply.text) == (200, True, ANSWER)


@SPEAKING
@FORMS
@pytest.mark.parametrize("fault", FAULTS)
def test_a_failing_vendor_is_stood_in_for(gateway: Up, kind: str, dialect: str, fault: str, stream: bool) -> None:
    """Whatever its fault, the client gets a whole answer: from the next, or the rest of a broken one."""
    reply = gateway.ask(dialect, f"{kind}-{fault}", stream=stream)
    assert (reply.status, reply.whole, reply.text) == (200, True, ANSWER if fault == "cut" else TEXT)
    if not stream and fault != "cut":  # which only streams are
        assert reply.decision.split("; passed=")[1].startswith(f"{kind.lower()}-{fault}/{fault}:")


@SPEAKING
@FORMS
def test_tools_are_called(gateway: Up, kind: str, dialect: str, stream: bool) -> None:
    """A call comes through with its name, and is not taken for an empty answer."""
    reply = gateway.ask(dialect, f"{kind}-tool", stream=stream)
    assert (reply.status, calls(reply)) == (200, {"get_weather"})
    assert "attempts=1" in reply.decision


def test_retry_after_is_kept_to(gateway: Up, aimock: Aimock) -> None:
    """For the seven seconds that the vendor asked for, nothing goes there."""
    gateway.ask("completions", "OpenAI-limited")
    aimock.forget()
    reply = gateway.ask("completions", "OpenAI-limited")
    assert (reply.status, reply.text) == (200, TEXT)
    assert [entry["path"] for entry in aimock.journal() if entry["method"] == "POST"] == []


def test_a_wrong_key_is_found_out_by_the_probe(gateway: Up) -> None:
    """It is told in words that say how to mend it, and clients are answered by the next."""
    assert "Unauthorized" in gateway.said
    reply = gateway.ask("completions", "keyless")
    assert (reply.status, reply.text) == (200, TEXT)


def test_what_a_vendor_lists_is_found(gateway: Up) -> None:
    """OpenRouter's windows come from its list of models."""
    found = gateway.model("openrouter-ok", "ok")
    assert found is not None
    assert found.context_window == 128000
    assert {"OpenAI-ok", "Anthropic-ok", "openai-ok/ok"} <= {each["id"] for each in gateway.get("/v1/models")["data"]}
