"""Unsound specs: each is refused with the path and how to mend it; sound ones are not."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.worlds import Json
from pointsman.api.provider import ModelProviderSpec
from pointsman.api.route import ModelRouteSpec
from pointsman.fleet import validity


def at_endpoint(**fields: Any) -> list[str]:
    place = {"baseUrl": "http://h/v1"} | fields
    return list(validity.provider(ModelProviderSpec.model_validate({"type": "VLLM", "endpoint": place})))


def in_deploy(**fields: Any) -> list[str]:
    spec = {"type": "VLLM", "deploy": {"model": {"source": "hf://o/m"}} | fields}
    return list(validity.provider(ModelProviderSpec.model_validate(spec)))


def in_model(**fields: Any) -> list[str]:
    spec = {"type": "VLLM", "endpoint": {"baseUrl": "http://h/v1"}, "models": [{"id": "m"} | fields]}
    return list(validity.provider(ModelProviderSpec.model_validate(spec)))


def of_type(kind: str, **fields: Any) -> list[str]:
    spec = {"type": kind, "endpoint": {"baseUrl": "http://h/v1"}} | fields
    return list(validity.provider(ModelProviderSpec.model_validate(spec)))


def in_route(**fields: Any) -> list[str]:
    spec = {"modelName": "x", "primary": {"provider": "p", "model": "m"}} | fields
    return list(validity.route(ModelRouteSpec.model_validate(spec)))


@pytest.mark.parametrize(
    "url",
    [
        "ftp://host/", "http:///v1/", "http://h:99999/", "http://u:p@host/", "http://h/?a=1", "http://h/#a",
        "http://h/a b", "http://[::1/v1", "http://hö/v1", "hostname:8000", "http://h:0/v1", "http://h/\n/v1",
    ],
)  # fmt: skip
def test_what_is_no_plain_url_is_refused(url: str) -> None:
    """Also what a client would only notice when it is too late."""
    (wrong,) = at_endpoint(baseUrl=url)
    assert wrong.startswith("spec.endpoint.baseUrl: ")


@pytest.mark.parametrize("url", ["http://h/v1", "https://h:8443/api/v1/", "http://[::1]:8000/v1", "http://10.0.0.1:1"])
def test_plain_urls_pass(url: str) -> None:
    """With or without port, path and final slash."""
    assert at_endpoint(baseUrl=url) == []


@pytest.mark.parametrize(
    "headers",
    [{"x y": "1"}, {"": "1"}, {"x": "a\r\nhost: evil"}, {"Authorization": "Bearer k"}, {"HOST": "h"}, {"x": "ü"}],
)
def test_headers_that_would_break_a_request_or_hold_a_secret_are_refused(headers: dict[str, str]) -> None:
    """Framing is the gateway's, keys belong into a Secret."""
    (wrong,) = at_endpoint(headers=headers)
    assert wrong.startswith("spec.endpoint.headers: ")


@pytest.mark.parametrize(
    ("found", "path"),
    [
        (at_endpoint(tls={"caBundle": "LS0t"}), "spec.endpoint.tls.caBundle: "),
        (in_deploy(resources={"cpu": "much"}), "spec.deploy.resources[cpu]: "),
        (in_deploy(resources={"nvidia.com/gpu": 1}), "spec.deploy.resources: nvidia.com/gpu "),
        (in_deploy(sharedMemorySize="8 GB"), "spec.deploy.sharedMemorySize: "),
        (in_deploy(startupTimeout="0s"), "spec.deploy.startupTimeout: "),
        (in_deploy(model={"source": "ftp://o/m"}), "spec.deploy.model.source: "),
        (in_deploy(engine={"extraArgs": ["--port=1"]}), "spec.deploy.engine.extraArgs: "),
        (in_model(compat={"supportsTools": "no"}), "spec.models[0].compat.supportsTools: "),
        (in_model(compat={"thinkingFormat": "Qwen"}), "spec.models[0].compat.thinkingFormat: "),
        (in_model(compat={"reasoningEffortMap": ["low"]}), "spec.models[0].compat.reasoningEffortMap: "),
        (
            of_type("OpenAICompatible", models=[{"id": "m", "compat": {"vercelGatewayRouting": {"zdr": True}}}]),
            "spec.models[0].compat.vercelGatewayRouting: ",
        ),
        (
            in_model(compat={"openRouterRouting": {"zdr": True}}),
            "spec.models[0].compat.openRouterRouting: only for type OpenRouter",
        ),
        (
            in_model(compat={"vercelGatewayRouting": {"only": ["a"]}}),
            "spec.models[0].compat.vercelGatewayRouting: only for type OpenAICompatible",
        ),
        (
            of_type(
                "OpenAICompatible",
                api=["anthropic-messages"],
                models=[{"id": "m", "compat": {"vercelGatewayRouting": {"only": ["a"]}}}],
            ),
            "spec.models[0].compat.vercelGatewayRouting: holds in openai-completions alone",
        ),
        (in_model(cost={"input": float("inf")}), "spec.models[0].cost: "),
        (of_type("VLLM", keepLoaded="1h"), "spec.keepLoaded: needs type Ollama or LMStudio, not VLLM"),
        (of_type("Ollama", keepLoaded="0s"), "spec.keepLoaded: "),
        (of_type("Ollama", keepLoaded="200h"), "spec.keepLoaded: "),
        (in_route(fallbacks=[{"provider": "p", "model": "m"}]), "spec.fallbacks: p/m "),
        (in_route(aliases=["x"]), "spec.aliases: 'x' "),
        (in_route(policy={"timeouts": {"connect": "0s"}}), "spec.policy.timeouts.connect: "),
        (in_route(policy={"timeouts": {"firstToken": "900h"}}), "spec.policy.timeouts.firstToken: "),
        (in_route(policy={"circuitBreaker": {"openDuration": "0ms"}}), "spec.policy.circuitBreaker.openDuration: "),
        (in_route(policy={"dataPolicy": {"allowedLocations": []}}), "spec.policy.dataPolicy.allowedLocations: "),
        (in_route(policy={"dataPolicy": {"allowedRegions": []}}), "spec.policy.dataPolicy.allowedRegions: "),
    ],
)
def test_a_contradiction_is_named_once_by_its_path(found: list[str], path: str) -> None:
    """One mistake, one line."""
    (wrong,) = found
    assert wrong.startswith(path)


