"""An OpenClaw configuration becomes ModelProviders, ModelRoutes and Secrets, and nothing is lost in silence."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.fleet.objects import build_world, read_bodies
from pointsman.fleet.openclaw import Imported, OpenClawError, read
from pointsman.names import Mode

SEEDS = sorted((Path(__file__).parent / "seeds").glob("*.json5"))
KEY = {"ANTHROPIC_API_KEY": "sk-ant"}
PROVIDER = {"baseUrl": "http://127.0.0.1:1234/v1", "models": [{"id": "m", "name": "M"}]}


def config(provider: dict[str, Any] | None = None, **more: Any) -> str:
    """A configuration of one provider `box`, and whatever else."""
    return json.dumps({"models": {"providers": {"box": PROVIDER | (provider or {})}}} | more)


def agents(model: Any, models: Any = None) -> dict[str, Any]:
    return {"defaults": {"model": model} | ({"models": models} if models else {})}


def load(text: str, env: dict[str, str] | None = None) -> Imported:
    return read(text, env or {}, "openclaw.json")


def spec(imported: Imported, kind: str, name: str) -> Any:
    [found] = [o for o in imported.objects if o["kind"] == kind and o["metadata"]["name"] == name]
    return found.get("spec", found.get("stringData"))


def routes(imported: Imported) -> dict[str, Any]:
    """Route specs by what clients ask for."""
    return {o["spec"]["modelName"]: o["spec"] for o in imported.objects if o["kind"] == "ModelRoute"}


@pytest.mark.parametrize("path", SEEDS, ids=lambda path: path.stem)
@pytest.mark.parametrize("env", [{}, KEY], ids=["without keys", "with keys"])
def test_every_seed_imports_into_a_sound_world(path: Path, env: dict[str, str]) -> None:
    """All objects of every seed pass the CRDs' checks, and the world made of them reads without an error."""
    imported = read(path.read_text(), env, path.name)
    world = build_world(read_bodies(imported.objects, path.name))
    assert world.providers
    assert world.routes
    assert not any(provider.error for provider in world.providers.values())
    assert not any(route.error for route in world.routes.values())


def test_a_provider_block_is_taken_over_field_for_field() -> None:
    """The local server of the seeds: type, address, dialect, model and key."""
    imported = load((Path(__file__).parent / "seeds/local-primary.json5").read_text())
    assert spec(imported, "ModelProvider", "lmstudio") == {
        "type": "LMStudio",
        "endpoint": {
            "baseUrl": "http://127.0.0.1:1234/v1",
            "credentials": {"secretRef": {"name": "lmstudio-key", "key": "token"}},
        },
        "api": ["openai-responses"],
        "models": [
            {
                "id": "minimax-m2.1-gs32",
                "name": "MiniMax M2.1 GS32",
                "reasoning": False,
                "input": ["text"],
                "cost": {"input": 0, "output": 0, "cacheRead": 0, "cacheWrite": 0},
                "contextWindow": 196608,
                "maxTokens": 8192,
            }
        ],
        "dataPolicy": {"location": "OnPremises"},
    }
    assert spec(imported, "Secret", "lmstudio-key") == {"token": "lmstudio"}


def test_a_hosted_primary_with_its_key() -> None:
    """The chain in order, the hosted vendor made from its key, and a route for each other alias."""
    imported = load((Path(__file__).parent / "seeds/hosted-primary.json5").read_text(), KEY)
    assert routes(imported)["anthropic/claude-sonnet-4-5"] == {
        "modelName": "anthropic/claude-sonnet-4-5",
        "aliases": ["Sonnet", "default", "claude-sonnet-4-5"],
        "primary": {"provider": "anthropic", "model": "claude-sonnet-4-5"},
        "fallbacks": [
            {"provider": "lmstudio", "model": "minimax-m2.1-gs32"},
            {"provider": "anthropic", "model": "claude-opus-4-6"},
        ],
    }
    assert routes(imported)["lmstudio/minimax-m2.1-gs32"]["aliases"] == ["MiniMax Local", "minimax-m2.1-gs32"]
    assert routes(imported)["anthropic/claude-opus-4-6"]["aliases"] == ["Opus", "claude-opus-4-6"]
    anthropic = spec(imported, "ModelProvider", "anthropic")
    assert (anthropic["type"], anthropic["dataPolicy"]) == ("Anthropic", {"location": "External"})
    assert anthropic["endpoint"]["baseUrl"] == "https://api.anthropic.com"
    assert spec(imported, "Secret", "anthropic-key") == {"token": "sk-ant"}


