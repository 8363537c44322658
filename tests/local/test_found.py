"""Servers found running become objects."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pointsman.api.provider import ModelProviderSpec
from pointsman.api.route import ModelRouteSpec
from pointsman.local import found
from pointsman.local.load import found as loaded
from pointsman.names import USUAL_PORTS
from pointsman.served import ServedModel

ids = st.text("abcXYZ0189:/._-", min_size=1, max_size=20)
servers = st.dictionaries(
    st.sampled_from(sorted(USUAL_PORTS)),
    st.lists(ids, max_size=4, unique=True).map(lambda names: tuple(ServedModel(id=name) for name in names)),
)


@given(servers)
def test_what_is_found_makes_objects_that_are_accepted(running: dict[str, tuple[ServedModel, ...]]) -> None:
    """Each server is a provider, each model a route, and all of them are valid."""
    objects = found.objects(running)
    providers = [thing for thing in objects if thing["kind"] == "ModelProvider"]
    routes = [thing for thing in objects if thing["kind"] == "ModelRoute"]
    assert {provider["spec"]["type"] for provider in providers} == set(running)
    for provider in providers:
        ModelProviderSpec.model_validate(provider["spec"])
    for route in routes:
        ModelRouteSpec.model_validate(route["spec"])
    assert {model.id for models in running.values() for model in models} <= {r["spec"]["modelName"] for r in routes}
    assert len({route["metadata"]["name"] for route in routes}) == len(routes)


def test_default_falls_back_from_server_to_server() -> None:
    """A client that knows no model name asks for `default`."""
    objects = found.objects({"Ollama": (ServedModel(id="a"), ServedModel(id="b")), "LMStudio": (ServedModel(id="c"),)})
    default = next(thing for thing in objects if thing["metadata"]["name"] == "default")
    assert default["spec"] == {
        "modelName": "default",
        "primary": {"provider": "lmstudio", "model": "c"},
        "fallbacks": [{"provider": "ollama", "model": "a"}],
    }


def test_a_model_on_two_servers_has_one_route_over_both() -> None:
    """The name is the same, so either may answer."""
    objects = found.objects({"Ollama": (ServedModel(id="m"),), "VLLM": (ServedModel(id="m"),)})
    chain = next(thing["spec"] for thing in objects if thing.get("spec", {}).get("modelName") == "m")
    assert [chain["primary"]["provider"], chain["fallbacks"][0]["provider"]] == ["ollama", "vllm"]


def test_a_proxy_is_external_until_somebody_says_otherwise() -> None:
    """Where a LiteLLM stands says nothing of where it sends what it is sent; that is told, and how to say otherwise."""
    places = {each["metadata"]["name"]: each["spec"] for each in found.objects({"LiteLLM": (), "Ollama": ()})}
    assert places["litellm"]["dataPolicy"] == {"location": "External"}
    assert places["ollama"]["dataPolicy"] == {"location": "OnPremises"}
    (said,) = found.warnings(["LiteLLM", "Ollama"])
    assert "spec.dataPolicy.location is OnPremises" in said
    assert loaded(found.objects({"LiteLLM": ()}), "http://127.0.0.1:1").warnings == (said,)
