"""`pointsman plan` prints what the operator would apply, and nothing that only a cluster knows."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings

from fleet.strategies import WORLDS
from fleet.worlds import NOW, deployed, world
from pointsman.__main__ import main
from pointsman.fleet import manifests, yamltext
from pointsman.fleet.plan import plan_provider
from pointsman.fleet.world import World
from pointsman.local import planning

Json = dict[str, Any]
Capture = pytest.CaptureFixture[str]

SOUND = """
apiVersion: pointsman.dev/v1alpha1
kind: ModelProvider
metadata: {name: qwen, namespace: ai}
spec:
  type: VLLM
  deploy:
    model: {source: "hf://Qwen/Qwen3-32B", revision: 0123456789abcdef0123456789abcdef01234567}
    gpus: 2
---
apiVersion: pointsman.dev/v1alpha1
kind: ModelRoute
metadata: {name: r, namespace: ai}
spec: {modelName: m, primary: {provider: qwen, model: Qwen/Qwen3-32B}, fallbacks: [{provider: box, model: x}]}
"""
KEYED = """
apiVersion: v1
kind: Secret
metadata: {name: key, namespace: ai}
stringData: {token: s3cret-value}
---
apiVersion: pointsman.dev/v1alpha1
kind: ModelProvider
metadata: {name: box, namespace: ai}
spec:
  type: OpenAICompatible
  endpoint: {baseUrl: "https://h.example", credentials: {secretRef: {name: key, key: token}}}
"""
ELSEWHERE = """
apiVersion: pointsman.dev/v1alpha1
kind: ModelProvider
metadata: {name: groups, namespace: lab}
spec:
  type: VLLM
  deploy: {model: {source: "pvc://claim/m"}, gpus: 8, parallelism: {nodes: 2}, apiKeyRef: {name: own, key: k}}
