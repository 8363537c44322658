"""`pointsman import`: an OpenClaw configuration becomes files that `up` serves from, and keys stay apart."""

from __future__ import annotations

import io
import json
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from pointsman.__main__ import main
from pointsman.fleet import objects
from testbed.llama import LlamaServer
from testbed.ports import free_port
from testbed.tinymodel import TEXT, TinyModel
from testbed.waiting import until

SEEDS = Path(__file__).parents[1] / "fleet" / "seeds"
KEY = "sk-ant-0123"
CONFIG = {
    "models": {"providers": {"box": {"baseUrl": "http://127.0.0.1:1234/v1", "apiKey": "k", "models": [{"id": "m"}]}}}
}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENROUTER_API_KEY", "NOWHERE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)


@pytest.fixture(scope="module")
def server() -> Iterator[LlamaServer]:
    """It stands in for every server of a configuration: it speaks all three dialects and answers to any name."""
    with LlamaServer(TinyModel("text"), alias="tiny") as running:
        yield running


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "openclaw.json"
    path.write_text(json.dumps(CONFIG))
    return path


def imported(folder: Path, path: Path, *more: str) -> Path:
    """The folder that an import wrote."""
    assert main(["import", str(path), "-o", str(folder / "out"), *more]) == 0
    return folder / "out"


ASKED: dict[str, tuple[str, dict[str, Any]]] = {
    "openai-completions": ("/v1/chat/completions", {"messages": [{"role": "user", "content": "hi"}]}),
    "openai-responses": ("/v1/responses", {"input": "hi"}),
    "anthropic-messages": ("/v1/messages", {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 64}),
}


def dialect(bodies: list[dict[str, Any]], provider: str) -> str:
    [spec] = [b["spec"] for b in bodies if b["kind"] == "ModelProvider" and b["metadata"]["name"] == provider]
    return str(spec.get("api", ["anthropic-messages"])[0])


@pytest.mark.parametrize("seed", sorted(SEEDS.glob("*.json5")), ids=lambda path: path.stem)
def test_every_seed_imports_runs_and_answers(seed: Path, tmp_path: Path, server: LlamaServer) -> None:
    """Each of its routes, by its name and all its aliases, with stand-ins where its servers would be."""
    folder = imported(tmp_path, seed)
    path = folder / "objects.yaml"
    text = path.read_text()
    for real in ("http://127.0.0.1:1234", "http://127.0.0.1:8000", "https://api.anthropic.com"):
        text = text.replace(real, server.base_url)
    path.write_text(text)
    bodies = list(yaml.safe_load_all(text))
    url = f"http://127.0.0.1:{(port := free_port('127.0.0.1'))}"
    said = tmp_path / "said.txt"
    with said.open("w") as out:
        command = [sys.executable, "-m", "pointsman", "up", str(folder), "--listen", f"127.0.0.1:{port}"]
        up = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)
    try:
        until(lambda: listening(url), what="the gateway")
        for spec in (body["spec"] for body in bodies if body["kind"] == "ModelRoute"):
            way, body = ASKED[dialect(bodies, spec["primary"]["provider"])]
            for name in (spec["modelName"], *spec.get("aliases", ())):
                answer = httpx.post(url + way, json=body | {"model": name}, trust_env=False, timeout=60)
                assert answer.status_code == 200, (name, answer.text, said.read_text())
                assert TEXT[:20] in answer.text
    finally:
        up.send_signal(signal.SIGTERM)
        up.wait(20)


