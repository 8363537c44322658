"""A provider's conditions, one rule after the other."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from fleet.strategies import WORLDS
from fleet.worlds import Json, deployed, down, endpoint, provider, running, up, world
from pointsman.fleet.checks import provider_conditions
from pointsman.fleet.conditions import LONGEST, Finding
from pointsman.fleet.reasons import REASONS, remedy_of
from pointsman.fleet.seen import Seen, seen
from pointsman.fleet.world import Prefetch, Told, World
from pointsman.served import Probed, ServedModel, State

URL = "http://10.0.0.7:8000/v1"


def conditions(of: World, name: str = "p") -> dict[str, tuple[str, str]]:
    """Type -> (status, reason)."""
    found = seen(of, name)
    assert found is not None
    return {kind: (each.status, each.reason) for kind, each in provider_conditions(found).items()}


def test_a_new_provider_is_accepted_and_otherwise_unknown() -> None:
    """Nothing is claimed before a probe has ended."""
    assert conditions(world([endpoint("p")])) == {
        "Accepted": ("True", "Accepted"),
        "SecretResolved": ("True", "NoSecretNeeded"),
        "CredentialsValid": ("True", "NoSecretNeeded"),
        "Reachable": ("Unknown", "NotProbedYet"),
        "ModelsDiscovered": ("Unknown", "NotProbedYet"),
        "Serving": ("Unknown", "NotProbedYet"),
        "Ready": ("Unknown", "NotProbedYet"),
    }


def test_a_serving_provider_is_ready() -> None:
    """With its key found, and accepted as far as the server tells."""
    p = endpoint("p", secret="s")
    fields: Json = {"secrets": {("s", "token"): "k"}}
    found = conditions(world([p], probes={"p": up("m", credentials_valid=True)}, **fields))
    assert {status for status, _ in found.values()} == {"True"}
    untold = conditions(world([p], probes={"p": up("m")}, **fields))
    assert untold["CredentialsValid"] == ("Unknown", "NotTold")
    assert untold["Ready"] == ("True", "Ready")


@pytest.mark.parametrize(
    ("secrets", "reason"),
    [
        ({}, "SecretNotFound"),
        ({("s", "other"): "k"}, "SecretKeyNotFound"),
        ({("s", "token"): "  "}, "SecretInvalid"),
        ({("s", "token"): "a\r\nx: y"}, "SecretInvalid"),
        ({("s", "token"): "schlüssel"}, "SecretInvalid"),
    ],
)
def test_a_secret_that_cannot_be_used_is_told_from_a_wrong_key(secrets: Any, reason: str) -> None:
    """And it is why the provider is not ready, whatever the probes say."""
    found = conditions(world([endpoint("p", secret="s")], probes={"p": up("m")}, secrets=secrets))
    assert found["SecretResolved"] == ("False", reason)
    assert found["Ready"] == ("False", reason)


def test_the_hubs_token_is_looked_for_too() -> None:
    """Otherwise the Pod would wait for ever in CreateContainerConfigError."""
    p = deployed("p", model={"source": "hf://o/m", "tokenSecretRef": {"name": "hub"}})
    assert conditions(world([p]))["SecretResolved"] == ("False", "SecretNotFound")


@pytest.mark.parametrize("reason", ["ConnectionRefused", "DNSFailure", "TLSFailure", "Timeout", "ConnectionReset"])
def test_a_server_that_does_not_answer_is_unreachable(reason: str) -> None:
    """The probe's reason goes into every condition that it decides."""
    found = conditions(world([endpoint("p")], probes={"p": down(reason)}))
    assert found["Reachable"] == found["Serving"] == found["Ready"] == ("False", reason)
    assert found["ModelsDiscovered"] == ("False", reason)


@pytest.mark.parametrize("reason", ["ServerError", "ModelLoading", "NotOpenAICompatible", "RateLimited"])
def test_a_server_that_answers_badly_is_reachable_and_does_not_serve(reason: str) -> None:
    """Where to look differs: not at the network but at the server."""
    found = conditions(world([endpoint("p")], probes={"p": down(reason)}))
    assert found["Reachable"] == ("True", "Reachable")
    assert found["Serving"] == found["Ready"] == ("False", reason)


def test_refused_credentials_are_not_an_outage_by_another_name() -> None:
    """CredentialsValid says so, with the server's own reason; a server that wants a key nobody named says so too."""
    refused = down("Unauthorized", credentials_valid=False)
    found = conditions(world([endpoint("p", secret="s")], secrets={("s", "token"): "k"}, probes={"p": refused}))
    assert found["CredentialsValid"] == found["Ready"] == ("False", "Unauthorized")
    assert found["Reachable"] == ("True", "Reachable")
    assert conditions(world([endpoint("p")], probes={"p": refused}))["CredentialsValid"] == ("False", "Unauthorized")


def test_a_known_list_outlives_an_outage() -> None:
    """What was read stays known while the server is away."""
    known = down(models=(ServedModel("m"),), models_known=True)
    assert conditions(world([endpoint("p")], probes={"p": known}))["ModelsDiscovered"] == ("True", "Discovered")


