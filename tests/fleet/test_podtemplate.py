"""What `podTemplate` may not change."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.test_strategicmerge import ANYTHING, PATCHES
from fleet.workloads import CASES, rendered
from fleet.worlds import Json, deployed
from pointsman.engines import vllm_container
from pointsman.fleet.podtemplate import refusals


def refused(patch: Any, **deploy: Any) -> list[str]:
    found = deployed("qwen", podTemplate=patch, **deploy)
    assert found.spec
    assert found.spec.deploy
    return list(refusals(found.spec.deploy))


def engine(**fields: Any) -> Json:
    return {"spec": {"containers": [{"name": "vllm", **fields}]}}


@pytest.mark.parametrize(
    ("patch", "told"),
    [
        ({"kind": "Pod"}, "spec.deploy.podTemplate.kind: a Pod template has metadata and spec"),
        ({"spec": None}, "spec.deploy.podTemplate: metadata and spec must be objects"),
        ({"metadata": []}, "spec.deploy.podTemplate: metadata and spec must be objects"),
        ({"metadata": {"name": "x"}}, "spec.deploy.podTemplate.metadata.name: only labels and annotations"),
        ({"metadata": {"labels": None}}, "podTemplate.metadata.labels: must keep what is there"),
        ({"metadata": {"labels": {"$patch": "replace"}}}, "podTemplate.metadata.labels: must keep what is there"),
        ({"metadata": {"labels": {"app.kubernetes.io/name": "x"}}}, "labels[app.kubernetes.io/name]: is the"),
        ({"metadata": {"labels": {"pointsman.dev/role": None}}}, "labels[pointsman.dev/role]: is the operator's"),
        ({"metadata": {"annotations": {"pointsman.dev/revision": "x"}}}, "annotations[pointsman.dev/revision]: is"),
        ({"spec": {"$patch": "delete"}}, "podTemplate.spec: $patch would take the engine away"),
        (
            {"spec": {"terminationGracePeriodSeconds": 600}},
            "spec.terminationGracePeriodSeconds: vLLM has to know it too: use spec.deploy.terminationGracePeriod",
        ),
        ({"spec": {"restartPolicy": "Never"}}, "podTemplate.spec.restartPolicy: an engine is always restarted"),
        ({"spec": {"containers": None}}, "spec.containers: must keep the container vllm"),
        ({"spec": {"containers": [{"$patch": "replace"}]}}, "spec.containers: must keep the container vllm"),
        (engine(**{"$patch": "delete"}), "spec.containers[vllm]: $patch would take the engine away"),
        (engine(args=["x"]), "containers[vllm].args: is the operator's to set: use spec.deploy.engine.extraArgs"),
        (engine(image="x"), "spec.containers[vllm].image: is the operator's to set: use spec.deploy.image"),
        (engine(env=[{"name": "VLLM_API_KEY", "value": "x"}]), "containers[vllm].env[VLLM_API_KEY]: is the"),
        (engine(env=[{"$patch": "replace"}]), "spec.containers[vllm].env: must keep what is there"),
        (engine(ports=None), "spec.containers[vllm].ports: must keep what is there"),
        (engine(ports=[{"containerPort": 8000, "$patch": "delete"}]), "containers[vllm].ports[8000]: is the one"),
        (engine(ports=[{"containerPort": 8000, "name": "web"}]), "containers[vllm].ports[8000]: is the one"),
        (engine(ports=[{"containerPort": 9000, "name": "http"}]), "http is the name of the engine's port"),
        (
            {"spec": {"containers": [{"name": "proxy", "ports": [{"containerPort": 80, "name": "http"}]}]}},
            "spec.containers[proxy].ports: http is the name of the engine's port",
        ),
        ({"spec": {"containers": [{"image": "x"}]}}, "spec.containers: each item needs name"),
        ({"spec": {"affinity": {"$patch": "merge"}}}, "spec.affinity: $patch is replace or delete, not 'merge'"),
    ],
)  # fmt: skip
def test_what_would_lose_the_engine_is_refused_by_its_path(patch: Json, told: str) -> None:
    """Where it is, why, and what to do instead."""
    (text,) = refused(patch)
    assert told in text


def test_what_is_for_people_to_say_is_taken() -> None:
    """The escape hatch is open for whatever leaves the engine where it is."""
    assert refused(CASES["everything"]["podTemplate"]) == []
    assert refused({}) == []
    assert refused(engine(env=[{"name": "A"}], livenessProbe=None, ports=[{"containerPort": 9, "name": "nine"}])) == []


@pytest.mark.parametrize("name", ["HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "VLLM_USE_MODELSCOPE"])
def test_what_engine_env_may_not_say_of_a_fetched_model_is_refused_here_too(name: str) -> None:
    """The engine would look where nothing is; without a Job that fetches it is for people to say."""
    entry = {"name": name, "value": "/x"}
    (text,) = refused(engine(env=[entry]), cache={"size": 1})
    assert f"podTemplate.spec.containers[vllm].env[{name}]: says where the prefetched model is: remove it" in text
    found = deployed("qwen", engine={"env": [entry]}, cache={"size": 1}).spec
    assert found
    assert found.deploy
    assert [each for each in vllm_container.refusals(found.deploy) if name in each]
    assert refused(engine(env=[entry])) == []


@pytest.mark.parametrize(
    ("patch", "told"),
    [
        ({"spec": {"volumes": None}}, "spec.volumes: must keep the cache"),
        ({"spec": {"volumes": [{"$patch": "replace"}]}}, "spec.volumes: must keep the cache"),
        ({"spec": {"volumes": [{"name": "cache", "emptyDir": {}}]}}, "spec.volumes[cache]: is the one that a Job"),
        (engine(volumeMounts=None), "spec.containers[vllm].volumeMounts: must keep the cache"),
        (engine(volumeMounts=[{"name": "x", "mountPath": "/cache/"}]), "volumeMounts: /cache is what a Job fills"),
        (engine(volumeMounts=[{"name": "x", "mountPath": "/cache/huggingface"}]), "/cache is what a Job fills"),
    ],
)
def test_what_would_part_the_engine_from_what_is_fetched_is_refused(patch: Json, told: str) -> None:
    """Only where a Job fetches: who fills the cache by himself may put it elsewhere."""
    (text,) = refused(patch, cache={"size": 1})
    assert told in text
    assert refused(patch) == []


PIECES = st.one_of(PATCHES, st.dictionaries(st.sampled_from(["metadata", "spec", "$patch"]), ANYTHING))


@given(PIECES)
def test_what_is_not_refused_keeps_what_others_rely_on(patch: Json) -> None:
    """The container, its port and arguments, and every label by which the Pods are found."""
    if refused(patch):
        return
    made = rendered(podTemplate=patch).engine["spec"]
    template, ours = made["template"], rendered().engine["spec"]["template"]
    (container,) = (each for each in template["spec"]["containers"] if each["name"] == "vllm")
    (plain,) = ours["spec"]["containers"]
    assert container["args"] == plain["args"]
    assert container["image"] == plain["image"]
    assert plain["ports"][0] in container["ports"]
    assert made["selector"]["matchLabels"].items() <= template["metadata"]["labels"].items()
    assert template["metadata"]["labels"]["pointsman.dev/role"] == "engine"