"""
REFUSED = """
apiVersion: pointsman.dev/v1alpha1
kind: ModelProvider
metadata: {name: odd, namespace: ai}
spec: {type: VLLM, deploy: {model: {source: "hf://o/m"}, engine: {extraArgs: ["--port=1"]}}}
"""


def files(tmp_path: Path, **texts: str) -> list[str]:
    for name, text in texts.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    return [str(tmp_path / f"{name}.yaml") for name in texts]


def bodies(text: str) -> list[Json]:
    return [body for body in yaml.safe_load_all(text) if body]


def named(found: list[Json]) -> list[tuple[str, str, str]]:
    return [(body["metadata"]["namespace"], body["kind"], body["metadata"]["name"]) for body in found]


def test_every_object_is_printed_in_order(tmp_path: Path, capsys: Capture) -> None:
    """Of all namespaces; what an engine needs comes before it, the table comes last."""
    assert main(["plan", *files(tmp_path, sound=SOUND, keyed=KEYED, elsewhere=ELSEWHERE)]) == 0
    found = named(bodies(capsys.readouterr().out))
    assert len(set(found)) == len(found)
    assert next(each for each in found if each[0] == "ai") == ("ai", "Service", "qwen")
    assert ("ai", "NetworkPolicy", "qwen") in found
    assert found.index(("ai", "Deployment", "qwen")) == found.index(("ai", "ConfigMap", "pointsman-routing")) - 1
    assert found[-1] == ("lab", "LeaderWorkerSet", "groups")


def test_the_bytes_are_the_same_in_any_order_of_files(tmp_path: Path, capsys: Capture) -> None:
    """So that a difference in git is a difference in what is applied."""
    paths = files(tmp_path, sound=SOUND, keyed=KEYED, elsewhere=ELSEWHERE)
    main(["plan", *paths])
    first = capsys.readouterr().out
    main(["plan", *reversed(paths)])
    assert capsys.readouterr().out == first
    main(["plan", str(tmp_path)])
    assert capsys.readouterr().out == first


def test_secrets_are_named_and_not_printed(tmp_path: Path, capsys: Capture) -> None:
    """Whoever applied a placeholder would lose the key."""
    main(["plan", *files(tmp_path, sound=SOUND, keyed=KEYED, elsewhere=ELSEWHERE)])
    said = capsys.readouterr()
    assert not [body for body in bodies(said.out) if body["kind"] == "Secret"]
    assert "# Secret pointsman-credentials of namespace ai: an entry for each of box, qwen." in said.out
    assert "# Secret pointsman-engine-keys of namespace ai: an entry for each of qwen." in said.out
    assert "pointsman-engine-keys of namespace lab" not in said.out
    assert "s3cret" not in said.out + said.err


def test_what_only_the_cluster_knows_is_left_out(tmp_path: Path, capsys: Capture) -> None:
    """And told in the comment above."""
    main(["plan", *files(tmp_path, sound=SOUND, elsewhere=ELSEWHERE)])
    out = capsys.readouterr().out
    assert "ownerReferences:" not in out
    assert "pointsman.dev/revision" not in out
    assert "owner reference" in out.split("---")[0]
    assert "# The cluster must have the LeaderWorkerSet CRD" in out


def test_what_is_refused_is_said_and_the_rest_printed(tmp_path: Path, capsys: Capture) -> None:
    """1, with the path and the remedy."""
    assert main(["plan", *files(tmp_path, sound=SOUND, refused=REFUSED)]) == 1
    said = capsys.readouterr()
    assert "error: ai: provider odd is refused: InvalidSpec: spec.deploy.engine.extraArgs: --port" in said.err
    assert {each[2] for each in named(bodies(said.out)) if each[1] == "Deployment"} == {"qwen"}


def test_files_that_cannot_be_read_are_an_error(tmp_path: Path, capsys: Capture) -> None:
    """Nothing is printed that could be applied."""
    assert main(["plan", str(tmp_path / "none.yaml")]) == 1
    assert capsys.readouterr() == ("", f"pointsman: {tmp_path / 'none.yaml'}: no such file or folder\n")
    assert main(["plan", *files(tmp_path, odd=SOUND.replace("gpus: 2", "gpu: 2"))]) == 1
    said = capsys.readouterr()
    assert (said.out, "spec.deploy" in said.err) == ("", True)


def test_what_is_unsafe_is_warned_of(tmp_path: Path, capsys: Capture) -> None:
    """On standard error: what is printed stays YAML, and 0, as nothing is blocked."""
    unsafe = SOUND.replace("gpus: 2", "engine: {trustRemoteCode: true}")
    assert main(["plan", *files(tmp_path, unsafe=unsafe)]) == 0
    assert "warning: ai: provider qwen: RemoteCode: spec.deploy.engine.trustRemoteCode" in capsys.readouterr().err


def test_a_list_for_machines(tmp_path: Path, capsys: Capture) -> None:
    """The same objects; the table can be left out, which follows the probes."""
    paths = files(tmp_path, sound=SOUND, keyed=KEYED)
    main(["plan", *paths])
    shown = bodies(capsys.readouterr().out)
    main(["plan", "-o", "json", *paths])
    told = json.loads(capsys.readouterr().out)
    assert (told["kind"], told["items"]) == ("List", shown)
    main(["plan", "--no-table", *paths])
    assert bodies(capsys.readouterr().out) == [body for body in shown if body["kind"] != "ConfigMap"]


def test_a_table_says_where_its_gateway_is(tmp_path: Path, capsys: Capture) -> None:
    """As the operator that was installed with the same settings would; text of several lines stays readable."""
    main(["plan", "--gateway-service", "door", *files(tmp_path, sound=SOUND)])
    out = capsys.readouterr().out
    [table] = [body for body in bodies(out) if body["kind"] == "ConfigMap"]
    assert "http://door.ai.svc:8080/v1" in table["data"]["openclaw.json"]
    assert "  routing.json: |\n    {\n" in out


def test_the_operators_place_is_in_the_rules(tmp_path: Path, capsys: Capture) -> None:
    """Its Pods are let in from there alone."""
    main(["plan", "--operator-namespace", "pointsman-system", *files(tmp_path, sound=SOUND)])
    [rules] = [body for body in bodies(capsys.readouterr().out) if body["kind"] == "NetworkPolicy"]
    assert "pointsman-system" in json.dumps(rules)


def test_no_network_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It runs where objects are reviewed."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a socket was made")

    monkeypatch.setattr(socket, "socket", refuse)
    assert main(["plan", *files(tmp_path, sound=SOUND, keyed=KEYED)]) == 0


def test_it_is_what_the_operator_plans() -> None:
    """Object for object, apart from what only the cluster knows."""
    there = world([deployed("q", model={"source": "pvc://claim/m"}, replicas=2)])
    applied = {(each["kind"], each["metadata"]["name"]): each for each in plan_provider(there, "q", NOW).objects}
    printed = {
        (each.body["kind"], each.body["metadata"]["name"]): each.body
        for each in planning.planned(there, planning.Options(()))
        if each.body
    }
    assert {key: planning._told(each) for key, each in applied.items()} == printed


@settings(deadline=None, max_examples=40)
@given(WORLDS)
def test_any_world_is_printed_as_it_is(of_world: World) -> None:
    """What is read back is what was meant, and the same world gives the same."""
    found = [each.body for each in planning.planned(of_world, planning.Options(())) if each.body]
    text = manifests.dump(found)
    assert [each.value for each in yamltext.documents(text)] == found
    assert manifests.dump(each.body for each in planning.planned(of_world, planning.Options(())) if each.body) == text


PATCHED = """
apiVersion: pointsman.dev/v1alpha1
kind: ModelProvider
metadata: {{name: patched, namespace: ai, labels: null}}
spec:
  type: VLLM
  models: null
  deploy:
    model: {{source: "hf://o/m", path: null}}
    engine: null
    podTemplate: {{spec: {{containers: {containers}}}}}
"""


def test_a_null_in_a_patch_takes_a_member_away(tmp_path: Path, capsys: Capture) -> None:
    """As in a cluster, where the API server keeps it in free-form fields; elsewhere it says nothing."""
    text = PATCHED.format(containers="[{name: vllm, livenessProbe: null}]")
    assert main(["plan", *files(tmp_path, patched=text)]) == 0
    (engine,) = [body for body in bodies(capsys.readouterr().out) if body["kind"] == "Deployment"]
    (container,) = engine["spec"]["template"]["spec"]["containers"]
    assert "readinessProbe" in container
    assert "livenessProbe" not in container


def test_a_patch_that_takes_the_engine_away_is_refused(tmp_path: Path, capsys: Capture) -> None:
    """`containers: null` is what the operator calls InvalidSpec."""
    assert main(["plan", *files(tmp_path, patched=PATCHED.format(containers="null"))]) == 1
    assert "podTemplate.spec.containers" in capsys.readouterr().err
