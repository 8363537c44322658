"""Names that more than one part must spell alike: API group, labels, annotations, enumerations, file names."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final

GROUP: Final = "pointsman.dev"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"
PROVIDERS: Final = "modelproviders"
ROUTES: Final = "modelroutes"

FIELD_MANAGER: Final = "pointsman"
MANAGED_BY: Final = "app.kubernetes.io/managed-by"
PROVIDER_LABEL: Final = f"{GROUP}/provider"
GATEWAY_LABEL: Final = f"{GROUP}/gateway"  # "true" on every Pod that runs a gateway
MODE_ANNOTATION: Final = f"{GROUP}/mode"  # on a Namespace: Merge or Replace
NUDGE_ANNOTATION: Final = f"{GROUP}/routing-hash"  # on gateway Pods, so that the kubelet syncs their mounts at once

ROUTING_CONFIGMAP: Final = "pointsman-routing"
ROUTING_FILE: Final = "routing.json"
OPENCLAW_FILE: Final = "openclaw.json"
CREDENTIALS_SECRET: Final = "pointsman-credentials"  # noqa: S105 - the name of a Secret, not one
ENGINE_KEYS_SECRET: Final = "pointsman-engine-keys"  # noqa: S105 - likewise; an entry for each deployed provider
REVISION_ANNOTATION: Final = f"{GROUP}/revision"  # on a Pod template: a hash of what it was made from
ROLE_LABEL: Final = f"{GROUP}/role"  # of a deployed provider's Pods: engine, or prefetch

GATEWAY_PORT: Final = 8080
LOCAL_LISTEN: Final = "127.0.0.1:4180"  # none of the ports on which local servers usually listen

# Where the servers of the seeds listen when nobody said otherwise; `pointsman up` without a PATH looks there.
USUAL_PORTS: Final = {
    "LMStudio": 1234,
    "Ollama": 11434,
    "VLLM": 8000,
    "LlamaCpp": 8080,
    "LiteLLM": 4000,
    "SGLang": 30000,
}

_TAG: Final = ":latest"
_CLOUD: Final = re.compile(r":(?:[^:/]*-)?cloud[ \t]*", re.IGNORECASE)


class ProviderType(StrEnum):
    """What kind of server a provider is: decides probe, authentication, how context is read, default dialects."""

    VLLM = "VLLM"
    SGLANG = "SGLang"
    LLAMACPP = "LlamaCpp"
    LMSTUDIO = "LMStudio"
    OLLAMA = "Ollama"
    LITELLM = "LiteLLM"
    OPENROUTER = "OpenRouter"
    OPENAI = "OpenAI"
    ANTHROPIC = "Anthropic"
    OPENAI_COMPATIBLE = "OpenAICompatible"


PROXIES: Final = frozenset({ProviderType.LITELLM})
"""Kinds of servers that hand requests on: where one stands tells nothing of where its data goes."""


def synonym(of: str, model: str) -> str:
    """The other name of the same model at a type of server, "" where it has none: Ollama's `x` is its `x:latest`."""
    if of != ProviderType.OLLAMA:
        return ""
    if ":" in model.rpartition("/")[2]:  # before the last slash it would be a registry's port
        return model.removesuffix(_TAG) if model.endswith(_TAG) else ""
    return model + _TAG


def handed_on(of: str, model: str) -> bool:
    """Whether a model's name says that its server hands requests on: Ollama's with a tag `cloud` or `…-cloud`."""
    at = model.rfind(":")
    return of == ProviderType.OLLAMA and at >= 0 and _CLOUD.fullmatch(model, at) is not None


class Dialect(StrEnum):
    """The wire formats, by the names that OpenClaw users know."""

    CHAT = "openai-completions"
    RESPONSES = "openai-responses"
    MESSAGES = "anthropic-messages"


class Location(StrEnum):
    """Where a provider's data goes, from nearest to furthest."""

    IN_CLUSTER = "InCluster"
    ON_PREMISES = "OnPremises"
    EXTERNAL = "External"


class FailoverReason(StrEnum):
    """Why an attempt may move on to the next target (`policy.failover.on`)."""

    CONNECT_FAILURE = "ConnectFailure"
    TIMEOUT = "Timeout"
    SERVER_ERROR = "ServerError"
    RATE_LIMITED = "RateLimited"
    AUTHENTICATION = "Authentication"
    MODEL_NOT_FOUND = "ModelNotFound"
    CONTEXT_LENGTH_EXCEEDED = "ContextLengthExceeded"
    INVALID_RESPONSE = "InvalidResponse"


class Way(StrEnum):
    """How a server is brought to take up an answer that broke off elsewhere (`served.Kind.way`)."""

    FLAGS = "Flags"  # chat with continue_final_message: gives the rest, exactly
    PREFILL = "Prefill"  # goes on from an assistant's last message; some say it again first
    TRY = "Try"  # nobody knows: ask as for PREFILL, and believe it only if it says the last words again
    REPLAY = "Replay"  # always begins anew


class Counting(StrEnum):
    """How a server is asked how many tokens a request has (`pointsman.counting`)."""

    NONE = ""
    VLLM = "VLLM"  # POST /tokenize; Messages: /v1/messages/count_tokens
    LLAMA_CPP = "LlamaCpp"  # POST …/input_tokens; Messages: /v1/messages/count_tokens
    ANTHROPIC = "Anthropic"  # POST /v1/messages/count_tokens


class Capability(StrEnum):
    """What a route may ask of all its targets (`policy.requiredCapabilities`)."""

    TOOLS = "tools"
    PARALLEL_TOOLS = "parallelTools"
    IMAGE = "image"
    JSON_SCHEMA = "jsonSchema"
    REASONING = "reasoning"


class Mode(StrEnum):
    """Whether every provider's models are reachable as `provider/model` beside the routes."""

    MERGE = "Merge"
    REPLACE = "Replace"
