"""What is said of a server and its models before a token was asked for, each finding with its remedy. Pure."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from pointsman.dialects.errors import read_error
from pointsman.exchange import FailureKind
from pointsman.fleet.context import BLOCK_BELOW, WARN_BELOW
from pointsman.fleet.diagnosis import Check, Grade
from pointsman.names import ProviderType

if TYPE_CHECKING:
    from pointsman.fleet.diagnosis import Asked, Patient
    from pointsman.served import Finding, ServedModel

_START: Final = {
    ProviderType.LMSTUDIO: "start its server (lms server start)",
    ProviderType.OLLAMA: "start it (ollama serve)",
    ProviderType.VLLM: "start it (vllm serve MODEL)",
    ProviderType.LLAMACPP: "start it (llama-server -m MODEL.gguf)",
    ProviderType.LITELLM: "start it (litellm --config FILE)",
}
_LOAD: Final = {
    ProviderType.LMSTUDIO: 'load it for good: lms load "{model}" (without a TTL)',
    ProviderType.OLLAMA: "keep it loaded: OLLAMA_KEEP_ALIVE=-1 for ollama serve",
    ProviderType.LLAMACPP: "load it when the server starts: llama-server -m MODEL.gguf",
}
_WIDEN: Final = {
    ProviderType.VLLM: "raise --max-model-len",
    ProviderType.SGLANG: "raise --context-length",
    ProviderType.LLAMACPP: "raise -c, or lower -np: its slots share the window",
    ProviderType.OLLAMA: "raise OLLAMA_CONTEXT_LENGTH, or num_ctx in the Modelfile",
    ProviderType.LMSTUDIO: 'load it with more: lms load "{model}" --context-length 65536',
}
_GUARD: Final = {
    ProviderType.VLLM: "start it with --api-key",
    ProviderType.SGLANG: "start it with --api-key",
    ProviderType.LLAMACPP: "start it with --api-key",
    ProviderType.LITELLM: "set general_settings.master_key",
    ProviderType.LMSTUDIO: "turn authentication on in its server settings",
}
_URL: Final = "spec.endpoint.baseUrl (OpenClaw: baseUrl)"
_KEY: Final = "it in spec.endpoint.credentials.secretRef (OpenClaw: apiKey)"
_REACH: Final = {
    "DNSFailure": f"mend the host's name in {_URL}",
    "ModelLoading": "wait until it has loaded",
    "QuotaExceeded": "pay, or raise the account's limit",
    "RateLimited": "wait a while",
}
_ELSEWHERE: Final = "or keep it on 127.0.0.1 or behind a proxy that wants a key"
_SMALL: Final = 8.0  # billions of parameters
_BILLIONS: Final = re.compile(r"(?<![a-z0-9.])(?:(\d+)x)?(\d+(?:\.\d+)?)b(?![a-z0-9])")
_FEW_BITS: Final = re.compile(r"(?<![a-z0-9])(i?q[1-4](?:_[a-z0-9]+)*|[1-4][-_]?bits?|int[34]|w4a16)(?![a-z0-9])")


def reached(patient: Patient, found: Finding) -> Check:
    """Whether its list of models can be had, and what to do where it cannot."""
    if found.ok:
        count = len(found.models)
        return Check("reachable", Grade.WELL, f"GET /v1/models lists {count} model{'s' if count != 1 else ''}")
    with_key = '-H "Authorization: Bearer $KEY" ' if patient.keyed else ""
    look = f"look: curl {with_key}{patient.url}/v1/models"
    remedy = _reach(patient, found)
    return Check("reachable", Grade.BROKEN, f"{found.reason}: {found.message}", f"{remedy}; {look}")


def listed(patient: Patient, found: Finding, model: str) -> Check:
    """Whether the list has a model, else which names are near."""
    ids = [each.id for each in found.models]
    if model in ids:
        return Check("listed", Grade.WELL, "/v1/models lists it", model=model)
    if patient.type is ProviderType.OLLAMA and f"{model}:latest" in ids:
        return Check("listed", Grade.WELL, f"/v1/models lists it as {model}:latest", model=model)
    text = "/v1/models does not list it"
    near = difflib.get_close_matches(model, ids, 3, 0.5)
    there = ", ".join(near or ids[:3])
    if not there:
        return Check("listed", Grade.BROKEN, f"{text}, nor any other", _load(patient, model), model)
    what = "near" if near else "there"
    remedy = f"write the server's own id in spec.models[].id and in the route (OpenClaw: models[].id); {what}: {there}"
    return Check("listed", Grade.BROKEN, text, remedy, model)


def loaded(patient: Patient, served: ServedModel | None, first: Asked, *, slow: float) -> Check:
    """Whether it was loaded before it was asked, and how long the first answer took; `slow` is in seconds."""
    took = f"the first answer took {first.seconds:.1f} s"
    remedy = f"{_load(patient, served.id if served else '')}; a route's policy.timeouts.firstToken must be longer"
    model = served.id if served else ""
    if served and served.loaded is False:
        return Check("loaded", Grade.WARNING, f"it was not loaded: {took}", remedy, model)
    if first.seconds >= slow:
        return Check("loaded", Grade.WARNING, f"{took}: a cold start is a common cause of hanging", remedy, model)
    known = "it is loaded" if served and served.loaded else "whether it was loaded is not told"
    return Check("loaded", Grade.WELL, f"{known}; {took}", model=model)


def window(patient: Patient, served: ServedModel | None, model: str) -> Check:
    """Whether an agent fits into its context window, by what the server tells and the object states."""
    entry = patient.models.get(model)
    stated = (entry.context_window if entry else None) or 0
    told = served.context_window if served else 0
    widen = _WIDEN.get(patient.type, "raise the server's limit").format(model=model)
    if not stated and not told:
        state = patient.set_model(model, "contextWindow")
        return Check("window", Grade.WARNING, "its context window is not known", state, model)
    if told and stated > told:
        lower = patient.set_model(model, f"contextWindow: {told}")
        text = f"its window is {told} tokens, and {stated} are stated: long prompts will fail"
        return Check("window", Grade.BROKEN, text, f"{lower}, or {widen}", model)
    size = stated or told
    if size < BLOCK_BELOW:
        text = f"its window of {size} tokens is under {BLOCK_BELOW}: OpenClaw blocks it"
        return Check("window", Grade.BROKEN, text, f"{widen}, or take a larger model", model)
    if size < WARN_BELOW:
        text = f"its window of {size} tokens is under {WARN_BELOW}: OpenClaw warns of it"
        return Check("window", Grade.WARNING, text, f"{widen}, or take a larger model", model)
    return Check("window", Grade.WELL, f"{size} tokens", model=model)


def key(patient: Patient, wrong: Asked) -> Check:
    """What the server makes of a key that is none."""
    refused = read_error(wrong.answer.status, wrong.answer.body).kind is FailureKind.AUTHENTICATION
    if wrong.answer.status and refused:
        return Check("key", Grade.WELL, "it refuses a wrong key")
    if not 200 <= wrong.answer.status < 300:
        return Check("key", Grade.NOTE, f"whether it checks keys could not be seen: {wrong.fault}")
    if patient.local:
        return Check("key", Grade.WELL, "it takes any key, and is asked on this machine alone")
    guard = _GUARD.get(patient.type, "let it want a key")
    text = "it takes any key: whoever reaches this address can use it"
    return Check("key", Grade.WARNING, text, f"{guard}, {_ELSEWHERE}")


def posture(patient: Patient) -> Check:
    """Whether prompts and keys go over a network in clear text."""
    if urlsplit(patient.url).scheme.lower() == "https":
        return Check("transport", Grade.WELL, "TLS")
    if patient.local:
        return Check("transport", Grade.WELL, "without TLS, on this machine")
    goes = "the key and all prompts go" if patient.keyed else "all prompts go"
    remedy = "put TLS before it and write https:// in spec.endpoint.baseUrl, or keep both ends in one private network"
    return Check("transport", Grade.WARNING, f"without TLS: {goes} over the network for all to read", remedy)


def strength(patient: Patient, model: str) -> Check | None:
    """A warning, by its name alone, of a model that is small or coarse for one that holds tools."""
    if patient.compat(model, "supportsTools") is False:
        return None
    name = model.lower()
    sizes = [float(times or 1) * float(each) for times, each in _BILLIONS.findall(name)]
    why = [f"{max(sizes):g} billion parameters"] if sizes and max(sizes) <= _SMALL else []
    why += [f"{bits[0]} weights"] if (bits := _FEW_BITS.search(name)) else []
    if not why:
        return None
    text = f"{' and '.join(why)}, by its name: such models give way to prompt injection more easily"
    remedy = "take the largest build that runs, or give the agent few tools and a sandbox"
    return Check("strength", Grade.WARNING, text, remedy, model)


def _reach(patient: Patient, found: Finding) -> str:
    if found.reason == "ConnectionRefused":
        return f"{_START.get(patient.type, 'start the server')}, or mend host and port in {_URL}"
    if found.reason == "TLSFailure":
        return _tls(found)
    if found.reason in {"Unauthorized", "Forbidden"}:
        return f"{'the key is wrong: renew' if patient.keyed else 'it wants a key: set'} {_KEY}"
    plain = patient.url.startswith("http:")
    if found.reason in {"Timeout", "ConnectionReset"}:
        tls = ", write https:// if it wants TLS" if plain else ""
        return f"restart it if it is overloaded or frozen{tls}, or mend {_URL}"
    if plain and "https" in found.message.lower():
        return f"it wants TLS: write https:// in {_URL}"
    return _REACH.get(found.reason, f"another program answers there, or another path is needed: mend {_URL}")


def _tls(found: Finding) -> str:
    said = found.message.lower()
    if "wrong_version" in said or "record layer" in said or "wrong version" in said:
        return f"it speaks no TLS: write http:// in {_URL}"
    return "set spec.endpoint.tls.caBundle to the authority that signed its certificate, or serverName to its name"


def _load(patient: Patient, model: str) -> str:
    return _LOAD.get(patient.type, "load a model and keep it loaded").format(model=model or "MODEL")
