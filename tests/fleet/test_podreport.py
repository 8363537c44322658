"""Why Pods are not ready, of bodies as Kubernetes 1.36 writes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.pods import (
    GPU,
    at,
    condition,
    crashed,
    ended,
    pod,
    running,
    serving,
    unscheduled,
    vllm,
    waiting,
)
from pointsman.fleet.podreport import Log, fetched, told, wanted_logs
from pointsman.fleet.reasons import REASONS
from pointsman.fleet.world import Startup, Told

Json = dict[str, Any]
STARTUP: Final = 1800.0
KV_LOG: Final = (Path(__file__).parents[1] / "engines" / "words" / "kv.txt").read_text()
FULL: Final = (
    "0/5 nodes are available: 1 node(s) had untolerated taint {node.kubernetes.io/disk-pressure: }, 1 "
    "node(s) were unschedulable, 3 Insufficient nvidia.com/gpu. preemption: 0/5 nodes are available: 2 Preemption is "
    "not helpful for scheduling, 3 No preemption victims found for incoming pod."
)


def said(*pods: Json, **more: Any) -> tuple[str, str]:
    found = told(pods, GPU, STARTUP, **more)
    return found.reason, found.message


@pytest.mark.parametrize(
    ("message", "reason", "words"),
    [
        (
            FULL,
            "InsufficientGPU",
            "of 5 nodes 3 have too little nvidia.com/gpu free, 1 cordoned, 1 has a taint that is not tolerated (node.",
        ),
        (
            "0/3 nodes are available: 3 Insufficient memory. no new claims to deallocate, preemption: 0/3",
            "InsufficientResources",
            "2 nvidia.com/gpu and 32Gi memory; of 3 nodes 3 have",
        ),
        (
            "0/2 nodes are available: 2 node(s) had untolerated taint(s).",
            "UntoleratedTaint",
            "of 2 nodes 2 have a taint",
        ),
        (
            "0/2 nodes are available: 2 node(s) had taints that the pod didn't tolerate.",
            "UntoleratedTaint",
            "2 have a taint",
        ),
        (
            "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector. preemption: 0/2 nodes",
            "NoMatchingNode",
            "of 2 nodes 2 do not match the nodeSelector or affinity",
        ),
        (
            "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims.",
            "VolumeNotBound",
            "unbound immediate",
        ),
        (
            '0/1 nodes are available: persistentvolumeclaim "weights" not found.',
            "VolumeNotBound",
            '"weights" not found',
        ),
        (
            "0/4 nodes are available: 4 node(s) had volume node affinity conflict.",
            "VolumeNotBound",
            "had volume node affinity",
        ),
        ("no nodes available to schedule pods", "Unschedulable", "no nodes available"),
        ("", "Unschedulable", "the scheduler does not say why"),
    ],
)
def test_a_pod_without_a_node_says_what_it_asks_for_and_what_nodes_lack(message: str, reason: str, words: str) -> None:
    """In the scheduler's own numbers, most nodes first, without the part on preemption."""
    found = said(unscheduled(message, gpus=2))
    assert found[0] == reason
    assert words in found[1]
    assert "reempt" not in found[1]


