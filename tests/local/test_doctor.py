"""`pointsman doctor` as people call it: what it takes, what it prints, and what it says when nothing can be asked."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest

from local.quirky import QuirkyServer
from local.reports import Doctor, at, fleet
from pointsman.__main__ import main
from pointsman.local import search
from testbed.ports import free_port

PAGE = (200, "text/html", b"<!doctype html><title>Router login</title>")


@pytest.mark.parametrize(
    ("page", "text", "remedy"),
    [
        (PAGE, "text/html", "another program answers there"),
        ((404, "text/plain", b"no"), "NotFound", "another path"),
        ((401, "application/json", b"{}"), "Unauthorized", "it wants a key"),
        ((400, "text/html", b"The plain HTTP request was sent to HTTPS port"), "UnexpectedStatus", "write https://"),
        ((503, "application/json", b'{"error":{"message":"Loading model"}}'), "ModelLoading", "wait"),
        ((500, "text/plain", b"boom"), "boom", "curl"),
        ((200, "application/json", b"[" * 100_000), "NotOpenAICompatible", "curl"),
    ],
)
def test_a_list_that_is_none(page: tuple[int, str, bytes], text: str, remedy: str, doctor: Doctor) -> None:
    """What came is told, with the line to look at it oneself; no token is asked for."""
    with QuirkyServer(get={"/v1/models": page}) as server:
        report = doctor(*at(server))
    assert report.wrong() == {"reachable": "broken"}
    assert text in report["reachable"]["text"]
    assert remedy in report["reachable"]["remedy"]
    assert f"curl {server.url}/v1/models" in report["reachable"]["remedy"]
    assert server.asked == []


def test_nobody_listens(doctor: Doctor) -> None:
    """How such a server is started is told."""
    report = doctor("--url", f"http://127.0.0.1:{free_port()}/v1", "--type", "LMStudio")
    assert report.status == 1
    assert "lms server start" in report["reachable"]["remedy"]


def test_a_name_without_an_address(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its name is to be mended; that its prompts would go over a network without TLS is told all the same."""

    def nothing(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", nothing)
    report = doctor("--url", "http://gpu-box.local:8000/v1")
    assert report.wrong() == {"reachable": "broken", "transport": "warning"}
    assert "mend the host's name" in report["reachable"]["remedy"]


def test_plain_http_behind_https(doctor: Doctor) -> None:
    """TLS with a server that speaks none: the scheme is to be mended."""
    with QuirkyServer() as server:
        report = doctor("--url", server.url.replace("http:", "https:"), "--timeout", "5")
    assert "write http://" in report["reachable"]["remedy"]


def test_hosted_servers_are_not_asked_for_tokens(doctor: Doctor, tmp_path: Path) -> None:
    """They cost money: only --hosted asks; the list is read either way."""
    with QuirkyServer() as server:
        path = str(fleet(tmp_path, server.url, dataPolicy={"location": "External"}))
        report = doctor(path)
        assert server.asked == []
        assert "--hosted" in report["answers"]["text"]
        assert report["listed"]["grade"] == "well"
        assert doctor(path, "--hosted")["answers"]["grade"] == "well"


def test_a_hostile_name_does_not_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Names and errors are the server's; what cannot be printed is replaced."""
    with QuirkyServer(models=({"id": "evil\x1b[2J\r\n"},)) as server:
        assert main(["doctor", *at(server, "--model", "evil")]) == 1
    printed = capsys.readouterr().out
    assert "\x1b" not in printed
    assert "near: evil�[2J" in printed


def test_what_people_read(capsys: pytest.CaptureFixture[str]) -> None:
    """A line for each check with a mark, the remedy under it, and how many there were."""
    with QuirkyServer("string-content", "no-tools") as server:
        assert main(["doctor", *at(server)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"server (OpenAICompatible) {server.url}"
    assert "  ✓ reachable  GET /v1/models lists 1 model" in lines
    [content] = [i for i, line in enumerate(lines) if line.startswith("  ! content")]
    assert lines[content + 1].startswith("      → set compat.requiresStringContent: true")
    assert any(line.startswith("  ✗ tools      tiny: ") for line in lines)
    assert lines[-1] == "1 broken, 1 warning"


def test_openclaw_files_are_examined(doctor: Doctor, tmp_path: Path) -> None:
    """As `up` takes them: the remedy names the key of their own."""
    with QuirkyServer("string-content", key="k") as server:
        models = [{"id": "tiny", "name": "T", "contextWindow": 65536}]
        provider = {"baseUrl": f"{server.url}/v1", "apiKey": "k", "api": "openai-completions", "models": models}
        path = tmp_path / "openclaw.json"
        path.write_text(json.dumps({"models": {"providers": {"box": provider}}}))
        report = doctor(str(path))
    assert report.wrong() == {"content": "warning"}
    assert "models.providers.box.models[]" in report["content"]["remedy"]


def test_without_arguments_it_looks_for_servers(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    """On the usual ports of this machine, as `up` does."""
    with QuirkyServer() as server:
        port = int(server.url.rsplit(":", 1)[1])
        monkeypatch.setattr(search, "USUAL_PORTS", {"LlamaCpp": port})
        monkeypatch.setattr("pointsman.local.found.USUAL_PORTS", {"LlamaCpp": port})
        assert doctor().status == 0
    monkeypatch.setattr(search, "USUAL_PORTS", {"LlamaCpp": free_port()})
    assert main(["doctor"]) == 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("x.yaml", "--url", "http://127.0.0.1:1"), "not both"),
        (("--type", "VLLM"), "belong to --url"),
        (("--url", "127.0.0.1:1234"), "http://"),
        (("--url", "http://127.0.0.1:1", "--key-env", "NOBODY_SET_THIS"), "NOBODY_SET_THIS is not set"),
        (("--url", "http://127.0.0.1:1", "--timeout", "0"), "more than 0"),
        (("--url", "http://u:p@127.0.0.1:1"), "use --key-env"),
    ],
)
def test_options_that_make_no_sense(arguments: tuple[str, ...], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Status 2, as for any wrong call."""
    assert main(["doctor", *arguments]) == 2
    assert told in capsys.readouterr().err


def test_files_that_cannot_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And those that hold no provider."""
    assert main(["doctor", str(tmp_path / "none.yaml")]) == 1
    assert "no such file" in capsys.readouterr().err
    (tmp_path / "empty.yaml").write_text("apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {a: b}\n")
    assert main(["doctor", str(tmp_path / "empty.yaml")]) == 1
    assert "no ModelProvider" in capsys.readouterr().err


def test_a_deployed_provider_is_not_asked(doctor: Doctor, tmp_path: Path) -> None:
    """Its server runs in a cluster, where the operator asks it."""
    path = tmp_path / "fleet.yaml"
    spec = {"type": "VLLM", "deploy": {"model": {"source": "hf://org/name"}}}
    body = {"apiVersion": "pointsman.dev/v1alpha1", "kind": "ModelProvider", "metadata": {"name": "v"}, "spec": spec}
    path.write_text(json.dumps(body))
    report = doctor(str(path))
    assert (report.status, report["reachable"]["grade"]) == (0, "note")


def test_a_proxy_is_asked_for_no_tokens(doctor: Doctor, tmp_path: Path) -> None:
    """It may hand them on to whom they cost money at; unless its object says that it is on the owner's ground."""
    with QuirkyServer() as server:
        report = doctor(*at(server, "--type", "LiteLLM"))
        assert "--hosted" in report["answers"]["text"]
        assert server.asked == []
        doctor(str(fleet(tmp_path, server.url, type="LiteLLM")), "--timeout", "5")
        assert server.asked


def test_a_model_of_ollamas_cloud_is_asked_for_no_tokens(doctor: Doctor, tmp_path: Path) -> None:
    """Its server stands here, and it does not."""
    with QuirkyServer(models=({"id": "m:cloud"},)) as server:
        path = str(fleet(tmp_path, server.url, "m:cloud", type="Ollama"))
        report = doctor(path, "--timeout", "5")
        assert "m:cloud is in Ollama's cloud" in report["answers"]["text"]
        assert not [at for at, _ in server.asked if at.startswith("/v1")]
        doctor(path, "--timeout", "5", "--hosted")
        assert [at for at, _ in server.asked if at.startswith("/v1")]