def listening(url: str) -> bool:
    try:
        return httpx.get(f"{url}/v1/models", trust_env=False, timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


@pytest.mark.parametrize("seed", sorted(SEEDS.glob("*.json5")), ids=lambda path: path.stem)
def test_what_is_printed_reads_back(seed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As the objects that were meant, in the namespace that was asked for, with nothing but warnings beside it."""
    assert main(["import", str(seed), "--namespace", "agents"]) == 0
    printed = capsys.readouterr()
    read = objects.read_files({"printed": printed.out})
    assert read.namespaces() == ["agents"]
    assert read.warnings == ()
    assert read.secrets
    assert all(line.startswith("warning: ") for line in printed.err.splitlines())


def test_keys_are_apart_and_private(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In a file that only its owner reads; no other file, and nothing that is said, holds one."""
    folder = imported(tmp_path, SEEDS / "hosted-primary.json5")
    secrets = folder / "secrets.yaml"
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o600
    assert [body["stringData"]["token"] for body in yaml.safe_load_all(secrets.read_text())] == ["lmstudio", KEY]
    assert "lmstudio-key" in (folder / "objects.yaml").read_text()
    assert KEY not in (folder / "objects.yaml").read_text() + "".join(capsys.readouterr())
    assert sorted(path.name for path in folder.iterdir()) == ["objects.yaml", "secrets.yaml"]


def test_files_that_are_there_are_kept(tmp_path: Path, config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Somebody may have edited them; --force writes over them, and makes a key private that was not."""
    folder = imported(tmp_path, config)
    (folder / "objects.yaml").write_text("mine")
    (folder / "secrets.yaml").chmod(0o644)
    assert main(["import", str(config), "-o", str(folder)]) == 1
    assert "--force" in capsys.readouterr().err
    assert (folder / "objects.yaml").read_text() == "mine"
    imported(tmp_path, config, "--force")
    assert "ModelProvider" in (folder / "objects.yaml").read_text()
    assert stat.S_IMODE((folder / "secrets.yaml").stat().st_mode) == 0o600


def test_a_variable_that_is_not_set(tmp_path: Path, config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Is an error that says where and how to mend it; with --placeholders a text stands there, and is named."""
    config.write_text(json.dumps(CONFIG).replace('"k"', '"${NOWHERE}"'))
    assert main(["import", str(config)]) == 1
    told = capsys.readouterr()
    assert "models.providers.box.apiKey: the environment variable NOWHERE is not set" in told.err
    assert "--placeholders" in told.err
    assert told.out == ""
    folder = imported(tmp_path, config, "--placeholders")
    assert "put the value of NOWHERE where PUT-NOWHERE-HERE stands" in capsys.readouterr().err
    secrets = (folder / "secrets.yaml").read_text()
    assert yaml.safe_load(secrets)["stringData"] == {"token": "PUT-NOWHERE-HERE"}
    assert "# Put the value of NOWHERE where PUT-NOWHERE-HERE stands.\n" in secrets


def test_placeholders_keep_hosted_targets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A vendor whose key is not at hand stays in the chain, in its place."""
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    folder = imported(tmp_path, SEEDS / "hosted-primary.json5", "--placeholders")
    [default] = [
        body["spec"]
        for body in yaml.safe_load_all((folder / "objects.yaml").read_text())
        if body["metadata"]["name"] == "default"
    ]
    assert default["primary"] == {"provider": "anthropic", "model": "claude-sonnet-4-5"}
    assert "PUT-ANTHROPIC_API_KEY-HERE" in capsys.readouterr().err


def test_mode_replace_goes_to_the_namespace(tmp_path: Path, config: Path) -> None:
    """Its annotation is how a cluster knows it, and `up` reads it too."""
    config.write_text(json.dumps({"models": CONFIG["models"] | {"mode": "replace"}}))
    folder = imported(tmp_path, config, "-n", "agents")
    read = objects.read_files({"objects.yaml": (folder / "objects.yaml").read_text()})
    assert read.modes == {"agents": "Replace"}


def test_standard_input_is_read(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """So that a configuration need not lie in a file."""
    monkeypatch.setattr(sys, "stdin", io.StringIO(json.dumps(CONFIG)))
    assert main(["import", "-"]) == 0
    assert objects.read_files({"printed": capsys.readouterr().out}).providers


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("a.json5", "{models: ", "is a comma, quote or bracket missing?"),
        ("a.json", "{}", "no provider is left to import"),
        ("a.yaml", "kind: ModelRoute", "give one OpenClaw configuration"),
        ("a.txt", "{}", "neither YAML"),
    ],
)
def test_what_cannot_be_read_is_told(
    name: str, text: str, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the file's name, and nothing is printed or written."""
    path = tmp_path / name
    path.write_text(text)
    assert main(["import", str(path), "-o", str(tmp_path / "out")]) == 1
    said = capsys.readouterr()
    assert name in said.err
    assert told in said.err
    assert said.out == ""
    assert not (tmp_path / "out").exists()


def test_a_file_in_place_of_the_folder(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Is named, and kept."""
    assert main(["import", str(config), "-o", str(config)]) == 1
    assert str(config) in capsys.readouterr().err
    assert json.loads(config.read_text()) == CONFIG
