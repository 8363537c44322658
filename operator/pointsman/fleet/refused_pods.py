"""What to do where the API server refuses a Deployment's Pods, by its own words (Kubernetes 1.36)."""

from __future__ import annotations

import re
from typing import Final

_READ: Final = 4096  # characters of a message that are looked at
_CONFINED: Final = (
    "Take what the message lists out of spec.deploy.podTemplate, and use a claim (spec.deploy.cache.size) for "
    "cache.hostPath; or use a namespace whose label pod-security.kubernetes.io/enforce allows it."
)
_REMEDIES: Final = (
    (
        # A quota on limits says "failed quota: NAME: must specify limits.cpu for: vllm".
        r"must specify ",
        "State what the message lists in spec.deploy.resources.",
    ),
    (
        r"exceeded quota",
        "Raise the ResourceQuota that the message names, or ask for less: spec.deploy.gpus, resources or replicas.",
    ),
    (
        r"insufficient quota to match these scopes|no PriorityClass with name|PriorityClass \S+ not found",
        "Mend spec.deploy.priorityClassName, or leave it out; `kubectl get priorityclass` lists those that are there.",
    ),
    (
        r"(?:maximum|minimum) \S+ usage per|limit to request ratio",
        "Change spec.deploy.resources to what the namespace's LimitRange allows, or change that.",
    ),
    (
        r"service ?account .{0,520}not found",
        "Create the ServiceAccount in the namespace, or mend spec.deploy.serviceAccountName.",
    ),
    (
        r"RuntimeClass .{0,260}not found",
        "Mend spec.deploy.runtimeClassName, or leave it out; `kubectl get runtimeclass` lists those that are there.",
    ),
    (
        r"violates PodSecurity",
        _CONFINED,
    ),
    (
        r"failed calling webhook",
        "The webhook that the message names does not answer: mend it, or ask who installed it.",
    ),
    (
        r"admission webhook .{1,260}denied|ValidatingAdmissionPolicy .{1,520}denied",
        "Change what the policy's words name, in spec.deploy or its podTemplate, or ask who set the policy.",
    ),
    (
        r"imagePullSecrets",
        "Mend spec.deploy.imagePullSecrets.",
    ),
    (
        r"\.image: |invalid (?:image|reference)|couldn't parse image",
        "Mend spec.deploy.image: REGISTRY/NAME:VERSION or REGISTRY/NAME@sha256:DIGEST.",
    ),
    (
        r"\bis invalid: ",
        "Mend the field that the message names, in spec.deploy or its podTemplate.",
    ),
)
_KNOWN: Final = tuple((re.compile(pattern, re.IGNORECASE), words) for pattern, words in _REMEDIES)


def remedy(message: str) -> str:
    """What to do about a refusal: `message` is the ReplicaFailure condition's; "": its words are not known."""
    text = message[:_READ]
    return next((words for pattern, words in _KNOWN if pattern.search(text)), "")