def test_a_pod_that_nobody_placed_yet_waits_for_its_scheduler() -> None:
    """One with another name may not run at all; a gate keeps the Pod from it."""
    assert said(pod(node="", spec={"schedulerName": "volcano"})) == (
        "Progressing",
        "the Pod waits for the scheduler volcano",
    )
    gated = condition(
        "PodScheduled", "False", "SchedulingGated", "Scheduling is blocked due to non-empty scheduling gates"
    )
    assert said(pod(node="", conditions=(gated,)))[0] == "SchedulingGated"


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ('failed to resolve reference "docker.io/vllm/vllm-openai:v9": docker.io/vllm/vllm-openai:v9: not found',
         "the registry has no such image"),
        ("failed to authorize: failed to fetch oauth token: status: 401 Unauthorized", "the registry refuses it"),
        ("toomanyrequests: You have reached your pull rate limit.", "the registry's limit on pulls is reached"),
        ("dial tcp: lookup registry.local on 10.0.0.10:53: no such host", "the registry cannot be reached"),
        ("write /var/lib/containerd: no space left on device", "the node's disk is full"),
        ("no match for platform in manifest", "no such image for the node's kind of processor"),
    ],
)  # fmt: skip
def test_an_image_that_cannot_be_pulled_says_which_and_why(message: str, words: str) -> None:
    """From kubelet's back-off, which repeats the registry's answer."""
    image = "vllm/vllm-openai:v9"
    back_off = f'Back-off pulling image "{image}": ErrImagePull: rpc error: code = Unknown desc = {message}'
    reason, found = said(pod(vllm(waiting("ImagePullBackOff", back_off))))
    assert reason == "ImagePullFailed"
    assert found == f"the image {image} cannot be pulled: {found.partition(': ')[2]}"
    assert words in found


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (
            waiting("ErrImageNeverPull", 'Container image "x:1" is not present with pull policy of Never'),
            "may not pull it",
        ),
        (
            waiting("InvalidImageName", 'Failed to apply default image tag "A:": couldn\'t parse image name "A:"'),
            "no image's",
        ),
    ],
)
def test_an_image_that_is_never_pulled_says_so(state: Json, words: str) -> None:
    """Neither is the registry's fault."""
    reason, found = said(pod(vllm(state)))
    assert reason == "ImagePullFailed"
    assert words in found


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ('secret "hub" not found', ("SecretNotFound", "the Secret hub is not there")),
        ("couldn't find key token in Secret ai/hub", ("SecretKeyNotFound", "the Secret hub has no key token")),
        ('configmap "chat" not found', ("ConfigMapNotFound", "the ConfigMap chat is not there")),
        ("couldn't find key t in ConfigMap ai/chat", ("ConfigMapNotFound", "the ConfigMap chat has no key t")),
        (
            'container has runAsNonRoot and image will run as root (pod: "p")',
            ("ContainerConfigError", 'container has runAsNonRoot and image will run as root (pod: "p")'),
        ),
    ],
)
def test_a_configuration_that_cannot_be_made_names_what_is_missing(message: str, expected: tuple[str, str]) -> None:
    """Of CreateContainerConfigError."""
    assert said(pod(vllm(waiting("CreateContainerConfigError", message)))) == expected


@pytest.mark.parametrize("reason", ["RunContainerError", "CreateContainerError"])
def test_a_container_that_cannot_be_started_says_why(reason: str) -> None:
    """A runtime class without its binary, a missing driver, a wrong command."""
    found = said(pod(vllm(waiting(reason, 'exec: "vllm": executable file not found in $PATH: unknown'))))
    assert found[0] == "RunContainerError"
    assert 'exec: "vllm": executable file not found' in found[1]


@pytest.mark.parametrize(
    ("container", "reason", "words"),
    [
        (
            crashed("ValueError: LoRA rank 64 is greater than max_lora_rank 16."),
            "AdapterLoadFailed",
            "an adapter has rank 64",
        ),
        (crashed("KeyError: 'w'"), "CrashLoopBackOff", "KeyError: 'w'"),
        (crashed("", code=1), "CrashLoopBackOff", "exit code 1 and said nothing"),
        (crashed("", code=137, reason="OOMKilled"), "OOMKilled", "more than its memory limit of 32Gi"),
        (crashed("INFO loading", code=137, end=5 + STARTUP), "StartupTimeout", "was not ready in 1800 s"),
        (crashed("INFO loading", code=143, end=5 + STARTUP + 75), "StartupTimeout", "was not ready in 1800 s"),
        (crashed("", code=137, end=100), "CrashLoopBackOff", "stopped from outside after 95 s (exit code 137)"),
        (vllm(running(90), ended(1, "KeyError: 'w'", end=80), restarts=1), "CrashLoopBackOff", "KeyError: 'w'"),
        (vllm(running(), ready=False), "ModelLoading", "the engine loads its model"),
        (
            vllm(waiting("ContainerCreating")),
            "ContainerCreating",
            "its image is being pulled: docker.io/vllm/vllm-openai:v0.32.0",
        ),
        (vllm(waiting("PodInitializing")), "ContainerCreating", "its init containers run first"),
    ],
)
def test_a_container_says_why_it_is_not_ready(container: Json, reason: str, words: str) -> None:
    """Its last words, what kubelet or the kernel did to it, or how far it is; a crash counts until it is ready."""
    found = said(pod(container))
    assert found[0] == reason
    assert words in found[1]


def test_volumes_come_before_the_image() -> None:
    """Kubelet makes the sandbox once all volumes are mounted."""
    setting_up = condition("PodReadyToStartContainers", "False")
    found = said(pod(vllm(waiting("ContainerCreating")), conditions=(setting_up,)))
    assert found == ("ContainerCreating", "its volumes and its network are being set up")
    assert said(pod()) == ("ContainerCreating", "its node has just taken it")


