"""What `pointsman up` says of its fleet."""

from __future__ import annotations

from pointsman.local import lines
from pointsman.local.load import load, with_probes
from pointsman.local.source import Texts
from pointsman.served import Probed, ServedModel, State

from .test_load import PROVIDER, SECRET

ROUTE = """
apiVersion: pointsman.dev/v1alpha1
kind: ModelRoute
metadata: {name: one}
spec: {modelName: one, primary: {provider: near, model: m}, fallbacks: [{provider: gone, model: m}]}
"""
OLLAMA = """
apiVersion: pointsman.dev/v1alpha1
kind: ModelProvider
metadata: {name: near}
spec: {type: Ollama, endpoint: {baseUrl: "http://127.0.0.1:11434"}, dataPolicy: {location: OnPremises}}
"""
WORLD = load(Texts(yaml={"a": PROVIDER, "b": SECRET, "c": ROUTE}), {}, "http://127.0.0.1:4180").world
UP = Probed(state=State.UP, reason="", message="", models=(ServedModel(id="m"),), models_known=True)
DOWN = Probed(state=State.DOWN, reason="ConnectionRefused", message="nobody listens")


def test_a_line_for_each_object() -> None:
    """A provider's standing, a route's chain with what is wrong with each target."""
    said = lines.standing(with_probes(WORLD, {"near": UP}))
    assert said == {"provider near": "Up       1 models", "route one": "near/m → gone/m (ProviderNotFound)"}


def test_only_what_changed_is_said() -> None:
    """Nothing is repeated, and what is gone is said once."""
    before = lines.standing(with_probes(WORLD, {"near": UP}))
    after = lines.standing(with_probes(WORLD, {"near": DOWN}))
    changed = lines.changed(before, after)
    assert len(changed) == 2
    assert "ConnectionRefused: nobody listens" in changed[0]
    assert "near/m (ConnectionRefused)" in changed[1]
    assert lines.changed(after, after) == []
    assert lines.changed(after, {}) == [f"{name:28} removed" for name in after]


def test_who_is_refused_is_named_with_the_reason() -> None:
    """A provider, a route, and a target whose provider it is."""
    bad = PROVIDER.replace("spec:", "spec:\n  models: [{id: m, compat: {openRouterRouting: {zdr: true}}}]", 1)
    refused = load(Texts(yaml={"a": bad, "b": SECRET, "c": ROUTE}), {}, "http://127.0.0.1:4180").world
    said = lines.standing(refused)
    assert said["provider near"].startswith("refused  InvalidSpec: spec.models[0].compat.openRouterRouting: ")
    assert (
        "near/m (provider near is not accepted: InvalidSpec: spec.models[0].compat.openRouterRouting"
        in said["route one"]
    )
    (line,) = lines.refusals(refused)
    assert line.startswith("provider near is refused: InvalidSpec: spec.models[0].compat.openRouterRouting: ")
    assert lines.refusals(WORLD) == []


def test_a_model_of_ollamas_cloud_is_told() -> None:
    """That what stands here does not keep it here."""
    cloudy = ROUTE.replace("model: m}, f", "model: 'm:cloud'}, f")
    world = load(Texts(yaml={"a": OLLAMA, "c": cloudy}), {}, "http://127.0.0.1:4180").world
    assert "hands m:cloud on to Ollama's cloud" in lines.standing(world)["warning: provider near"]
