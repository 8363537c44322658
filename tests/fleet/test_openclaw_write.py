"""The openclaw.json that points agents at the gateway."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.fleet.openclaw import read, write
from pointsman.fleet.openclaw_write import PROVIDERS
from pointsman.names import Dialect
from pointsman.table import Model, Provider, Route, RoutingTable, Target

URL = "http://127.0.0.1:4180"
LOCAL = Provider(
    name="lmstudio",
    type="LMStudio",
    base_url="http://127.0.0.1:1234",
    api=("openai-responses",),
    models=(Model(id="m", context_window=65536, max_tokens=8192, cost={"input": 0.0}),),
)
HOSTED = Provider(
    name="anthropic",
    type="Anthropic",
    base_url="https://api.anthropic.com",
    api=("anthropic-messages",),
    models=(Model(id="c", context_window=200000, input=("text", "image"), reasoning=True, cost={"input": 3.0}),),
)
VLLM = Provider(name="qwen", type="VLLM", base_url="http://q:8000", api=("openai-completions", "openai-responses"))
FOLLOWED = {
    "codeMode": "preferred", "visibleReasoningDetailTypes": ["response.text"], "supportsTools": False,
    "supportsReasoningEffort": True, "sendSessionIdHeader": False, "supportsTemperature": False,
}  # fmt: skip
SHAPED = {"requiresStringContent": True, "thinkingFormat": "qwen", "supportsStore": False, "strictMessageKeys": True}
STATED = msgspec.structs.replace(VLLM, name="followed", models=(Model(id="m", compat=FOLLOWED),))
LOCAL_TARGET, HOSTED_TARGET, VLLM_TARGET = (
    Target(provider="lmstudio", model="m"),
    Target(provider="anthropic", model="c"),
    Target(provider="qwen", model="Qwen/Q"),
)
ASSISTANT = Route(
    name="assistant", model_name="assistant", aliases=("Local", "MiniMax Local"), targets=(LOCAL_TARGET, HOSTED_TARGET)
)


def table(*routes: Route, mode: str = "Merge") -> RoutingTable:
    return RoutingTable(providers=(HOSTED, LOCAL, VLLM, STATED), routes=routes, mode=mode)


def test_a_route_is_offered_in_the_dialect_of_most_of_its_chain() -> None:
    """The primary's where none is spoken by more: the gateway translates to the others; no /v1 for Messages."""
    hosted = Route(name="hosted", model_name="hosted", targets=(HOSTED_TARGET, LOCAL_TARGET))
    most = Route(name="most", model_name="most", targets=(HOSTED_TARGET, LOCAL_TARGET, VLLM_TARGET))
    providers = write(table(ASSISTANT, hosted, most), URL)["models"]["providers"]
    assert {name: (p["baseUrl"], p["api"]) for name, p in providers.items()} == {
        "pointsman-responses": (f"{URL}/v1", "openai-responses"),
        "pointsman-messages": (URL, "anthropic-messages"),
    }
    offered = {name: [model["id"] for model in p["models"]] for name, p in providers.items()}
    assert offered["pointsman-messages"] == ["hosted"]
    assert {"assistant", "most"} <= set(offered["pointsman-responses"])


def test_what_the_whole_chain_can_do_is_what_is_said() -> None:
    """The smallest window and answer, the inputs and reasoning that all have, the costs of the primary."""
    [entry, *_] = write(table(ASSISTANT), URL)["models"]["providers"]["pointsman-responses"]["models"]
    assert entry == {
        "id": "assistant",
        "name": "assistant",
        "reasoning": False,
        "input": ["text"],
        "cost": {"input": 0, "output": 0, "cacheRead": 0, "cacheWrite": 0},
        "contextWindow": 65536,
        "maxTokens": 8192,
        "compat": {"supportsUsageInStreaming": True},
    }


def compat_of(*stated: dict[str, Any]) -> dict[str, Any]:
    """What OpenClaw is told of a chain whose models state this, beside the usage."""
    names = [f"p{i}" for i in range(len(stated))]
    providers = tuple(
        msgspec.structs.replace(VLLM, name=name, api=("openai-completions",), models=(Model(id="m", compat=each),))
        for name, each in zip(names, stated, strict=True)
    )
    targets = tuple(Target(provider=name, model="m") for name in names)
    routes = (Route(name="r", model_name="r", targets=targets),)
    [entry] = write(RoutingTable(providers=providers, routes=routes), URL)["models"]["providers"]["pointsman"]["models"]
    assert entry["compat"].pop("supportsUsageInStreaming") is True
    return dict(entry["compat"])


def test_what_a_client_can_follow_is_passed_on() -> None:
    """Where all of the chain state it alike; what the gateway sees to is not the client's to know."""
    assert compat_of(FOLLOWED | SHAPED, FOLLOWED) == FOLLOWED
    assert compat_of(FOLLOWED, FOLLOWED | {"codeMode": "capable", "supportsTools": True}) == {
        key: stated for key, stated in FOLLOWED.items() if key not in {"codeMode", "supportsTools"}
    }
    assert compat_of(FOLLOWED, {}) == compat_of({}, FOLLOWED) == {}


def test_a_server_remembers_for_itself_alone() -> None:
    """`supportsResponsesContinuation`: no other could go on with what it remembers."""
    assert compat_of({"supportsResponsesContinuation": True}) == {"supportsResponsesContinuation": True}
    assert compat_of(*[{"supportsResponsesContinuation": True}] * 2) == {}