def test_a_hosted_primary_without_its_key() -> None:
    """The name stays and the local server answers to it; the variable to set is named."""
    imported = load((Path(__file__).parent / "seeds/hosted-primary.json5").read_text())
    default = routes(imported)["anthropic/claude-sonnet-4-5"]
    assert default["primary"] == {"provider": "lmstudio", "model": "minimax-m2.1-gs32"}
    assert "fallbacks" not in default
    assert "agents.defaults.model.primary" in "\n".join(imported.warnings)
    assert "set ANTHROPIC_API_KEY" in "\n".join(imported.warnings)


def test_providers_without_agents_get_a_route_for_each_model() -> None:
    """Called by the model's id where that is unique, else by provider/model."""
    two = {"baseUrl": "http://127.0.0.1:1/v1", "models": [{"id": "m", "name": "M"}, {"id": "only", "name": "O"}]}
    text = json.dumps({"models": {"providers": {"a": PROVIDER, "b": two}}})
    assert set(routes(load(text))) == {"a/m", "b/m", "only"}


def test_replace_makes_routes_of_all_that_is_configured() -> None:
    """In mode Replace nothing is reachable but by a route, and nothing is discovered."""
    text = json.dumps(
        {
            "models": {"mode": "replace", "providers": {"a": PROVIDER, "b": PROVIDER}},
            "agents": agents({"primary": "a/m"}),
        }
    )
    imported = load(text)
    assert imported.mode is Mode.REPLACE
    assert set(routes(imported)) == {"a/m", "b/m"}
    assert spec(imported, "ModelProvider", "b")["discovery"] == "Static"


def test_typographic_quotes_are_repaired_with_a_warning() -> None:
    """The value is that of the config in straight quotes; the warning names the first line."""
    text = (Path(__file__).parent / "seeds/typographic.json5").read_text()
    imported = load(text)
    assert imported.objects == load(text.replace("“", '"').replace("”", '"')).objects
    assert imported.warnings[0].startswith("openclaw.json: line 4: typographic quotes")
    assert spec(imported, "ModelProvider", "lmstudio")["models"][0]["name"] == "Local Model"


@pytest.mark.parametrize(
    ("given", "token"),
    [
        ("sk-1", "sk-1"),
        ("${BOX_KEY}", "from-env"),
        ("Bearer-${BOX_KEY}", "Bearer-from-env"),
        ("$${BOX_KEY}", "${BOX_KEY}"),
        ({"source": "env", "provider": "default", "id": "BOX_KEY"}, "from-env"),
    ],
)
def test_keys_go_into_secrets(given: Any, token: str) -> None:
    """Plain, by ${NAME} or as a SecretRef; the provider only refers to it."""
    imported = load(config({"apiKey": given}), {"BOX_KEY": "from-env"})
    assert spec(imported, "Secret", "box-key") == {"token": token}
    assert token not in json.dumps(spec(imported, "ModelProvider", "box"))


def test_an_authorization_header_is_a_key() -> None:
    """It goes into the Secret; other headers stay."""
    imported = load(config({"headers": {"Authorization": "Bearer sk-2", "x-tenant": "a"}}))
    assert spec(imported, "Secret", "box-key") == {"token": "sk-2"}
    assert spec(imported, "ModelProvider", "box")["endpoint"]["headers"] == {"x-tenant": "a"}


def test_timeouts_go_to_the_routes() -> None:
    """The longest that a provider of the chain asks for is the budget of the whole request."""
    text = json.dumps(
        {
            "models": {"providers": {"a": PROVIDER | {"timeoutSeconds": 90}, "b": PROVIDER | {"timeoutSeconds": 300}}},
            "agents": agents({"primary": "a/m", "fallbacks": ["b/m"]}),
        }
    )
    assert routes(load(text))["a/m"]["policy"] == {"timeouts": {"total": "300s"}}


