"""What `pointsman import` writes, a real API server takes as it stands."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pointsman.__main__ import main
from testbed.controlplane import ControlPlane

SEEDS = sorted((Path(__file__).parents[1] / "fleet" / "seeds").glob("*.json5"))


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-0123")


def names(files: Path, kind: str) -> set[str]:
    import yaml

    bodies = [body for path in files.iterdir() for body in yaml.safe_load_all(path.read_text())]
    return {body["metadata"]["name"] for body in bodies if body["kind"] == kind}


@pytest.mark.parametrize("seed", SEEDS, ids=lambda path: path.stem)
def test_every_seed_passes_a_dry_run(seed: Path, tmp_path: Path, cluster: ControlPlane, namespace: str) -> None:
    """By `kubectl apply --dry-run=server --validate=strict`, which runs every check of the CRDs."""
    assert main(["import", str(seed), "-n", namespace, "-o", str(tmp_path / "out")]) == 0
    said = cluster.kubectl("apply", "--dry-run=server", "--validate=strict", "-f", str(tmp_path / "out"))
    kinds = {
        "ModelProvider": "modelprovider.pointsman.dev",
        "ModelRoute": "modelroute.pointsman.dev",
        "Secret": "secret",
    }
    for kind, shown in kinds.items():
        made = names(tmp_path / "out", kind)
        assert made
        assert all(f"{shown}/{name} created (server dry run)" in said for name in made)


def test_what_is_applied_is_stored_as_it_was_meant(
    tmp_path: Path, cluster: ControlPlane, namespace: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """From standard output too, odd texts included; applied again, nothing changes."""
    config: dict[str, Any] = {
        "models": {
            "mode": "replace",
            "providers": {
                "LM Studio": {
                    "baseUrl": "http://127.0.0.1:1234/v1",
                    "apiKey": "1e3",
                    "models": [
                        {"id": "1e3", "name": "yes"},
                        {"id": "0o17", "name": "~"},
                        {"id": "12:30", "name": "é ü"},
                    ],
                }
            },
        }
    }
    path = tmp_path / "openclaw.json"
    path.write_text(json.dumps(config))
    assert main(["import", str(path), "-n", namespace]) == 0
    printed = capsys.readouterr().out
    cluster.kubectl("apply", "-f", "-", stdin=printed)
    assert "unchanged" in cluster.kubectl("apply", "-f", "-", stdin=printed)
    stored = json.loads(cluster.kubectl("-n", namespace, "get", "modelprovider", "lm-studio", "-o", "json"))
    assert [(m["id"], m["name"]) for m in stored["spec"]["models"]] == [("1e3", "yes"), ("0o17", "~"), ("12:30", "é ü")]
    annotated = json.loads(cluster.kubectl("get", "namespace", namespace, "-o", "json"))
    assert annotated["metadata"]["annotations"]["pointsman.dev/mode"] == "Replace"
