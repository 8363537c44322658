"""Files and found servers become a World."""

from __future__ import annotations

import pytest

from pointsman.fleet.render import credentials, render
from pointsman.local import found
from pointsman.local.load import found as loaded
from pointsman.local.load import load
from pointsman.local.source import SourceError, Texts
from pointsman.names import Mode
from pointsman.served import ServedModel

URL = "http://127.0.0.1:4180"
PROVIDER = """
apiVersion: pointsman.dev/v1alpha1
kind: ModelProvider
metadata: {name: near}
spec:
  type: Ollama
  endpoint:
    baseUrl: http://127.0.0.1:11434
    credentials: {secretRef: {name: key, key: token}}
"""
SECRET = """
apiVersion: v1
kind: Secret
metadata: {name: key}
stringData: {token: s3cret}
"""
OPENCLAW = """
{ agents: { defaults: { model: { primary: "box/m" }, models: { "box/m": { alias: "Local" } } } },
  models: { mode: "replace", providers: { box: { baseUrl: "http://127.0.0.1:8000/v1", apiKey: "${KEY}",
    api: "openai-completions", models: [{ id: "m", name: "M" }] } } } }
"""


def test_objects_of_several_files_are_one_world() -> None:
    """A Secret in one file is the credential of a provider in another."""
    world = load(Texts(yaml={"a.yaml": PROVIDER, "b.yaml": SECRET}), {}, URL).world
    assert credentials(world) == {"near": "s3cret"}
    assert [provider.name for provider in render(world).providers] == ["near"]


def test_an_openclaw_config_is_imported_with_its_mode_and_keys() -> None:
    """Its keys come from the environment, its routes from its agents."""
    loaded = load(Texts(openclaw={"openclaw.json5": OPENCLAW}), {"KEY": "k"}, URL)
    assert loaded.world.mode is Mode.REPLACE
    assert list(credentials(loaded.world).values()) == ["k"]
    [route] = render(loaded.world).routes
    assert "Local" in (route.model_name, *route.aliases)


@pytest.mark.parametrize(
    ("texts", "says"),
    [
        (Texts(yaml={"a.yaml": PROVIDER.replace("baseUrl", "baseURL")}), "did you mean baseUrl"),
        (Texts(yaml={"a.yaml": "kind: ["}), "a.yaml"),
        (Texts(openclaw={"o.json5": OPENCLAW}), "KEY"),
        (Texts(yaml={"a.yaml": PROVIDER, "b.yaml": PROVIDER}), "remove one"),
    ],
    ids=["unknown field", "no YAML", "no such variable", "twice"],
)
def test_what_cannot_be_read_is_said_with_its_place(texts: Texts, says: str) -> None:
    """Every error of a reader becomes one kind of error for the command."""
    with pytest.raises(SourceError) as caught:
        load(texts, {}, URL)
    assert says in str(caught.value)


def test_found_servers_make_a_table() -> None:
    """What the search found can be rendered at once."""
    things = found.objects({"Ollama": (ServedModel(id="m"),)})
    table = render(loaded(things, URL).world)
    assert {route.model_name for route in table.routes} == {"default", "m"}