def test_what_is_left_out_is_named() -> None:
    """Every key without a counterpart gets a line with its path."""
    provider = PROVIDER | {"bogus": 1, "localService": {"command": "x"}}
    model = {"id": "m", "name": "M", "contextTokens": 5, "compat": {"odd": True, "supportsTools": False}}
    imported = load(config(provider | {"models": [model]}, channels={}, agents={"defaults": {"workspace": "x"}}))
    said = "\n".join(imported.warnings)
    for path in (
        "models.providers.box.bogus",
        "models.providers.box.localService",
        "models.providers.box.models[0].contextTokens",
        "models.providers.box.models[0].compat.odd",
        "agents.defaults.workspace",
        "channels",
    ):
        assert f"openclaw.json: {path}: " in said
    assert spec(imported, "ModelProvider", "box")["models"][0]["compat"] == {"supportsTools": False}


def test_every_compat_key_is_taken_over() -> None:
    """As it is written, but for the one that cannot be followed, which is named with what to do."""
    compat = {
        "supportsStore": False, "requiresStringContent": True, "strictMessageKeys": True, "codeMode": "capable",
        "thinkingFormat": "qwen-chat-template", "maxTokensField": "max_tokens", "supportedReasoningEfforts": ["low"],
        "reasoningEffortMap": {"off": "low"}, "vercelGatewayRouting": {"only": ["a"]}, "toolSchemaProfile": "llamacpp",
    }  # fmt: skip
    model = {"id": "m", "name": "M", "compat": compat | {"toolCallArgumentsEncoding": "html-entities"}}
    place = {"baseUrl": "http://127.0.0.1:8000/v1", "models": [model]}
    imported = load(config(place))
    assert spec(imported, "ModelProvider", "box")["models"][0]["compat"] == compat
    (said,) = [each for each in imported.warnings if "compat" in each]
    assert "models[0].compat.toolCallArgumentsEncoding: is left out: state it in the client's own" in said


@pytest.mark.parametrize(
    ("key", "value"),
    [("supportsTools", "no"), ("thinkingFormat", "Qwen"), ("supportedReasoningEfforts", "low"),
     ("openRouterRouting", {"only": []})],
)  # fmt: skip
def test_a_compat_key_of_another_kind_is_refused(key: str, value: Any) -> None:
    """OpenClaw would refuse the whole file."""
    model = {"id": "m", "name": "M", "compat": {key: value}}
    with pytest.raises(OpenClawError, match=rf"models\[0\].compat.{key}: "):
        load(config(PROVIDER | {"models": [model]}))


def test_a_guessed_location_is_told() -> None:
    """The importer writes a location, and says that it did."""
    imported = load(config({"baseUrl": "https://llm.example.com/v1"}))
    assert spec(imported, "ModelProvider", "box")["dataPolicy"] == {"location": "External"}
    assert "models.providers.box: dataPolicy.location External was written" in "\n".join(imported.warnings)


def test_providers_of_unknown_dialects_are_left_out() -> None:
    """With a warning; the rest is imported."""
    text = json.dumps({"models": {"providers": {"a": PROVIDER, "b": PROVIDER | {"api": "google-generative-ai"}}}})
    imported = load(text)
    assert [o["metadata"]["name"] for o in imported.objects if o["kind"] == "ModelProvider"] == ["a"]
    assert "models.providers.b.api: 'google-generative-ai' is not spoken" in "\n".join(imported.warnings)


def test_names_become_dns_labels() -> None:
    """Different keys get different names; refs still find them by the key."""
    text = json.dumps(
        {"models": {"providers": {"LM Studio": PROVIDER, "lm-studio": PROVIDER}}, "agents": agents("LM Studio/m")}
    )
    imported = load(text)
    names = {o["metadata"]["name"] for o in imported.objects if o["kind"] == "ModelProvider"}
    assert names == {"lm-studio", "lm-studio-2"}
    assert routes(imported)["LM Studio/m"]["primary"] == {"provider": "lm-studio", "model": "m"}


def test_a_model_without_a_name_is_called_by_its_id() -> None:
    """With a warning, since OpenClaw refuses such a file."""
    imported = load(config({"models": [{"id": "m"}]}))
    assert spec(imported, "ModelProvider", "box")["models"] == [{"id": "m", "name": "m"}]
    assert "models.providers.box.models[0]: name is missing" in "\n".join(imported.warnings)


