"""The stand-in takes vLLM's command line, starts llama-server to the same effect, answers and fails as vLLM does."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from testbed import tools, vllm_standin
from testbed.images import WORDS
from testbed.ports import free_port
from testbed.tinymodel import TEXT, TinyModel
from testbed.vllm_standin import arguments, llama_server
from testbed.waiting import until

BEARER = {"Authorization": "Bearer secret"}
CHAT = {"model": "a", "messages": [{"role": "user", "content": "Hello?"}]}


def option(command: list[str], name: str) -> str:
    return command[command.index(name) + 1]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    (folder / "text.gguf").symlink_to(TinyModel("text").path())
    return folder


@contextmanager
def standin(models: Path, *words: str, **environment: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The process and the URL that it will listen at."""
    port = free_port()
    line = ["serve", "o/text", "--served-model-name", "a", "b", "--host=127.0.0.1", f"--port={port}", *words]
    path = f"{tools.llama_server().parent}{os.pathsep}{os.environ['PATH']}"
    env = {**os.environ, "PATH": path, "VLLM_API_KEY": "secret", "STANDIN_MODELS": str(models), **environment}
    command = [sys.executable, vllm_standin.__file__, *line]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, env=env) as process:
        try:
            yield process, f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def listening(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health", trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


@pytest.fixture(scope="module")
def url(models: Path) -> Iterator[str]:
    with standin(models, "--max-model-len=512", VLLM_ALLOW_RUNTIME_LORA_UPDATING="1") as (_, at):
        until(lambda: listening(at), what="the stand-in listens")
        yield at


@pytest.fixture
def client(url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url, trust_env=False, headers=BEARER, timeout=30) as made:
        yield made


def test_what_both_servers_know_is_passed_on() -> None:
    """Names and context reach llama-server; flags for GPUs do not, and it listens for the door alone."""
    line = "serve org/model --host 0.0.0.0 --port 9 --served-model-name a b --max-model-len 512 --dtype auto"
    command = llama_server(arguments([*line.split(), "--tensor-parallel-size", "2", "--enable-prefix-caching"]), 10)
    assert option(command, "--host") == "127.0.0.1"
    assert option(command, "--port") == "10"
    assert option(command, "--alias") == "a,b"
    assert option(command, "--ctx-size") == str(512 * vllm_standin.SLOTS)
    assert not {"--dtype", "--tensor-parallel-size", "--api-key", "--enable-prefix-caching"} & set(command)


def test_one_word_a_flag_is_understood() -> None:
    """The operator joins a flag and its value, so that no value can be read as another flag."""
    line = "serve m --served-model-name a b --host=0.0.0.0 --port=9 --shutdown-timeout=45 --dtype=auto"
    args = arguments(line.split())
    assert (args.host, args.port, args.shutdown_timeout, args.served_model_name) == ("0.0.0.0", 9, 45.0, ["a", "b"])


def test_the_model_is_its_own_name() -> None:
    """Without --served-model-name vLLM serves the model by the name it was given."""
    assert option(llama_server(arguments(["serve", "org/model"]), 1), "--alias") == "org/model"


@pytest.mark.parametrize(("model", "weights"), [("tiny/loop", "loop"), ("tiny/else", "text"), ("loop", "loop")])
def test_a_model_chooses_its_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str, weights: str) -> None:
    """The last segment of the model names a tiny model, or else it is `text`."""
    (tmp_path / "loop.gguf").touch()
    monkeypatch.setattr(vllm_standin, "MODELS", tmp_path)
    command = llama_server(arguments(["serve", model]), 1)
    assert option(command, "--model") == str(tmp_path / f"{weights}.gguf")


@pytest.mark.parametrize("line", ["", "bench x", "serve"])
def test_another_command_is_refused(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What vLLM would refuse is refused, so that a wrongly rendered Pod fails."""
    with pytest.raises(SystemExit):
        arguments(line.split())
    assert "usage: vllm" in capsys.readouterr().err


def test_the_key_guards_what_vllm_guards(client: httpx.Client, url: str) -> None:
    """/v1 wants the Bearer key, in vLLM's own words; what probes and Prometheus ask for is open."""
    for sent in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "secret"}, {"X-Api-Key": "secret"}):
        answer = httpx.get(f"{url}/v1/models", headers=sent, trust_env=False)
        assert (answer.status_code, answer.json()) == (401, {"error": "Unauthorized"})
    assert httpx.post(f"{url}/v1/chat/completions", json=CHAT, trust_env=False).status_code == 401
    for path in ("/health", "/metrics"):
        assert httpx.get(url + path, trust_env=False).status_code == 200


