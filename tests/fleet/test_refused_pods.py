"""What to do where the API server refuses Pods: words of Kubernetes 1.36."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.fleet.reasons import REASONS, remedy_of
from pointsman.fleet.refused_pods import remedy

POD = 'pods "qwen-6c9d4b7f5-x2x4k" is forbidden: '
FEW = "exceeded quota: few-gpus, requested: requests.nvidia.com/gpu=2, used: requests.nvidia.com/gpu=0, limited: 1"
RULES = (
    'violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false (container "vllm" must set '
    "securityContext.allowPrivilegeEscalation=false), restricted volume types"
)


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (POD + FEW, "Raise the ResourceQuota"),
        (
            POD + "failed quota: q: must specify limits.memory for: vllm; requests.cpu for: vllm",
            "spec.deploy.resources",
        ),
        (POD + "maximum memory usage per Container is 8Gi, but limit is 64Gi", "LimitRange"),
        (
            POD + 'error looking up service account ai/readers: serviceaccount "readers" not found',
            "spec.deploy.serviceAccountName",
        ),
        (POD + 'pod rejected: RuntimeClass "nvidia" not found', "spec.deploy.runtimeClassName"),
        (POD + "no PriorityClass with name high was found", "spec.deploy.priorityClassName"),
        (POD + "insufficient quota to match these scopes: [{PriorityClass In [high]}]", "priorityClassName"),
        (POD + RULES, "pod-security.kubernetes.io/enforce"),
        ('admission webhook "policy.example.com" denied the request: no label team', "who set the policy"),
        ("ValidatingAdmissionPolicy 'no-root' with binding 'all' denied request: no", "who set the policy"),
        ('Internal error occurred: failed calling webhook "policy.example.com": timeout', "does not answer"),
        ('Pod "q" is invalid: spec.containers[0].image: Invalid value: " x": must not', "spec.deploy.image"),
        ('Pod "q" is invalid: spec.hostAliases[0].ip: Invalid value: "x": must be valid', "the field that the message"),
        (POD + "something new", "runtimeClassName, priorityClassName or podTemplate"),
    ],
)
def test_the_remedy_names_the_field(message: str, words: str) -> None:
    """Of a quota the quota, of a missing thing the field that asks for it; else all that it can be."""
    assert words in remedy_of("ReplicaFailure", "qwen", message)


def test_only_refusals_are_read_so() -> None:
    """Another reason's remedy does not hang on its message."""
    assert remedy_of("Downloading", "qwen", POD + FEW) == REASONS["Downloading"].remedy


@given(st.text(max_size=300))
def test_any_words_are_read(message: str) -> None:
    """What is not known is no remedy, and a remedy is a sentence."""
    assert remedy(message) == "" or remedy(message).endswith(".")
