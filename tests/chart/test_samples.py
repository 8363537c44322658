"""manifests/samples: one of each, and nothing in them that this release does not do."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from pointsman.api.provider import ModelProviderSpec
from pointsman.api.route import ModelRouteSpec
from pointsman.fleet import unimplemented, validity
from pointsman.names import GATEWAY_LABEL, ProviderType

SAMPLES = Path(__file__).parents[2] / "manifests" / "samples"
OBJECTS: list[dict[str, Any]] = [
    body for path in sorted(SAMPLES.glob("*.yaml")) for body in yaml.safe_load_all(path.read_text())
]
PROVIDERS = {body["metadata"]["name"]: body for body in OBJECTS if body["kind"] == "ModelProvider"}
ROUTES = {body["metadata"]["name"]: body for body in OBJECTS if body["kind"] == "ModelRoute"}
SECRETS = {body["metadata"]["name"]: body for body in OBJECTS if body["kind"] == "Secret"}


def test_every_provider_type_has_its_sample() -> None:
    """And vLLM both: deployed here, and run by others."""
    assert {body["spec"]["type"] for body in PROVIDERS.values()} == {each.value for each in ProviderType}
    ours = {"deploy" in body["spec"] for body in PROVIDERS.values() if body["spec"]["type"] == ProviderType.VLLM}
    assert ours == {True, False}


@pytest.mark.parametrize("name", PROVIDERS)
def test_a_provider_is_accepted(name: str) -> None:
    """Sound, implemented, and its Secret is in the same file."""
    spec = ModelProviderSpec.model_validate(PROVIDERS[name]["spec"])
    assert list(validity.provider(spec)) == []
    assert unimplemented.refusals(spec) == []
    if spec.endpoint and spec.endpoint.credentials:
        ref = spec.endpoint.credentials.secret_ref
        assert ref.key in SECRETS[ref.name]["stringData"]


@pytest.mark.parametrize("name", ROUTES)
def test_a_route_is_accepted_and_leads_to_samples(name: str) -> None:
    """Its targets are models of the samples, inside its own fence."""
    spec = ModelRouteSpec.model_validate(ROUTES[name]["spec"])
    assert list(validity.route(spec)) == []
    assert unimplemented.refusals(spec) == []
    fence = spec.policy.data_policy if spec.policy else None
    for target in (spec.primary, *(spec.fallbacks or ())):
        provider = ModelProviderSpec.model_validate(PROVIDERS[target.provider]["spec"])
        stated = {entry.id for entry in provider.models or ()}
        served = provider.deploy.model.source.removeprefix("hf://") if provider.deploy else ""
        assert target.model in stated | {served}
        if fence and fence.allowed_regions and provider.endpoint:
            assert provider.data_policy
            assert provider.data_policy.region in fence.allowed_regions


def test_no_sample_holds_a_key() -> None:
    """Whoever applies one blindly is told by the condition CredentialsValid."""
    assert {value for body in SECRETS.values() for value in body["stringData"].values()} == {"REPLACE-ME"}


def test_the_sidecar_is_native_and_counted() -> None:
    """An init container that stays, ready before the rest starts, found by its label and its port's name."""
    [pod] = [body for body in OBJECTS if body["kind"] == "Pod"]
    assert pod["metadata"]["labels"] == {GATEWAY_LABEL: "true"}
    [gateway] = pod["spec"]["initContainers"]
    assert gateway["restartPolicy"] == "Always"
    assert gateway["startupProbe"]["httpGet"] == {"path": "/-/readyz", "port": "gateway"}
    assert pod["spec"]["automountServiceAccountToken"] is False