def test_sound_specs_pass() -> None:
    """With every part there is."""
    assert of_type("Ollama", keepLoaded="Forever") == of_type("LMStudio", keepLoaded="1h30m") == []
    policy: Json = {
        "timeouts": {"connect": "2s"},
        "circuitBreaker": {"openDuration": "5s"},
        "dataPolicy": {"allowedLocations": ["InCluster"], "allowedRegions": ["eu"]},
    }
    assert in_route(aliases=["y"], fallbacks=[{"provider": "p", "model": "n"}], policy=policy) == []
    assert in_deploy(resources={"cpu": 4}, sharedMemorySize="8Gi", startupTimeout="1h") == []
    assert in_model(compat={"supportsTools": True}, cost={"input": 1.5}) == []
    assert at_endpoint(headers={"x-team": "a b"}, tls={"caBundle": "-----BEGIN CERTIFICATE-----\n"}) == []


@pytest.mark.parametrize("routing", [True, [], {"only": []}, {"only": "a"}, {"only": [1]}, {"only": [""]}])
def test_a_pin_that_names_nobody_is_refused(routing: Any) -> None:
    """OpenRouter would take an empty list for everybody."""
    stated = {"openRouterRouting": routing}
    assert "compat.openRouterRouting" in of_type("OpenRouter", models=[{"id": "m", "compat": stated}])[0]
    sound = {"openRouterRouting": {"only": ["a"], "zdr": True}, "supportsJsonSchemaResponseFormat": False}
    assert of_type("OpenRouter", models=[{"id": "m", "compat": sound}]) == []


@pytest.mark.parametrize(
    ("policy", "path"),
    [
        ({"timeouts": {"whole": "0s"}}, "timeouts.whole"),
        ({"hedging": {"after": "0s"}}, "hedging.after"),
        ({"returnToPrimary": {"afterHealthy": "200h"}}, "returnToPrimary.afterHealthy"),
        ({"context": {"warnBelow": 1000, "blockBelow": 2000}}, "context.warnBelow"),
    ],
)
def test_a_policy_that_cannot_be_kept_is_refused(policy: Json, path: str) -> None:
    """Times of nothing or more than a week, and a warning for what is passed over anyway."""
    (wrong,) = in_route(policy=policy)
    assert wrong.startswith(f"spec.policy.{path}: ")


def test_windows_may_be_stated_in_part_or_switched_off() -> None:
    """A blockBelow above the default warning is no contradiction, nor is 0."""
    for context in ({}, {"blockBelow": 64000}, {"warnBelow": 0, "blockBelow": 8000}, {"warnBelow": 8, "blockBelow": 8}):
        assert in_route(policy={"context": context}) == []


@pytest.mark.parametrize(("of", "sound"), [("VLLM", True), ("SGLang", True), ("LlamaCpp", True), ("Ollama", False)])
def test_progress_is_for_servers_that_show_it(of: str, sound: bool) -> None:
    """Of the others a probe would prove nothing more than the list."""
    spec = {"type": of, "endpoint": {"baseUrl": "http://h"}, "probe": {"mode": "Progress"}}
    wrong = list(validity.provider(ModelProviderSpec.model_validate(spec)))
    assert [each.split(": ")[0] for each in wrong] == ([] if sound else ["spec.probe.mode"])


@pytest.mark.parametrize(
    ("name", "sound"), [("a-1", True), ("a" * 52, True), ("a" * 53, False), ("a.b", False), ("-a", False)]
)
def test_a_name_must_do_for_a_service_a_label_and_a_file(name: str, sound: bool) -> None:
    """Files can hold any name; the CRD's rule holds for them too."""
    assert (list(validity.name(name)) == []) is sound


@given(st.text(min_size=8, max_size=40))
def test_no_text_is_too_odd_to_be_judged(url: str) -> None:
    """A verdict, never an exception."""
    assert isinstance(at_endpoint(baseUrl=url), list)
