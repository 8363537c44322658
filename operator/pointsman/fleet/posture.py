"""What makes a provider less safe than it could be, each with its remedy: docs/posture.md. Nothing is blocked by it.

A warning on a sound set-up teaches people to overlook warnings: what cannot be known from the objects and the server's
own words is not guessed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from pointsman.fleet import posture_engine, posture_models, posture_network, posture_pod

if TYPE_CHECKING:
    from collections.abc import Callable

    from pointsman.fleet.seen import Seen


_MESSAGE: Final = 1024  # characters: as the CRD has it


class Posture(NamedTuple):
    """A warning: one of WARNINGS, and what was found with its remedy, at most 1024 characters."""

    reason: str
    message: str


class Kind(NamedTuple):
    """`find` says what it found of a provider, "": nothing."""

    find: Callable[[Seen], str]
    meaning: str
    remedy: str


WARNINGS: Final[dict[str, Kind]] = {
    "PlainHTTP": Kind(
        posture_network.plain_http,
        "Prompts, answers and the key cross a network in the clear.",
        "Put TLS in front of the server and write https:// in spec.endpoint.baseUrl, or reach it through an encrypted "
        "tunnel whose end is on this machine.",
    ),
    "TLSNotVerified": Kind(
        posture_network.unverified,
        "The server's certificate is not verified: anybody on the way can pose as the server and read the key.",
        "Give the authority that signed it in spec.endpoint.tls.caBundle, and remove insecureSkipVerify.",
    ),
    "NoAPIKey": Kind(
        posture_network.no_key,
        "A server that others can reach asks nobody who they are.",
        "Start the server with a key (vLLM, SGLang and llama.cpp: --api-key) and name its Secret in "
        "spec.endpoint.credentials; of one that knows none, such as Ollama, let a firewall admit the gateways alone.",
    ),
    "SecretInHeaders": Kind(
        posture_network.secret_in_headers,
        "spec.endpoint.headers holds what looks like a key: who may read the object, or the routing table, has it.",
        "Put it into a Secret and name that in spec.endpoint.credentials; then renew the key.",
    ),
    "SecretInEnvironment": Kind(
        posture_pod.secret_in_environment,
        "A variable of the engine holds what looks like a key: who may read the object, the Deployment or the Pod, "
        "has it.",
        "Put it into a Secret and take it with valueFrom.secretKeyRef (the hub's token: spec.deploy.model."
        "tokenSecretRef; a bucket's keys: model.credentialsRef); then renew it.",
    ),
    "ReachableAroundGateway": Kind(
        posture_network.around_gateway,
        "Others than the gateways can send requests to the engine: past routes, data policy, limits and the log.",
        "Let only the gateways in: a NetworkPolicy (spec.deploy.networkPolicy.mode: GatewayOnly makes one), or a "
        "firewall before a server outside the cluster.",
    ),
    "RemoteCode": Kind(
        posture_engine.remote_code,
        "The engine runs Python code that comes with the model, with its network, its GPUs and the hub's token.",
        "Remove it unless the model cannot do without; then pin spec.deploy.model.revision to a commit that you have "
        "read.",
    ),
    "UnpinnedRevision": Kind(
        posture_engine.unpinned_revision,
        "The weights can change under the same name: a branch or tag of the hub moves.",
        "Set revision to a commit of the hub: 40 hexadecimal digits.",
    ),
    "UnpinnedImage": Kind(
        posture_engine.unpinned_image,
        "What runs can change with any restart: a tag moves.",
        "Name an image by its version, one with weights by its digest (IMAGE@sha256:…).",
    ),
    "DevMode": Kind(
        posture_engine.dev_mode,
        "The engine offers what is made for development: to load adapters, sleep, reset or run methods over HTTP.",
        "Remove it; load adapters with spec.deploy.model.adapterLoading: AtStart.",
    ),
    "LessConfined": Kind(
        posture_pod.less_confined,
        "spec.deploy.podTemplate takes back what keeps a broken engine in its container: no root, no privileges, no "
        "token of the cluster.",
        "Remove it; where a device needs a privilege, give that one alone, to the one container, on nodes of its own.",
    ),
    "LocalFiles": Kind(
        posture_pod.local_files,
        "Who may send requests can have the engine read files of its container as images or videos: tokens, keys, "
        "weights.",
        "Name a folder with nothing but media in --allowed-local-media-path, or leave it out.",
    ),
    "NoMediaDomains": Kind(
        posture_models.no_media_domains,
        "The engine fetches any address that a request names as an image or video, also inside your network "
        "(server-side request forgery).",
        'Add "--allowed-media-domains=HOST" to spec.deploy.engine.extraArgs; a host that does not exist leaves data: '
        "URLs alone.",
    ),
    "WeakModelBehindTools": Kind(
        posture_models.weak_behind_tools,
        "A small or heavily quantized model may call tools: what it reads (a page, a mail) can talk it into calling "
        "them for somebody else (prompt injection).",
        "Use the largest model that fits, and no heavily quantized one; else keep its tools few and harmless and let "
        "people confirm what they do, or take them away: compat.supportsTools: false.",
    ),
}


def warnings(seen: Seen) -> tuple[Posture, ...]:
    """What is to be said of a provider, in the order of WARNINGS, at most one of each."""
    found = ((reason, kind, kind.find(seen)) for reason, kind in WARNINGS.items())
    return tuple(Posture(reason, _said(what, kind.remedy)) for reason, kind, what in found if what)


def document() -> str:
    """The table for people, as Markdown."""
    rows = [f"| `{name}` | {kind.meaning} | {kind.remedy} |" for name, kind in WARNINGS.items()]
    return "\n".join(("| Warning | It means | What to do |", "|---|---|---|", *rows, ""))


def _said(what: str, remedy: str) -> str:
    # However long the names are that the objects bear, the remedy is read.
    room = _MESSAGE - len(remedy) - 2
    return f"{what if len(what) <= room else what[: room - 1] + '…'}. {remedy}"
