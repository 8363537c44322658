"""What is mounted into an engine's Pod."""

from __future__ import annotations

from typing import Any

import pytest

from fleet.workloads import CASES, beside, container, pod, volumes
from fleet.worlds import Json, deployed
from pointsman.fleet.workload_volumes import cache_refusals


@pytest.mark.parametrize(
    ("deploy", "size"),
    [
        ({}, "2Gi"),
        ({"gpus": 0}, "2Gi"),
        ({"gpus": 2}, "8Gi"),
        ({"gpus": 2, "parallelism": {"tensor": 1, "data": 2}}, "8Gi"),
        ({"gpus": 2, "sharedMemorySize": "16384Mi"}, "16Gi"),
        ({"sharedMemorySize": 0}, "0"),
    ],
)
def test_shared_memory_is_sized_by_the_gpus_that_work_together(deploy: Json, size: str) -> None:
    """An unbounded one would take the node's memory."""
    assert volumes(**deploy)["shm"] == {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": size}}


def test_weights_of_a_claim_and_of_an_image_are_mounted_read_only() -> None:
    """Where vLLM is told that they are."""
    claim, image = volumes(**CASES["pvc"])["model"], volumes(**CASES["oci"])["model"]
    assert claim["persistentVolumeClaim"] == {"claimName": "weights", "readOnly": True}
    assert image["image"] == {"reference": "registry.example/models/qwen:1", "pullPolicy": "IfNotPresent"}
    for case in ("pvc", "oci"):
        mounts = {each["name"]: each for each in container(**CASES[case])["volumeMounts"]}
        assert mounts["model"] == {"name": "model", "mountPath": "/models", "readOnly": True}
        assert container(**CASES[case])["args"][0].startswith("/models")


def test_each_claim_is_mounted_once_for_the_model_and_its_adapters() -> None:
    """A list of mounts is compared by names."""
    made = container(**CASES["adapters"])["volumeMounts"]
    assert len({each["name"] for each in made}) == len({each["mountPath"] for each in made}) == len(made)
    sources = [each.get("persistentVolumeClaim") for each in volumes(**CASES["adapters"]).values()]
    assert [each["claimName"] for each in sources if each] == ["weights", "lora"]


@pytest.mark.parametrize(
    ("cache", "source", "modes"),
    [
        (None, {"emptyDir": {}}, None),
        ({"claimName": "weights"}, {"persistentVolumeClaim": {"claimName": "weights"}}, None),
        ({"hostPath": "/models"}, {"hostPath": {"path": "/models", "type": "Directory"}}, None),
        ({"size": "1024Mi"}, {"persistentVolumeClaim": {"claimName": "qwen-cache"}}, ["ReadWriteOnce"]),
        (
            {"size": 5, "accessModes": ["ReadWriteOncePod"]},
            {"persistentVolumeClaim": {"claimName": "qwen-cache"}},
            ["ReadWriteOncePod"],
        ),
    ],
)
def test_the_cache_is_where_it_is_said(cache: Json | None, source: Json, modes: list[str] | None) -> None:
    """A claim is made only where its size is stated."""
    deploy = {"cache": cache} if cache else {}
    assert volumes(**deploy)["cache"] == {"name": "cache", **source}
    claim = beside("PersistentVolumeClaim", **deploy)
    assert (claim["spec"]["accessModes"] if claim else None) == modes


def test_a_claim_for_several_pods_can_be_mounted_on_several_nodes() -> None:
    """Otherwise the second one would wait for ever."""
    for more in ({"replicas": 2}, {"parallelism": {"nodes": 2}, "gpus": 2}):
        claim = beside("PersistentVolumeClaim", cache={"size": "1Gi"}, **more)
        assert claim
        assert claim["spec"]["accessModes"] == ["ReadWriteMany"]


def test_what_is_not_root_can_write() -> None:
    """Home, caches and /tmp are volumes of the Pod's own."""
    paths = {each["mountPath"] for each in container()["volumeMounts"]}
    assert {"/home/pointsman", "/cache", "/tmp", "/dev/shm"} == paths
    env = {each["name"]: each.get("value", "") for each in container()["env"]}
    for name in ("HOME", "HF_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "VLLM_CACHE_ROOT", "TRITON_CACHE_DIR"):
        assert any(env[name].startswith(path) for path in paths)
    security = pod()["securityContext"]
    assert (security["runAsNonRoot"], security["seccompProfile"]) == (True, {"type": "RuntimeDefault"})


ONE_POD: Json = {"size": "1Gi", "accessModes": ["ReadWriteOncePod"]}


def refused(**deploy: Any) -> list[str]:
    found = deployed("qwen", **deploy)
    assert found.spec
    assert found.spec.deploy
    return list(cache_refusals(found.spec.deploy))


@pytest.mark.parametrize(
    ("deploy", "told"),
    [
        ({"cache": ONE_POD}, "the Job that downloads the next model would wait for ever: write ReadWriteOnce"),
        ({"cache": ONE_POD, "replicas": 2}, "is for one Pod, and there are several: write ReadWriteMany"),
        ({"cache": {**ONE_POD, "prefetch": False}, "replicas": 2}, "accessModes: ReadWriteOncePod is for one Pod"),
        ({"cache": ONE_POD, "parallelism": {"nodes": 2}}, "is for one Pod"),
        ({"cache": {"size": 1, "resources": {"nvidia.com/gpu": 1}}}, "cache.resources: a download needs no nvidia"),
        ({"cache": {"hostPath": "/x", "resources": {"cpu": 1}}}, "cache.resources: is of the Job that downloads, and"),
    ],
)
def test_a_cache_for_which_pods_would_wait_for_ever_is_refused(deploy: Json, told: str) -> None:
    """A claim of one Pod is the engine's as long as it runs."""
    (text,) = refused(**deploy)
    assert text.startswith("spec.deploy.cache.")
    assert told in text


def test_other_caches_are_taken() -> None:
    """One replica that fetches for itself can hold its claim alone."""
    assert refused() == []
    assert refused(cache={**ONE_POD, "prefetch": False}) == []
    assert refused(cache=ONE_POD, model={"source": "pvc://weights/m"}) == []
    assert refused(cache={"size": 1, "resources": {"cpu": 1}}, replicas=2) == []