def test_an_engine_that_was_ready_has_not_started_too_slowly() -> None:
    """Kubelet's liveness probe ended it: its Pod was ready in that run, as its condition changed after the start."""
    hung = ended(137, "INFO serving", start=5, end=4000)
    assert said(pod(vllm(running(4005), hung, restarts=1), since=4000))[0] == "EngineStalled"
    assert said(pod(vllm(running(4005), hung, restarts=1), since=1))[0] == "StartupTimeout"


def test_an_engine_that_does_not_answer_any_more_is_told_from_one_that_loads() -> None:
    """Before kubelet ends it."""
    assert said(pod(vllm(running(5)), since=600))[0] == "ReadinessProbeFailed"
    assert said(pod(vllm(running(5)), since=1))[0] == "ModelLoading"


def test_another_container_is_named() -> None:
    """One that spec.deploy.podTemplate brought; init containers come first, and one that ended well is no matter."""
    failed = vllm(waiting("CrashLoopBackOff"), ended(2, "fatal: no"), name="fetch")
    assert said(pod(vllm(waiting("PodInitializing")), init=(failed,))) == (
        "CrashLoopBackOff",
        "the init container fetch: fatal: no",
    )
    done = vllm(ended(0), name="fetch")
    assert said(pod(vllm(running()), init=(done,)))[0] == "ModelLoading"
    sidecar = vllm(waiting("CrashLoopBackOff"), ended(1, "OSError: x"), name="exporter")
    assert said(pod(vllm(running(), ready=True), sidecar)) == ("CrashLoopBackOff", "the container exporter: OSError: x")


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (
            {"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: ephemeral-storage."},
            "Evicted",
        ),
        (
            {"phase": "Failed", "reason": "Preempting", "message": "Preempted in order to admit critical pod"},
            "Preempted",
        ),
        (
            {"phase": "Failed", "reason": "OutOfcpu", "message": "Pod was rejected: Node didn't have enough"},
            "AdmissionRejected",
        ),
        (
            {
                "phase": "Failed",
                "reason": "UnexpectedAdmissionError",
                "message": "Pod was rejected: Allocate failed due to requested number of devices unavailable for "
                "nvidia.com/gpu. Requested: 1, Available: 0, which is unexpected",
            },
            "InsufficientGPU",
        ),
        ({"reason": "NodeLost", "message": "Node gpu-1 which was running pod p is unresponsive"}, "NodeLost"),
    ],
)
def test_a_pod_that_was_put_out_says_by_whom(status: Json, reason: str) -> None:
    """Kubelet, the scheduler or the node controller; until another Pod says more."""
    found = said(pod(**status))
    assert found[0] == reason
    assert found[1]


def test_a_pod_on_a_lost_node_has_not_failed_by_itself() -> None:
    """The node controller says that it is not ready, while kubelet's last word was that its container is."""
    lost = pod(vllm(running(), ready=True), node="gpu-7")
    assert said(lost) == ("NodeLost", "the node gpu-7 does not answer any more")
    taint = condition("DisruptionTarget", "True", "DeletionByTaintManager")
    going = pod(vllm(running(), ready=True), node="gpu-7", leaving=True, conditions=(taint,))
    assert said(going) == ("NodeLost", "the node gpu-7 does not answer any more")
    gates = condition("Ready", "False", "ReadinessGatesNotReady")
    assert said(pod(vllm(running(), ready=True), conditions=(gates,))) == ("", "")


def test_the_newest_pod_counts() -> None:
    """What an older one said may be mended; one that is going says nothing any more."""
    old = unscheduled(FULL, name="old", revision="a")
    new = pod(crashed("KeyError: 'w'"), name="new", created=60, revision="b")
    assert said(old, new)[0] == "CrashLoopBackOff"
    going = pod(crashed("KeyError: 'w'"), name="new", created=60, revision="b", leaving=True)
    assert said(old, going)[0] == "InsufficientGPU"
    assert said() == ("", "")


def test_of_one_revision_the_pod_in_trouble_counts() -> None:
    """The newest replica may load while another crashes; one of an older revision says less than either."""
    crash = pod(crashed("KeyError: 'w'"), name="a")
    loading = pod(vllm(running(65)), name="b", created=60)
    assert said(crash, loading)[0] == said(loading, crash)[0] == "CrashLoopBackOff"
    other = pod(vllm(running(65)), name="b", created=60, revision="b")
    assert said(crash, other)[0] == "ModelLoading"
    assert said(crash, serving(name="c", created=60, revision="b"))[0] == "CrashLoopBackOff"