def test_models_and_figures_have_vllms_names(client: httpx.Client) -> None:
    """The window is `max_model_len`; what moves is counted as `vllm:…`."""
    cards = client.get("/v1/models").json()["data"]
    assert [(card["id"], card["root"], card["max_model_len"]) for card in cards] == [
        ("a", "o/text", 512),
        ("b", "o/text", 512),
    ]
    assert "vllm:num_requests_running 0" in client.get("/metrics").text


def test_it_answers_whole_and_in_pieces(client: httpx.Client) -> None:
    """As llama-server does, through the door."""
    answer = client.post("/v1/chat/completions", json=CHAT).json()
    assert answer["choices"][0]["message"]["content"] == TEXT
    with client.stream("POST", "/v1/chat/completions", json=CHAT | {"stream": True}) as stream:
        lines = [line for line in stream.iter_lines() if line]
    assert len(lines) > 3
    assert lines[-1] == "data: [DONE]"


def test_adapters_come_and_go(client: httpx.Client, tmp_path: Path) -> None:
    """In the words of vLLM's captures."""

    def ask(what: str, **body: str) -> tuple[int, str]:
        answer = client.post(f"/v1/{what}_lora_adapter", json=body)
        return answer.status_code, answer.text

    assert ask("load", lora_name="x", lora_path=str(tmp_path)) == (
        200,
        "Success: LoRA adapter 'x' added successfully.",
    )
    assert "has already been loaded" in ask("load", lora_name="x", lora_path="o/x")[1]
    status, text = ask("load", lora_name="y", lora_path="/nope")
    assert (status, "No adapter found for /nope" in text) == (404, True)
    [card] = [card for card in client.get("/v1/models").json()["data"] if card["parent"]]
    assert (card["id"], card["root"], card["parent"]) == ("x", str(tmp_path), "a")
    assert ask("unload", lora_name="x")[0] == 200
    assert ask("unload", lora_name="x")[0] == 404


@pytest.mark.parametrize("words", sorted(WORDS.glob("*.txt")), ids=lambda path: path.stem)
def test_its_last_words_are_vllms(words: Path) -> None:
    """STANDIN_FAIL names a file of them; it ends with 1 and never listens."""
    command = [sys.executable, vllm_standin.__file__, "serve", "m"]
    env = {**os.environ, "STANDIN_WORDS": str(WORDS), "STANDIN_FAIL": words.stem}
    done = subprocess.run(command, capture_output=True, text=True, env=env, check=False)
    assert (done.returncode, done.stderr) == (1, words.read_text())


def test_it_hangs_behind_a_good_health(models: Path) -> None:
    """As vLLM does whose engine is stopped: lists and figures answer, requests do not."""
    with standin(models, STANDIN_FAIL="hang") as (_, at):
        until(lambda: listening(at), what="the stand-in listens")
        assert httpx.get(f"{at}/v1/models", headers=BEARER, trust_env=False).status_code == 200
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(f"{at}/v1/chat/completions", json=CHAT, headers=BEARER, trust_env=False, timeout=0.5)


def test_while_it_loads_it_does_not_listen(models: Path) -> None:
    """And it ends at once when it is told to, also as the first process of a container."""
    with standin(models, STANDIN_LOAD_SECONDS="600") as (process, at):
        until(lambda: handles(process.pid, signal.SIGTERM), what="it handles SIGTERM")
        assert not listening(at)
        process.terminate()
        assert process.wait(5) == 0


def handles(pid: int, sign: signal.Signals) -> bool:
    caught = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("SigCgt"))
    return bool(int(caught.split()[1], 16) >> (sign - 1) & 1)


def test_what_is_under_way_ends_before_it_does(models: Path) -> None:
    """SIGTERM in the middle of an answer: it comes whole, then the process ends with 0."""
    with standin(models, "--shutdown-timeout=20") as (process, at):
        until(lambda: listening(at), what="the stand-in listens")
        with httpx.stream(
            "POST", f"{at}/v1/chat/completions", json=CHAT | {"stream": True}, headers=BEARER, trust_env=False
        ) as answer:
            lines = answer.iter_lines()
            next(lines)
            process.terminate()
            assert [line for line in lines if line][-1] == "data: [DONE]"
        assert process.wait(10) == 0