def test_a_target_that_must_not_be_tried_does_not_count() -> None:
    """What is outside the fence neither widens nor narrows what the route can do."""
    fenced = Route(
        name="r", model_name="r", targets=(Target(provider="lmstudio", model="m", skip="outside"), HOSTED_TARGET)
    )
    providers = write(table(fenced), URL)["models"]["providers"]
    assert list(providers) == ["pointsman-messages"]
    assert providers["pointsman-messages"]["models"][0]["input"] == ["text", "image"]


def test_unknown_models_are_offered_without_figures() -> None:
    """OpenClaw's own defaults are better than invented ones."""
    [entry] = write(table(Route(name="q", model_name="q", targets=(VLLM_TARGET,))), URL)["models"]["providers"][
        "pointsman"
    ]["models"]
    assert entry == {
        "id": "q", "name": "q", "reasoning": False, "input": ["text"], "compat": {"supportsUsageInStreaming": True},
    }  # fmt: skip


def test_the_only_route_or_the_one_called_default_is_the_agents_model() -> None:
    """With no other fallbacks, which the gateway has; and none where the choice is not clear."""
    default = Route(name="z", model_name="zz", aliases=("default",), targets=(VLLM_TARGET,))
    assert write(table(ASSISTANT), URL)["agents"]["defaults"]["model"] == {
        "primary": "pointsman-responses/assistant", "fallbacks": [],
    }  # fmt: skip
    assert write(table(ASSISTANT, default), URL)["agents"]["defaults"]["model"]["primary"] == "pointsman/zz"
    other = Route(name="other", model_name="other", targets=(VLLM_TARGET,))
    assert "model" not in write(table(ASSISTANT, other), URL)["agents"]["defaults"]


def test_every_alias_works_in_openclaw() -> None:
    """The first is the model's alias, the others are models of their own; an alias of two routes is the first one's."""
    second = Route(name="second", model_name="second", aliases=("local", "Two"), targets=(VLLM_TARGET,))
    out = write(table(ASSISTANT, second), URL)
    assert out["agents"]["defaults"]["models"] == {
        "pointsman-responses/assistant": {"alias": "Local"},
        "pointsman-responses/MiniMax Local": {"alias": "MiniMax Local"},
        "pointsman/second": {"alias": "Two"},
    }


def test_the_mode_is_the_namespaces() -> None:
    """Merge keeps OpenClaw's hosted models beside ours; Replace does not."""
    assert write(table(mode="Merge"), URL) == {"models": {"mode": "merge", "providers": {}}}
    assert write(table(mode="Replace"), URL)["models"]["mode"] == "replace"


_NAME = st.text(alphabet="abcXYZ019-./:@é本", min_size=1, max_size=12)
_TARGETS = st.lists(st.sampled_from([LOCAL_TARGET, HOSTED_TARGET, VLLM_TARGET]), min_size=1, max_size=3, unique=True)


@st.composite
def _tables(draw: st.DrawFn) -> RoutingTable:
    # As the renderer makes them: names and aliases are unique in a table.
    names = draw(st.lists(_NAME, min_size=1, max_size=9, unique_by=str.lower))
    routes: list[Route] = []
    while names:
        aliases = tuple(names[1 : 1 + draw(st.integers(0, 2))])
        routes.append(
            Route(name=f"r{len(routes)}", model_name=names[0], aliases=aliases, targets=tuple(draw(_TARGETS)))
        )
        names = names[1 + len(aliases) :]
    return table(*routes)


@given(_tables())
def test_names_and_aliases_come_back(routes: RoutingTable) -> None:
    """Reading what was written finds every name at a provider, and every alias at a route."""
    imported = read(json.dumps(write(routes, URL)), {}, "x")
    providers = [o["spec"] for o in imported.objects if o["kind"] == "ModelProvider"]
    offered = {model["id"] for provider in providers for model in provider["models"]}
    named = {each for route in routes.routes for each in (route.model_name, *route.aliases[1:])}
    assert offered == named
    aliases = {a for o in imported.objects if o["kind"] == "ModelRoute" for a in o["spec"].get("aliases", ())}
    assert {alias for route in routes.routes for alias in route.aliases} <= aliases


@given(_tables())
def test_equal_tables_give_equal_configs(routes: RoutingTable) -> None:
    """Byte for byte, so that nothing is written when nothing changed."""
    assert json.dumps(write(routes, URL)) == json.dumps(write(routes, f"{URL}/"))


def _openclaw() -> tuple[str, str]:
    # The command of an installed OpenClaw: node and openclaw.mjs.
    node, script = os.environ.get("POINTSMAN_NODE", "node"), os.environ.get("POINTSMAN_OPENCLAW", "")
    if not Path(script).is_file():
        pytest.skip("POINTSMAN_OPENCLAW names no openclaw.mjs (and POINTSMAN_NODE a node that runs it)")
    return node, script


@pytest.mark.parametrize(
    "routes",
    [
        (ASSISTANT,),
        (ASSISTANT, Route(name="default", model_name="a/b/c", aliases=("default",), targets=(VLLM_TARGET,))),
        (),
        (Route(name="f", model_name="f", targets=(Target(provider="followed", model="m"),)),),
    ],
    ids=["one", "several", "none", "compat"],
)
def test_openclaw_accepts_it(routes: tuple[Route, ...], tmp_path: Path) -> None:
    """Judged by OpenClaw itself, whose schema refuses unknown keys."""
    node, script = _openclaw()
    path = tmp_path / "openclaw.json"
    path.write_text(json.dumps(write(table(*routes), URL)))
    env: dict[str, Any] = {
        **os.environ,
        "OPENCLAW_CONFIG_PATH": str(path),
        "OPENCLAW_STATE_DIR": str(tmp_path / "state"),
        "HOME": str(tmp_path),
    }
    done = subprocess.run([node, script, "config", "validate"], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert set(PROVIDERS) == set(Dialect)
