"""What models fetch, and which of them are behind tools."""

from __future__ import annotations

import pytest

from fleet.postures import KEY, found, of, run
from fleet.worlds import Json, endpoint, provider, route, up, world
from pointsman.fleet.world import Provider
from pointsman.served import ServedModel

SIGHT = {"source": "hf://Qwen/Qwen2.5-VL-32B-Instruct"}


@pytest.mark.parametrize(
    ("engine", "warned"),
    [
        (None, True),
        ({"extraArgs": ["--max-num-batched-tokens=8192"]}, True),
        ({"extraArgs": ["--allowed-media-domains=none.invalid"]}, False),
        ({"extraArgs": ["--allowed_media_domains", "none.invalid"]}, False),
        ({"extraArgs": ["--language-model-only"]}, False),
        ({"extraArgs": ["--allowed-media=none.invalid"]}, False),
        ({"extraArgs": ["--allowed-local-media-path=/media"]}, True),
        ({"extraArgs": ['--limit-mm-per-prompt={"image": 0, "video": 0}']}, False),
        ({"extraArgs": ["--limit-mm-per-prompt", '{"image": 2, "video": 0}']}, True),
        ({"extraArgs": ["--limit-mm-per-prompt.image=0"]}, False),
    ],
)
def test_media_from_anywhere(engine: Json | None, warned: bool) -> None:
    """A model that sees fetches what requests name, unless it is told from where, or to take none."""
    assert ("NoMediaDomains" in of(run(engine, model=SIGHT))) == warned


def test_a_model_that_is_said_to_see() -> None:
    """By spec.models, whatever its name; how a server of others was started is not known."""
    spec: Json = {"type": "VLLM", "deploy": {"model": {"source": "pvc://claim/m", "servedNames": ["m"]}}}
    assert of(provider("d", spec | {"models": [{"id": "m", "input": ["text", "image"]}]})).keys() == {"NoMediaDomains"}
    assert of(provider("d", spec | {"models": [{"id": "m", "input": ["text"]}]})) == {}
    assert "NoMediaDomains" not in of(
        provider("e", {"type": "VLLM", "endpoint": {"baseUrl": "https://h", **KEY}, "models": [{"id": "qwen-vl"}]})
    )


TOOLS = {"requiredCapabilities": ["tools"]}


def near(*models: Json) -> Provider:
    return endpoint("e", "http://localhost:11434", **({"models": list(models)} if models else {}))


def test_a_small_model_that_a_route_needs_tools_of() -> None:
    """The message names the model and why it is weak."""
    said = found(world([near()], [route("r", "e/qwen3:8b", "e/qwen3:235b", policy=TOOLS)]), "e")
    assert said.keys() == {"WeakModelBehindTools"}
    assert said["WeakModelBehindTools"].startswith("qwen3:8b (8 billion parameters) gets tools")
    assert "235b" not in said["WeakModelBehindTools"]


def test_a_model_that_is_known_to_take_tools() -> None:
    """Stated, or told by the server, of those that routes name."""
    routes = [route("r", "e/qwen3:8b")]
    assert found(world([near()], routes), "e") == {}
    assert found(world([near({"id": "qwen3:8b", "compat": {"supportsTools": True}})], routes), "e") != {}
    told = {"e": up("x", models=(ServedModel("qwen3:8b", tools=True), ServedModel("llama3.2:1b", tools=True)))}
    said = found(world([near()], routes, probes=told), "e")
    assert "llama3.2" not in said["WeakModelBehindTools"]


def test_a_model_that_gets_no_tools_may_be_weak() -> None:
    """What is stated wins over what a route asks for: it is passed over there."""
    routes = [route("r", "e/qwen3:8b", policy=TOOLS)]
    assert found(world([near({"id": "qwen3:8b", "compat": {"supportsTools": False}})], routes), "e") == {}


@pytest.mark.parametrize(
    ("engine", "source", "why"),
    [
        ({"toolCallParser": "hermes"}, "hf://Qwen/Qwen3-4B", "4 billion"),
        ({"toolCallParser": "hermes"}, "hf://Qwen/Qwen3-32B-AWQ", "4 bits"),
        ({"toolCallParser": "hermes", "quantization": "bitsandbytes"}, "hf://Qwen/Qwen3-32B", "4 bits"),
        ({"toolCallParser": "hermes", "quantization": "modelopt_fp4"}, "hf://Qwen/Qwen3-32B", "4 bits"),
        ({"toolCallParser": "hermes"}, "hf://nvidia/Qwen3-32B-NVFP4", "4 bits"),
        ({"toolCallParser": "phi4"}, "hf://microsoft/Phi-3-mini-128k-instruct", "3.8 billion"),
        ({"extraArgs": ["--tool-call-parser=hermes"]}, "hf://Qwen/Qwen3-4B", "4 billion"),
        ({"extraArgs": ["--tool-call", "hermes", "-q", "awq"]}, "hf://Qwen/Qwen3-32B", "4 bits"),
        ({"extraArgs": ["--tool-server=demo"]}, "hf://Qwen/Qwen3-4B", ""),
        ({"toolCallParser": "hermes", "quantization": "fp8"}, "hf://Qwen/Qwen3-32B", ""),
        ({"toolCallParser": "hermes"}, "hf://Qwen/Qwen3-32B", ""),
        ({"maxModelLen": 4096}, "hf://Qwen/Qwen3-4B", ""),
    ],
)
def test_a_weak_engine_that_is_started_for_tools(engine: Json, source: str, why: str) -> None:
    """By its source, whatever it is served as, and by how its weights are loaded."""
    said = of(run(engine, model={"source": source, "servedNames": ["big"]}))
    assert said.keys() == ({"WeakModelBehindTools"} if why else set())
    assert why in said.get("WeakModelBehindTools", "")


def test_hosted_models_of_no_told_size_are_left_alone() -> None:
    """A name such as "mini" is no size."""
    spec = {"type": "OpenAI", "endpoint": {"baseUrl": "https://api.openai.com/v1", **KEY}}
    assert found(world([provider("o", spec)], [route("r", "o/gpt-5-mini", policy=TOOLS)]), "o") == {}
