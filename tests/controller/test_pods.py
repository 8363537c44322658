"""When Pods are looked at, and what is kept of what they tell."""

from __future__ import annotations

from typing import Any

from controller.fakeapi import Direct, FakeApi
from fleet.pods import crashed, ended, pod, serving, vllm
from fleet.worlds import deployed
from pointsman.controller.cluster import ForbiddenError
from pointsman.controller.pods import Pods
from pointsman.fleet.podreport import Log
from pointsman.fleet.world import Json, Prefetch, Told, Workload

SPEC = deployed("a").spec
assert SPEC
assert SPEC.deploy
DEPLOY = SPEC.deploy
MISSING = Workload(status={"replicas": 1}, replicas=1)
READY = Workload(status={"replicas": 1, "readyReplicas": 1}, replicas=1)
UNTOLD = "RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {}"
CAUSE = "ValueError: No room for it. Based on the available memory, the estimated maximum model length is 4512."


class Cluster:
    """Gives `pods` and counts how often it is asked."""

    def __init__(self, *pods: Json) -> None:
        self.now, self.asked = list(pods), 0

    async def pods(self, namespace: str, labels: str) -> list[Json]:
        assert (namespace, labels) == ("ns", "pointsman.dev/provider=a")
        self.asked += 1
        return self.now


def watching(cluster: Any, read_log: Any = None) -> Pods:
    return Pods(cluster, read_log)


async def test_pods_are_asked_while_replicas_are_missing_and_once_when_they_are_there() -> None:
    """The last look tells how long the start took; a settled provider costs nothing."""
    cluster = Cluster(pod(crashed("KeyError: 'w'")))
    pods = watching(cluster)
    assert await pods.look("ns", "a", MISSING, DEPLOY)
    assert pods.reasons("ns")["a"].reason == "CrashLoopBackOff"
    assert pods.reasons("other") == {}
    cluster.now = [serving()]
    assert not await pods.look("ns", "a", READY, DEPLOY)
    told = pods.reasons("ns")["a"]
    assert (told.reason, told.startup.load) == ("", 120.0)
    assert not await pods.look("ns", "a", READY, DEPLOY)
    assert cluster.asked == 2
    assert await pods.look("ns", "a", MISSING, DEPLOY)
    assert cluster.asked == 3


async def test_what_a_pod_says_beside_a_full_count_is_no_reason() -> None:
    """An old one may still be on its way out."""
    pods = watching(Cluster(pod(crashed("KeyError: 'w'"))))
    assert not await pods.look("ns", "a", READY, DEPLOY)
    assert pods.reasons("ns")["a"].reason == ""


async def test_the_job_that_fetches_is_looked_at_too() -> None:
    """While it is not done, also where the engine of the last model still runs."""
    failed = vllm(ended(1, "huggingface_hub.errors.GatedRepoError: 403 Client Error."), name="prefetch")
    pods = watching(Cluster(serving(), pod(failed, phase="Failed", role="prefetch", name="j-1")))
    fetching = Workload(status=READY.status, replicas=1, prefetch=Prefetch("j"))
    assert await pods.look("ns", "a", fetching, DEPLOY)
    assert pods.fetching("ns")["a"].reason == "ModelAccessDenied"
    assert pods.reasons("ns")["a"].reason == ""


async def test_a_log_is_read_once_for_each_end_of_a_container() -> None:
    """Where its Pod does not tell the cause; the next restart may have another."""
    cluster, asked = Cluster(pod(crashed(UNTOLD, restarts=1))), []

    async def log(namespace: str, wanted: Log) -> str:
        asked.append((namespace, wanted))
        return f"{CAUSE}\n{UNTOLD}"

    pods = watching(cluster, log)
    for _ in range(2):
        assert await pods.look("ns", "a", MISSING, DEPLOY)
    assert asked == [("ns", Log("p-1", "vllm", True, 1))]
    assert pods.reasons("ns")["a"].suggested_max_model_len == 4512
    cluster.now = [pod(crashed(UNTOLD, restarts=2))]
    assert await pods.look("ns", "a", MISSING, DEPLOY)
    assert len(asked) == 2


async def test_a_log_that_may_not_be_read_leaves_the_command_that_shows_it() -> None:
    """Without the right to it, and without a reader at all."""

    async def refused(namespace: str, wanted: Log) -> str:
        raise ForbiddenError(f"GET {namespace}/{wanted.pod}", 403)

    for reader in (refused, None):
        pods = watching(Cluster(pod(crashed(UNTOLD))), reader)
        assert await pods.look("ns", "a", MISSING, DEPLOY)
        assert pods.reasons("ns")["a"].reason == "EngineStartFailed"


async def test_a_provider_that_is_gone_is_forgotten() -> None:
    """With what its Job told; one of the same name begins anew."""
    pods = watching(Cluster(serving()))
    await pods.look("ns", "a", READY, DEPLOY)
    pods.forget("ns", "a")
    assert pods.reasons("ns") == pods.fetching("ns") == {}
    await pods.look("ns", "a", READY, DEPLOY)
    assert pods.reasons("ns")["a"].startup.scheduled == 1.0


async def test_pods_are_found_by_their_label() -> None:
    """With one request to the API server."""
    asked: list[str] = []
    cluster = Direct(FakeApi())
    cluster.before = asked.append
    pods = watching(cluster)
    assert await pods.look("ns", "a", MISSING, DEPLOY)
    assert asked == ["GET"]
    assert pods.reasons("ns") == {"a": Told()}