def test_a_rollout_that_waits_for_its_own_gpus_says_so() -> None:
    """Only of a Pod that it replaces: beside other replicas the cluster is just full."""
    old = serving(name="old", gpus=2)
    new = unscheduled(FULL, name="new", created=60, revision="b", gpus=2)
    assert said(old, new)[1].endswith("; the Pod before it still holds 2 nvidia.com/gpu, for which the new one waits")
    going = serving(name="old", gpus=2, leaving=True)
    assert "still holds 2 nvidia.com/gpu until it has ended, for which" in said(going, new)[1]
    lost = pod(vllm(running(), ready=True), name="old", gpus=2, node="gpu-7")
    same = unscheduled(FULL, name="new", created=60, gpus=2)
    assert "; the node gpu-7 does not answer any more, and the Pod on it still holds 2" in said(lost, same)[1]
    assert "holds" not in said(old, same)[1]


@pytest.mark.parametrize(
    ("before", "words"),
    [
        (
            {"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory."},
            "evicted: The node was",
        ),
        ({"conditions": (condition("DisruptionTarget", "True", "PreemptionByScheduler"),)}, "one of higher priority"),
        ({"conditions": (condition("DisruptionTarget", "True", "EvictionByEvictionAPI"),)}, "a drain of its node"),
        ({"conditions": (condition("DisruptionTarget", "True", "DeletionByTaintManager"),)}, "gpu-1 does not answer"),
    ],
)
def test_why_there_is_a_new_pod_is_told_beside(before: Json, words: str) -> None:
    """A start that nobody asked for needs a reason."""
    status = {key: value for key, value in before.items() if key != "conditions"}
    old = pod(name="old", leaving=True, conditions=before.get("conditions", ()), **status)
    reason, message = said(old, pod(vllm(running(65)), name="new", created=60))
    assert reason == "ModelLoading"
    assert words in message


def test_a_pod_that_is_over_gives_way_to_the_one_that_came_after_it() -> None:
    """Kubernetes keeps it for long; alone it is the reason."""
    evicted = pod(name="old", phase="Failed", reason="Evicted", message="The node was low on resource: memory.")
    assert said(evicted)[0] == "Evicted"
    assert said(evicted, pod(vllm(running(65)), name="new", created=60))[0] == "ModelLoading"


def test_a_start_has_phases() -> None:
    """From creation to a node, to a running container, to readiness; what has not ended is not known."""
    assert told([serving()], GPU, STARTUP) == Told(startup=Startup(at(0), 1.0, 40.0, 120.0))
    assert told([pod(vllm(running(41)))], GPU, STARTUP).startup == Startup(at(0), 1.0, 40.0, None)
    assert told([unscheduled(FULL)], GPU, STARTUP).startup == Startup(at(0))
    again = vllm(running(300), ended(1, "x"), restarts=1, ready=True)
    assert told([pod(again, ready=True, since=400)], GPU, STARTUP).startup == Startup(at(0), 1.0, None, 100.0)


def test_the_same_pods_always_say_the_same() -> None:
    """In whatever order they are listed, and with any count of restarts."""
    pods = [pod(crashed("KeyError: 'w'"), name="a"), pod(crashed("OSError: y"), name="b"), unscheduled(FULL, name="c")]
    assert told(pods, GPU, STARTUP) == told(pods[::-1], GPU, STARTUP)
    assert said(pod(crashed("", restarts=3))) == said(pod(crashed("", restarts=40)))


def test_where_the_cause_is_in_the_log_alone_the_log_is_read() -> None:
    """Kubelet keeps 2 KiB, which vLLM's second traceback fills; the length that fits is taken from the log too."""
    short = pod(crashed(KV_LOG[-2048:]), name="p-7")
    assert said(short)[0] == "EngineStartFailed"
    assert wanted_logs([short]) == (Log("p-7", "vllm", True, 3),)
    found = told([short], GPU, STARTUP, {"p-7": KV_LOG})
    assert (found.reason, found.suggested_max_model_len) == ("KVCacheTooSmall", 1048448)
    assert said(short, logs={"p-7": ""})[0] == "EngineStartFailed"
    clear = pod(crashed("ValueError: LoRA rank 64 is greater than max_lora_rank 16."))
    assert wanted_logs([clear, serving(), unscheduled(FULL)]) == ()