def test_a_server_without_models_is_not_ready_until_one_is_stated() -> None:
    """An Ollama that has pulled nothing answers 200 with an empty list."""
    found = conditions(world([endpoint("p")], probes={"p": up()}))
    assert found["ModelsDiscovered"] == found["Ready"] == ("False", "NoModels")
    stated = conditions(world([endpoint("p", models=[{"id": "m"}])], probes={"p": up()}))
    assert stated["Ready"] == ("True", "Ready")


def test_static_discovery_and_switched_off_probes_are_taken_at_their_word() -> None:
    """Static needs no list; probe.mode None means: taken to serve."""
    static = conditions(world([endpoint("p", discovery="Static")], probes={"p": Probed(state=State.UP, reason="")}))
    assert (static["ModelsDiscovered"], static["Ready"]) == (("True", "Static"), ("True", "Ready"))
    off = conditions(world([endpoint("p", probe={"mode": "None"})], probes={"p": down()}))
    assert (off["Reachable"], off["Ready"]) == (("Unknown", "ProbeDisabled"), ("True", "ProbeDisabled"))


def test_suspended_is_the_reason_whatever_else_is_wrong() -> None:
    """The user wanted it so."""
    found = conditions(world([endpoint("p", suspend=True)], probes={"p": down()}))
    assert found["Ready"] == ("False", "Suspended")


@pytest.mark.parametrize(
    ("deploy", "workload", "expected"),
    [
        ({}, None, ("False", "Progressing")),
        ({}, running(0), ("False", "Progressing")),
        ({}, running(0, reason="InsufficientGPU", message="0/3 nodes"), ("False", "InsufficientGPU")),
        ({}, running(1), ("True", "ReplicasReady")),
        ({"replicas": 2}, running(1, 2, reason="CrashLoopBackOff"), ("True", "PartlyReady")),
        ({"replicas": 0}, running(0), ("False", "ScaledToZero")),
        ({}, running(0, told=Told("KVCacheTooSmall", "x")), ("False", "KVCacheTooSmall")),
        ({"scaling": {}}, running(0, replicas=0), ("False", "ScaledToZero")),
        ({"scaling": {}}, running(0, replicas=1), ("False", "Progressing")),
        ({"replicas": 3, "scaling": {"minReplicas": 1}}, running(1, replicas=1), ("True", "ReplicasReady")),
        ({}, running(0, present=False, prefetch=Prefetch("j")), ("False", "Downloading")),
        ({}, running(0, prefetch=Prefetch("j", failed=True)), ("False", "DownloadFailed")),
        (
            {},
            running(0, prefetch=Prefetch("j", failed=True, told=Told("NoSpaceLeft", "full"))),
            ("False", "NoSpaceLeft"),
        ),
        ({}, running(0, prefetch=Prefetch("j", done=True)), ("False", "Progressing")),
        ({}, running(1, prefetch=Prefetch("j")), ("True", "ReplicasReady")),
    ],
)
def test_a_workload_is_ready_as_far_as_it_serves(deploy: Json, workload: Any, expected: tuple[str, str]) -> None:
    """One of two replicas serves; why the other does not is in the message; the Pods' reason is lifted up."""
    workloads = {"p": workload} if workload else {}
    assert conditions(world([deployed("p", **deploy)], workloads=workloads))["WorkloadReady"] == expected


def test_several_nodes_need_the_controller_for_them() -> None:
    """Where nobody has looked it is not missing."""
    p = deployed("p", gpus=8, parallelism={"nodes": 2})
    for known, reason in ((False, "LeaderWorkerSetMissing"), (None, "Progressing"), (True, "Progressing")):
        assert conditions(world([p], leader_worker_sets=known))["WorkloadReady"] == ("False", reason)
    assert conditions(world([deployed("p")], leader_worker_sets=False))["WorkloadReady"] == ("False", "Progressing")


@pytest.mark.parametrize(
    ("prefetch", "expected"),
    [
        (None, None),
        (Prefetch("j"), ("False", "Downloading")),
        (Prefetch("j", told=Told("RateLimitedByHub", "429")), ("False", "RateLimitedByHub")),
        (Prefetch("j", failed=True, told=Told("Downloading", "it runs")), ("False", "DownloadFailed")),
        (Prefetch("j", done=True), ("True", "ModelCached")),
    ],
)
def test_a_model_that_is_fetched_has_a_condition_of_its_own(prefetch: Any, expected: Any) -> None:
    """An engine that runs goes on while the next model is fetched, and is ready."""
    workloads = {"p": running(1, prefetch=prefetch)}
    found = conditions(world([deployed("p")], workloads=workloads, probes={"p": up("m")}))
    assert found.get("ModelCached") == expected
    assert found["Ready"] == ("True", "Ready")


def ready(of: World) -> str:
    """The message of Ready."""
    found = seen(of, "p")
    assert found is not None
    return provider_conditions(found)["Ready"].message


