"""Which model is asked for a token."""

import json
from dataclasses import replace

import pytest

from pointsman.kinds import kind
from pointsman.names import Dialect, ProviderType
from pointsman.prober.completion import body, choose
from pointsman.served import ServedModel

VLLM, OLLAMA = kind(ProviderType.VLLM), kind(ProviderType.OLLAMA)


def served(*ids: str, loaded: bool | None = True) -> list[ServedModel]:
    return [ServedModel(each, loaded=loaded) for each in ids]


def test_what_a_route_names_comes_first_else_the_servers_order() -> None:
    """Whatever is not listed cannot be asked for."""
    assert choose(served("base", "lora"), ("gone", "lora"), VLLM) == "lora"
    assert choose(served("base", "lora"), (), VLLM) == "base"
    assert choose([], ("base",), VLLM) == ""


@pytest.mark.parametrize(
    "silent", ["nomic-embed-text", "BAAI/bge-m3", "Qwen/Qwen3-Reranker-4B", "openai/whisper-large", "intfloat/e5-large"]
)
def test_what_does_not_talk_is_never_asked(silent: str) -> None:
    """Not even where a route names it."""
    assert choose(served(silent, "m"), (silent,), VLLM) == "m"
    assert choose(served(silent), (), VLLM) == ""


def test_a_cold_model_is_never_loaded_for_a_probe() -> None:
    """A server that loads on demand has to say that the model is loaded; of others it is enough not to deny it."""
    cold = served("cold", loaded=False)
    assert choose([*cold, *served("warm")], ("cold",), OLLAMA) == "warm"
    assert choose([*cold, *served("untold", loaded=None)], (), OLLAMA) == ""
    assert choose([*cold, *served("untold", loaded=None)], (), VLLM) == "untold"
    assert choose([*cold, replace(cold[0], id="other")], (), VLLM) == ""


@pytest.mark.parametrize("dialect", Dialect)
def test_a_request_names_the_model_and_is_not_streamed(dialect: Dialect) -> None:
    """And is the same each time."""
    asked = json.loads(body(dialect, "a/b"))
    assert (asked["model"], asked["stream"]) == ("a/b", False)
    assert body(dialect, "a/b") == body(dialect, "a/b")


def test_no_model_of_a_cloud_is_asked() -> None:
    """Its tokens are paid for, wherever its server stands."""
    far = [replace(each, remote=True) for each in served("m:cloud")]
    assert choose([*far, *served("near")], ("m:cloud",), OLLAMA) == "near"
    assert choose(far, ("m:cloud",), OLLAMA) == ""