def test_an_alias_is_given_once() -> None:
    """The second model with the same alias does without, and a model may not be called like another's ref."""
    provider = {"models": [{"id": "m", "name": "M"}, {"id": "n", "name": "N"}]}
    models = {"box/m": {"alias": "A"}, "box/n": {"alias": "A"}}
    imported = load(config(provider, agents=agents("box/m", models)))
    assert list(routes(imported)) == ["box/m"]
    assert "the alias 'A' is given to box/m already" in "\n".join(imported.warnings)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("[1]", "must be one object {…}, not a list"),
        ('{\n models: {\n  providers: "x" "y"\n }\n}', "line 3, column 18: not JSON5: unexpected"),
        ("{\n a: “x”,\n b “y”\n}", "line 3, column 4: not JSON5"),
        ('{"a":' * 100_000, "nested too deeply"),
        ("{a: /* " + "x" * 600_000, "more than 524288 characters"),
        (config({"models": [{"id": 5}]}), "models.providers.box.models[0].id: must be text in quotes, not a number"),
        (config({"models": [{"name": "x"}]}), "models.providers.box.models[0]: id is missing"),
        (config({"models": [{"id": "a\nb"}]}), "models.providers.box.models[0].id: "),
        (config({"models": {}}), "models.providers.box.models: must be a list […], not an object"),
        (config({"models": [{"id": "m", "contextWindow": "200k"}]}), "models[0].contextWindow: must be a number"),
        (config({"models": [{"id": "m", "contextWindow": 1.5}]}), "models[0].contextWindow: must be a whole number"),
        (config({"models": [{"id": "m", "input": ["smell"]}]}), "models.providers.box.models[0].input.0: "),
        (config({"models": [{"id": "m", "cost": {"input": -1}}]}), "models[0].cost.input: must be 0 or more"),
        (config({"baseUrl": "127.0.0.1:1234"}), "models.providers.box.baseUrl: must be an http:// or https:// URL"),
        (config({"baseUrl": "http://a:b@c/v1"}), "models.providers.box.baseUrl: must hold no user or password"),
        (config({"baseUrl": None}), "models.providers.box: baseUrl is missing"),
        (config({"apiKey": "${NOPE}"}), "models.providers.box.apiKey: the environment variable NOPE is not set"),
        (config({"headers": {"x": "${NOPE}"}}), "models.providers.box.headers.x: the environment variable NOPE"),
        (config({"headers": {"host": "x"}}), "models.providers.box: headers: host is set by the gateway"),
        (
            config({"apiKey": {"source": "exec", "id": "x"}}),
            "models.providers.box.apiKey.source: 'exec' cannot be read",
        ),
        (config({"apiKey": {"id": "x"}}), "models.providers.box.apiKey: must be text or {source"),
        (config({"timeoutSeconds": 0}), "models.providers.box.timeoutSeconds: must be more than 0"),
        (config(agents=agents("nothing")), "agents.defaults.model: 'nothing' is no model: write \"provider/model\""),
        (config(agents=agents({"fallbacks": []})), "agents.defaults.model: primary is missing"),
        (config(agents=agents("box/m", {"box/m": {"alias": "a\tb\0"}})), 'models["box/m"].alias: must have 1 to 128'),
        ('{models: {mode: "mix"}}', 'models.mode: \'mix\' is no mode: write "merge" or "replace"'),
        ("{}", "no provider is left to import"),
        ('{$include: "x"}', "$include: included files are not read"),
        (json.dumps({"models": {"providers": {"A": PROVIDER, "a": PROVIDER}}}), "providers.a: is 'A' in other letters"),
        (config({"api": "openai-codex-responses"}), "OpenClaw itself removed it"),
        (config({"api": "openai-completion"}), "did you mean openai-completions?"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_place(text: str, message: str) -> None:
    """The error names the source, the line and column or the path, and how to mend it."""
    with pytest.raises(OpenClawError) as caught:
        load(text)
    assert str(caught.value).startswith("openclaw.json: ")
    assert message in str(caught.value)


@pytest.mark.parametrize("text", [config({"apiKey": "sk-secret", "baseUrl": "bad"}), '{apiKey: "sk-secret" oops}'])
def test_errors_show_no_keys(text: str) -> None:
    """A key that stands in the configuration never gets into a message."""
    with pytest.raises(OpenClawError) as caught:
        load(text)
    assert "sk-secret" not in str(caught.value)


_TEXT = st.text(max_size=12) | st.sampled_from(
    ["box/m", "http://127.0.0.1:1/v1", "openai-responses", "${X}", "default"]
)
_VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_TEXT, inner, max_size=2),
    max_leaves=4,
)
_MODEL = st.fixed_dictionaries(
    {"id": _TEXT},
    optional=dict.fromkeys(("name", "input", "cost", "contextWindow", "reasoning", "compat", "odd"), _VALUE),
)
_PROVIDER = st.fixed_dictionaries(
    {"baseUrl": st.just("http://127.0.0.1:1/v1") | _TEXT, "models": st.lists(_MODEL, max_size=3)},
    optional=dict.fromkeys(("apiKey", "api", "headers", "timeoutSeconds", "odd"), _VALUE),
)
_CONFIG = st.fixed_dictionaries(
    {"models": st.fixed_dictionaries({"providers": st.dictionaries(_TEXT, _PROVIDER, max_size=3)})},
    optional={
        "agents": st.fixed_dictionaries({"defaults": st.fixed_dictionaries({"model": _VALUE, "models": _VALUE})})
    },
)