def test_the_message_of_ready_ends_with_what_to_do() -> None:
    """As it stands alone in an Event; what the message says already is not said twice; a command names the provider."""
    told = Told("KVCacheTooSmall", "a context of 8192 tokens does not fit the KV cache: 4512 tokens would fit")
    assert ready(world([deployed("p")], workloads={"p": running(0, told=told)})) == (
        "0 of 1 replicas ready: a context of 8192 tokens does not fit the KV cache: 4512 tokens would fit. Set "
        "spec.deploy.engine.maxModelLen to what would fit, raise gpuMemoryUtilization, or use more GPUs or a smaller "
        "model."
    )
    crash = Told("CrashLoopBackOff", "KeyError: 'w'")
    assert "provider=p --previous" in ready(world([deployed("p")], workloads={"p": running(0, told=crash)}))
    assert ready(world([endpoint("p", suspend=True)])) == "spec.suspend is true. Set spec.suspend to false."
    assert ready(world([endpoint("p")], probes={"p": up("m")})) == "the provider serves"
    twice = Told("SharedMemoryTooSmall", "raise spec.deploy.sharedMemorySize")
    assert ready(world([deployed("p")], workloads={"p": running(0, told=twice)})).lower().count("sharedmemorysize") == 1


def test_pods_that_the_api_server_refuses_name_the_field_to_mend() -> None:
    """Not a quota, where there is none."""
    words = 'pods "p-x" is forbidden: error looking up service account ai/x: serviceaccount "x" not found'
    status = {"conditions": [{"type": "ReplicaFailure", "status": "True", "message": words}]}
    message = ready(world([deployed("p")], workloads={"p": running(0, status=status)}))
    assert message.endswith("Create the ServiceAccount in the namespace, or mend spec.deploy.serviceAccountName.")
    assert "quota" not in message


def test_a_job_that_makes_no_pod_says_where_to_look() -> None:
    """Its Pods cannot tell; before anything is known of them it says so, and then it is a reason of its own."""
    waiting = ready(world([deployed("p")], workloads={"p": running(0, present=False, prefetch=Prefetch("j"))}))
    assert "`kubectl describe job j` says why" in waiting
    told = Told("PrefetchPodsMissing", "the Job j cannot make its Pod: `kubectl describe job j` says why")
    missing = world([deployed("p")], workloads={"p": running(0, present=False, prefetch=Prefetch("j", told=told))})
    assert conditions(missing)["ModelCached"] == conditions(missing)["Ready"] == ("False", "PrefetchPodsMissing")
    assert "Wait." not in ready(missing)
    assert "spec.deploy.serviceAccountName" in ready(missing)


def test_a_long_message_keeps_its_remedy() -> None:
    """Only what was found is cut, so that a condition stays within 1024 characters."""
    long = Told("CrashLoopBackOff", "KeyError: " + "w" * 5000)
    message = ready(world([deployed("p")], workloads={"p": running(0, told=long)}))
    assert 1000 < len(message) <= 1024
    assert message.endswith("… Look at `kubectl logs -l pointsman.dev/provider=p --previous --tail=200`.")


@pytest.mark.parametrize(
    ("condition", "reason"),
    [
        ({"type": "ReplicaFailure", "status": "True", "message": "exceeded quota"}, "ReplicaFailure"),
        ({"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}, "ProgressDeadlineExceeded"),
        ({"type": "Available", "status": "False", "reason": "MinimumReplicasUnavailable"}, "Progressing"),
    ],
)
def test_the_deployments_own_conditions_speak_where_the_pods_are_silent(condition: Json, reason: str) -> None:
    """A quota makes no Pods, so that no Pod can tell."""
    workload = running(0, status={"conditions": [condition]})
    assert conditions(world([deployed("p")], workloads={"p": workload}))["WorkloadReady"] == ("False", reason)


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        ({"type": "VLLM"}, "spec: exactly one"),
        ({"type": "Ollama", "deploy": {"model": {"source": "hf://o/m"}}}, "spec.deploy: needs type VLLM"),
        ({"type": "VLLM", "endpoint": {"baseUrl": "ftp://host/"}}, "spec.endpoint.baseUrl: "),
        ({"type": "VLLM", "endpoint": {"baseUrl": URL}, "models": [{"id": "a"}, {"id": "a"}]}, "spec.models: 'a'"),
        ({"type": "Nonsense"}, "spec.type: "),
    ],
)
def test_an_unsound_spec_is_refused_with_path_and_reason(spec: Json, path: str) -> None:
    """Nothing else is claimed of it."""
    found = seen(world([provider("p", spec)]), "p")
    assert isinstance(found, Finding)
    assert found.reason == "InvalidSpec"
    assert found.message.startswith(path)
    assert list(provider_conditions(found)) == ["Accepted", "Ready"]


@given(WORLDS)
def test_every_reason_is_in_the_documented_list(of: World) -> None:
    """No world gives a reason that docs/reasons.md does not explain."""
    for name in of.providers:
        if found := seen(of, name):
            by_kind = provider_conditions(found)
            assert {each.reason for each in by_kind.values()} <= REASONS.keys()
            if isinstance(found, Seen) and (ready := by_kind["Ready"]).status != "True":
                assert remedy_of(ready.reason, name, ready.message).rstrip(".").lower() in ready.message.lower()
                assert len(ready.message) <= LONGEST
