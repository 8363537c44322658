"""The stand-in takes vLLM's command line and starts llama-server to the same effect."""

from pathlib import Path

import pytest

from testbed import vllm_standin
from testbed.vllm_standin import arguments, llama_server


def option(command: list[str], name: str) -> str:
    return command[command.index(name) + 1]


def test_what_both_servers_know_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Address, names and context reach llama-server; flags for GPUs do not."""
    monkeypatch.delenv("VLLM_API_KEY", raising=False)
    line = "serve org/model --host 127.0.0.1 --port 9 --served-model-name a b --max-model-len 512 --dtype auto"
    command = llama_server(arguments([*line.split(), "--tensor-parallel-size", "2", "--enable-prefix-caching"]))
    assert option(command, "--host") == "127.0.0.1"
    assert option(command, "--port") == "9"
    assert option(command, "--alias") == "a,b"
    assert option(command, "--ctx-size") == str(512 * vllm_standin.SLOTS)
    assert not {"--dtype", "--tensor-parallel-size", "--api-key", "--enable-prefix-caching"} & set(command)


def test_one_word_a_flag_is_understood() -> None:
    """The operator joins a flag and its value, so that no value can be read as another flag."""
    line = "serve m --served-model-name a b --host=0.0.0.0 --port=9 --shutdown-timeout=45 --dtype=auto"
    command = llama_server(arguments(line.split()))
    assert [option(command, name) for name in ("--alias", "--host", "--port")] == ["a,b", "0.0.0.0", "9"]


def test_the_model_is_its_own_name() -> None:
    """Without --served-model-name vLLM serves the model by the name it was given."""
    assert option(llama_server(arguments(["serve", "org/model"])), "--alias") == "org/model"


def test_the_key_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """VLLM_API_KEY guards the server, as with vLLM."""
    monkeypatch.setenv("VLLM_API_KEY", "secret")
    assert option(llama_server(arguments(["serve", "m"])), "--api-key") == "secret"


@pytest.mark.parametrize(("model", "weights"), [("tiny/loop", "loop"), ("tiny/else", "text"), ("loop", "loop")])
def test_a_model_chooses_its_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str, weights: str) -> None:
    """The last segment of the model names a tiny model, or else it is `text`."""
    (tmp_path / "loop.gguf").touch()
    monkeypatch.setattr(vllm_standin, "MODELS", tmp_path)
    command = llama_server(arguments(["serve", model]))
    assert option(command, "--model") == str(tmp_path / f"{weights}.gguf")


@pytest.mark.parametrize("line", ["", "bench x", "serve"])
def test_another_command_is_refused(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What vLLM would refuse is refused, so that a wrongly rendered Pod fails."""
    with pytest.raises(SystemExit):
        arguments(line.split())
    assert "usage: vllm" in capsys.readouterr().err