@given(_CONFIG | _VALUE)
def test_a_config_is_imported_whole_or_refused_with_reason(value: Any) -> None:
    """Whatever stands in it: sound objects, or an OpenClawError; never another exception."""
    with contextlib.suppress(OpenClawError):
        imported = load(json.dumps(value))
        assert read_bodies(imported.objects, "x").providers


@pytest.mark.parametrize(
    ("window", "used", "written"), [(64000, 20000, 20000), (None, 32000, 32000), (8000, 9000, 8000)]
)
def test_the_part_of_the_window_that_is_used_is_the_window(window: int | None, used: int, written: int) -> None:
    """OpenClaw's contextTokens is the effective cap: a route keeps to it, and that is said."""
    model = {"id": "m", "name": "M", "contextTokens": used} | ({"contextWindow": window} if window else {})
    imported = load(config({"models": [model]}))
    assert spec(imported, "ModelProvider", "box")["models"][0]["contextWindow"] == written
    told = f"models[0].contextTokens: is the part of the window that OpenClaw uses: contextWindow {used} was written"
    assert (told in "\n".join(imported.warnings)) == (used == written)
    assert "has no counterpart" not in "\n".join(imported.warnings)


def test_a_target_of_a_provider_that_is_left_out_is_told_why() -> None:
    """It is defined: to define it is no advice."""
    gem = PROVIDER | {"api": "google-generative-ai"}
    model = {"primary": "a/m", "fallbacks": ["gem/m"]}
    text = json.dumps({"models": {"providers": {"a": PROVIDER, "Gem": gem}}, "agents": agents(model)})
    [told] = [warning for warning in load(text).warnings if "the target gem/m is left out" in warning]
    assert "define it" not in told
    assert "give it an api that Pointsman speaks (openai-completions" in told


def test_odd_keys_make_no_second_route() -> None:
    """A provider is the same one in any letters."""
    models = {"mode": "replace", "providers": {"My LM Studio!": PROVIDER}}
    text = json.dumps({"models": models, "agents": agents("My LM Studio!/m")})
    assert [route["modelName"] for route in routes(load(text)).values()] == ["My LM Studio!/m"]


def test_a_model_of_ollamas_cloud_is_told() -> None:
    """Its server stands near, and it does not: a model of the provider's, or one that an agent names."""
    box = {"baseUrl": "http://127.0.0.1:11434", "models": [{"id": "m:cloud", "name": "M"}, {"id": "n", "name": "N"}]}
    said = load(config(box, agents=agents({"primary": "box/n", "fallbacks": ["box/o:1b-cloud"]}))).warnings
    told = [each for each in said if "Ollama's cloud" in each]
    assert [each.split(": ")[2].split(" ")[0] for each in told] == ["m:cloud", "o:1b-cloud"]


def test_a_proxy_is_external_and_that_is_told() -> None:
    """Where a LiteLLM stands says nothing of where it sends what it is sent."""
    imported = load(config({"baseUrl": "http://127.0.0.1:4000"}))
    assert spec(imported, "ModelProvider", "box")["dataPolicy"] == {"location": "External"}
    assert "a LiteLLM hands requests on to others" in "\n".join(imported.warnings)


def test_a_pin_that_pins_nobody_is_left_out_and_told() -> None:
    """OpenClaw says it to no such server either."""
    model = {"id": "m", "name": "M", "compat": {"openRouterRouting": {"zdr": True}, "supportsTools": False}}
    imported = load(config({"models": [model]}))
    assert spec(imported, "ModelProvider", "box")["models"][0]["compat"] == {"supportsTools": False}
    assert "compat.openRouterRouting does nothing at a server of type LMStudio" in "\n".join(imported.warnings)