def test_the_job_that_fetches_speaks_for_itself() -> None:
    """Its Pods are no engine's; its end is."""
    job: Json = {"role": "prefetch", "gpus": 0}
    gated = vllm(ended(1, "huggingface_hub.errors.GatedRepoError: 403 Client Error."), name="prefetch")
    failed = pod(gated, name="p-fetch-1", phase="Failed", **job)
    running_ = pod(vllm(running(), ready=True, name="prefetch"), name="p-fetch-2", created=60, ready=True, **job)
    assert said(failed) == ("", "")
    assert fetched([failed], "p-fetch").reason == "ModelAccessDenied"
    assert (
        "the Job p-fetch that fetches the model: the container prefetch: the model is gated"
        in fetched([failed], "p-fetch").message
    )
    assert fetched([failed, running_], "p-fetch") == Told(
        "Downloading", "the Job p-fetch that fetches the model: it runs"
    )
    done = pod(vllm(ended(0), name="prefetch"), name="p-fetch-3", created=90, phase="Succeeded", **job)
    assert fetched([failed, running_, done], "p-fetch") == fetched([], "p-fetch") == Told()
    killed = pod(vllm(ended(137), name="prefetch"), phase="Failed", **job)
    assert fetched([killed], "p-fetch").reason == "CrashLoopBackOff"
    assert (
        fetched([unscheduled("0/1 nodes are available: 1 Insufficient memory.", **job)], "j").reason
        == "InsufficientResources"
    )


_TEXT = st.one_of(
    st.text(max_size=30), st.sampled_from([FULL, KV_LOG[-400:], "Error", "OOMKilled", "{x}", "CrashLoopBackOff"])
)
_TIME = st.one_of(st.none(), st.sampled_from([at(0), at(100), "x", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"]))
_STATE: st.SearchStrategy[Json] = st.one_of(
    st.just({}),
    st.fixed_dictionaries({"waiting": st.fixed_dictionaries({}, optional={"reason": _TEXT, "message": _TEXT})}),
    st.fixed_dictionaries({"running": st.fixed_dictionaries({}, optional={"startedAt": _TIME})}),
    st.fixed_dictionaries(
        {
            "terminated": st.fixed_dictionaries(
                {"exitCode": st.integers(-1, 255)},
                optional={"reason": _TEXT, "message": _TEXT, "startedAt": _TIME, "finishedAt": _TIME},
            )
        }
    ),
)
_CONTAINER = st.fixed_dictionaries(
    {"name": st.sampled_from(["vllm", "other"])},
    optional={"state": _STATE, "lastState": _STATE, "ready": st.booleans(), "restartCount": st.integers(0, 9)},
)
_CONDITION = st.fixed_dictionaries(
    {"type": st.sampled_from(["Ready", "PodScheduled", "DisruptionTarget", "PodReadyToStartContainers"])},
    optional={
        "status": st.sampled_from(["True", "False", "Unknown"]),
        "reason": st.one_of(_TEXT, st.sampled_from(["Unschedulable", "PreemptionByScheduler"])),
        "message": _TEXT,
        "lastTransitionTime": _TIME,
    },
)
_POD = st.fixed_dictionaries(
    {
        "metadata": st.fixed_dictionaries(
            {}, optional={"name": st.text(max_size=3), "creationTimestamp": _TIME, "deletionTimestamp": _TIME}
        )
    },
    optional={
        "spec": st.fixed_dictionaries({}, optional={"nodeName": _TEXT, "schedulerName": _TEXT}),
        "status": st.fixed_dictionaries(
            {},
            optional={
                "phase": st.sampled_from(["Pending", "Running", "Failed", "Succeeded"]),
                "reason": st.one_of(_TEXT, st.sampled_from(["Evicted", "NodeLost", "OutOfcpu"])),
                "message": _TEXT,
                "conditions": st.lists(_CONDITION, max_size=4),
                "containerStatuses": st.lists(_CONTAINER, max_size=2),
                "initContainerStatuses": st.lists(_CONTAINER, max_size=2),
            },
        ),
    },
)


@given(st.lists(_POD, max_size=3))
def test_any_pods_give_a_documented_reason_in_one_short_line(pods: list[Json]) -> None:
    """Whatever an API server's future version, or a template of the user's, makes of them."""
    for found in (told(pods, GPU, STARTUP), fetched(pods, "j")):
        assert found.reason in {"", *REASONS}
        assert len(found.message) <= 800
        assert "\n" not in found.message
        assert bool(found.reason) >= bool(found.message)
    assert all(each.container for each in wanted_logs(pods))
