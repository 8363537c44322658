"""From a ModelProvider to what is asked of it."""

from typing import Any

import pytest

from pointsman.fleet.world import Provider, read_provider
from pointsman.names import Dialect
from pointsman.prober.ask import Mode, TlsSettings
from pointsman.prober.request import ProbeTarget, target
from pointsman.prober.thresholds import Settings


def provider(**spec: Any) -> Provider:
    base: dict[str, Any] = {"type": "VLLM", "endpoint": {"baseUrl": "http://h:8000/v1"}}
    return read_provider({"metadata": {"name": "p", "namespace": "n"}, "spec": base | spec})


def aimed(token: str = "", addresses: tuple[str, ...] = (), **spec: Any) -> ProbeTarget:
    found = target(provider(**spec), token, addresses)
    assert found
    return found


DEPLOY: dict[str, Any] = {"endpoint": None, "deploy": {"model": {"source": "hf://Qwen/Qwen3-32B"}}}


@pytest.mark.parametrize("url", ["http://h:8000", "http://h:8000/", "http://h:8000/v1", "http://h:8000/v1/"])
def test_a_base_url_is_normalised(url: str) -> None:
    """With or without /v1, the same place is asked."""
    assert aimed(endpoint={"baseUrl": url}).request.base_urls == ("http://h:8000",)


def test_local_and_hosted_servers_have_their_own_pace() -> None:
    """10 s and 5 s, 60 s and 10 s; what is said to be External counts as hosted; engines are asked every 5 s."""
    anthropic = {"type": "Anthropic", "endpoint": {"baseUrl": "https://api.anthropic.com"}}
    near: dict[str, Any] = {"type": "LMStudio"}
    assert (aimed(**near).settings, aimed(**near).request.timeout) == (Settings(period=10), 5.0)
    assert (aimed().settings, aimed().request.timeout) == (Settings(period=5, patience=2), 5.0)
    for spec in (anthropic, {"dataPolicy": {"location": "External"}}):
        assert (aimed(**spec).settings.period, aimed(**spec).request.timeout) == (60, 10.0)


@pytest.mark.parametrize(
    ("spec", "mode"),
    [
        ({}, Mode.ALIVE),
        ({"type": "SGLang"}, Mode.ALIVE),
        ({"type": "LlamaCpp", "dataPolicy": {"location": "OnPremises"}}, Mode.ALIVE),
        ({"dataPolicy": {"location": "External"}}, Mode.MODELS),
        ({"type": "Ollama"}, Mode.MODELS),
        ({"type": "OpenAICompatible"}, Mode.MODELS),
        ({"type": "OpenAI"}, Mode.MODELS),
        ({"type": "OpenAI", "probe": {"mode": "Completion"}}, Mode.COMPLETION),
        ({"dataPolicy": {"location": "External"}, "probe": {"mode": "Completion"}}, Mode.COMPLETION),
        ({"probe": {"mode": "Progress"}}, Mode.PROGRESS),
        ({"probe": {"mode": "Models"}}, Mode.MODELS),
    ],
)
def test_tokens_of_others_are_asked_for_only_where_the_object_says_so(spec: dict[str, Any], mode: Mode) -> None:
    """Engines near by prove that they move, all others only list their models."""
    assert aimed(**spec).request.mode is mode


def test_the_models_that_routes_name_come_along_where_a_token_is_asked_for() -> None:
    """Otherwise a route that comes or goes would begin the probe anew."""
    named = target(provider(), "", (), ("m", "n"))
    assert named
    assert (named.request.models, named.request.dialect) == (("m", "n"), Dialect.CHAT)
    assert target(provider(type="Ollama"), "", (), ("m",)) == target(provider(type="Ollama"), "", ())
    assert aimed(api=["anthropic-messages", "openai-completions"]).request.dialect is Dialect.MESSAGES


def test_what_the_object_says_wins() -> None:
    """Period, timeout, thresholds and path of spec.probe; a stated period is kept for dead servers too."""
    probe = {"period": "500ms", "timeout": "2s", "failureThreshold": 5, "successThreshold": 2, "path": "/models"}
    found = aimed(probe=probe)
    assert found.settings == Settings(period=0.5, failure_threshold=5, patience=5, success_threshold=2, steady=True)
    assert (found.request.timeout, found.request.path) == (2.0, "/models")


def test_a_period_cannot_be_a_busy_loop() -> None:
    """However short it is stated."""
    assert aimed(probe={"period": "1ms"}).settings.period == 0.1


def test_tls_and_headers_come_along() -> None:
    """As the gateway sends and verifies."""
    pem = "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n"
    tls = {"caBundle": pem, "serverName": "s", "insecureSkipVerify": True}
    found = aimed("key", endpoint={"baseUrl": "https://h", "headers": {"x-b": "2", "x-a": "1"}, "tls": tls})
    assert found.request.tls == TlsSettings(pem, "s", insecure=True)
    assert found.request.headers == {"x-a": "1", "x-b": "2"}
    assert found.request.token == "key"


def test_a_deployed_server_is_asked_at_its_addresses() -> None:
    """Every ready replica, in one order whatever the cluster says, with the key that was made for it."""
    found = aimed("key", ("10.0.0.2:8000", "10.0.0.1:8000"), **DEPLOY)
    assert found.request.base_urls == ("http://10.0.0.1:8000", "http://10.0.0.2:8000")
    assert found.request.token == "key"


@pytest.mark.parametrize(
    "spec",
    [
        {"suspend": True},
        {"probe": {"mode": "None"}},
        {"probe": {"mode": "None"}, "discovery": "Static"},
        {"type": "Ollama", "probe": {"mode": "Progress"}},  # refused: it shows none
        DEPLOY,  # no address yet
        {"endpoint": {"baseUrl": "ftp://h"}},
        {"type": "Nonsense"},
    ],
)
def test_nothing_is_asked_of_what_is_not_in_use(spec: dict[str, Any]) -> None:
    """Suspended, switched off, refused, unreadable, or without an address."""
    assert target(provider(**spec), "", ()) is None


def test_a_provider_that_is_being_deleted_is_left_alone() -> None:
    """Its server may be going, too."""
    body = {"metadata": {"name": "p", "deletionTimestamp": "2026-01-01T00:00:00Z"}}
    spec = {"type": "VLLM", "endpoint": {"baseUrl": "http://h"}}
    assert target(read_provider(body | {"spec": spec}), "", ()) is None


def test_identity_is_the_place_and_the_credentials() -> None:
    """Another address, key, header or authority is another server; another pace or replica is not."""
    base = aimed().identity
    assert aimed(probe={"period": "1s"}, models=[{"id": "m"}]).identity == base
    assert aimed("key").identity != base
    assert aimed(endpoint={"baseUrl": "http://other:8000"}).identity != base
    assert aimed(endpoint={"baseUrl": "http://h:8000", "headers": {"a": "b"}}).identity != base
    assert aimed("", ("10.0.0.1:8000",), **DEPLOY).identity == aimed("", ("10.0.0.2:8000",), **DEPLOY).identity
