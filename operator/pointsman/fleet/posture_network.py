"""Posture of the way to a server: who can listen, who can ask. Each says what it found, "": nothing."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, collapse_addresses, ip_address, ip_network
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from pointsman.fleet.posture_engine import containers, entries, pod
from pointsman.fleet.posture_secrets import in_header
from pointsman.kinds import kind
from pointsman.names import ProviderType

if TYPE_CHECKING:
    from pointsman.api.deploy import Deploy
    from pointsman.api.provider import Endpoint
    from pointsman.fleet.seen import Seen

_THIS_MACHINE: Final = frozenset({
    "localhost", "host.docker.internal", "host.containers.internal", "host.lima.internal", "host.minikube.internal",
})  # fmt: skip
_ENCRYPTED: Final = (".ts.net",)  # names of a network whose packets are encrypted


def plain_http(seen: Seen) -> str:
    endpoint = seen.spec.endpoint
    scheme, host = _place(endpoint)
    if scheme != "http" or _is_near(host) or _in_cluster(host) or host.endswith(_ENCRYPTED):
        return ""
    what = "prompts, answers and the key" if endpoint and endpoint.credentials else "prompts and answers"
    return f"spec.endpoint.baseUrl: {what} go to {host} over plain http"


def unverified(seen: Seen) -> str:
    endpoint = seen.spec.endpoint
    scheme, host = _place(endpoint)
    tls = endpoint.tls if endpoint else None
    if scheme != "https" or _is_near(host) or not (tls and tls.insecure_skip_verify):
        return ""
    return f"spec.endpoint.tls.insecureSkipVerify: the certificate of {host} is not verified"


def no_key(seen: Seen) -> str:
    """Not of hosted vendors, nor where the server refused us: who is not let in is told by a condition."""
    endpoint = seen.spec.endpoint
    _, host = _place(endpoint)
    asked = seen.probed.credentials_valid is False or kind(seen.spec.type).hosted
    if not endpoint or endpoint.credentials or asked or _is_near(host) or _secrets(endpoint):
        return ""
    return f"spec.endpoint.credentials: {host or 'the server'} is used without a key, and so can be by all who reach it"


def secret_in_headers(seen: Seen) -> str:
    names = _secrets(seen.spec.endpoint) if seen.spec.endpoint else ()
    # Never the value: a status is read by many.
    return f"spec.endpoint.headers: {', '.join(names[:5])} looks like a key in the open" if names else ""


def around_gateway(seen: Seen) -> str:
    if seen.spec.deploy:
        return "; ".join(_openings(seen.spec.deploy))
    endpoint = seen.spec.endpoint
    scheme, host = _place(endpoint)
    # Behind https there is a proxy that may guard all paths; without a key there is nothing to go around.
    keyed = seen.spec.type is ProviderType.VLLM and scheme == "http" and endpoint and endpoint.credentials
    if not keyed or _is_near(host) or _in_cluster(host):
        return ""
    return (
        f"spec.endpoint.baseUrl: vLLM's --api-key guards /v1 and its like alone: who reaches {host} may use "
        "/invocations, /tokenize and more without a key"
    )


def _openings(deploy: Deploy) -> list[str]:
    access = deploy.network_policy
    out: list[str] = []
    if access and access.mode == "None":
        out = ["spec.deploy.networkPolicy.mode: None: every Pod of the cluster can reach the engine"]
    elif access:
        out = [f"spec.deploy.networkPolicy.allowFrom: {each}" for each in _strangers(access.allow_from or [])[:1]]
    if pod(deploy).get("hostNetwork") is True:
        out.append("spec.deploy.podTemplate: hostNetwork: the engine listens on its node, past any NetworkPolicy")
    if any(port.get("hostPort") for each in containers(deploy) for port in entries(each, "ports")):
        out.append("spec.deploy.podTemplate: hostPort opens the engine at its node's address")
    return out


def _strangers(peers: list[dict[str, Any]]) -> list[str]:
    """Peers that are everybody."""
    blocks = [block.get("cidr") for peer in peers if isinstance(block := peer.get("ipBlock"), dict)]
    out = [f"{_joined(blocks)} is every address"] if _are_all(blocks) else []
    for peer in peers:
        pods, spaces = peer.get("podSelector"), peer.get("namespaceSelector")
        if "ipBlock" in peer or (pods and not _is_empty(pods)):
            continue
        if _is_empty(spaces):
            out.append("an empty namespaceSelector is every Pod of the cluster")
        elif spaces is None and _is_empty(pods):
            out.append("an empty podSelector is every Pod of the namespace")
    return out


def _is_empty(selector: Any) -> bool:
    """Whether a selector is there and selects everything: {}, or one whose lists of conditions are empty."""
    return isinstance(selector, dict) and not any(selector.values())


def _are_all(blocks: list[Any]) -> bool:
    """Whether blocks make up every address together, such as 0.0.0.0/1 and 128.0.0.0/1."""
    nets = [net for each in blocks if (net := _net(each))]
    of_4 = [net.prefixlen for net in collapse_addresses(net for net in nets if isinstance(net, IPv4Network))]
    of_6 = [net.prefixlen for net in collapse_addresses(net for net in nets if isinstance(net, IPv6Network))]
    return 0 in (*of_4, *of_6)


def _joined(blocks: list[Any]) -> str:
    whole = [str(each) for each in blocks if (net := _net(each)) and net.prefixlen == 0]
    return whole[0] if whole else " and ".join(str(each) for each in blocks[:4])


def _net(cidr: Any) -> IPv4Network | IPv6Network | None:
    try:
        return ip_network(cidr, strict=False) if isinstance(cidr, str) else None
    except ValueError:
        return None


def _secrets(endpoint: Endpoint) -> list[str]:
    return [name for name, value in sorted((endpoint.headers or {}).items()) if in_header(name, value)]


def _place(endpoint: Endpoint | None) -> tuple[str, str]:
    """Scheme and host, in lower case; "": there is none, or none can be read."""
    if endpoint is None:
        return "", ""
    try:
        parts = urlsplit(endpoint.base_url)
        return parts.scheme.lower(), (parts.hostname or "").rstrip(".")
    except ValueError:
        return "", ""


def _is_near(host: str) -> bool:
    """On this machine, where nobody listens on the way; "" is nothing that could be said."""
    address = _address(host)
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    if address:
        return address.is_loopback
    return not host or host in _THIS_MACHINE or host.endswith(".localhost")


def _in_cluster(host: str) -> bool:
    """A Service's name; one without dots is of the same namespace."""
    return not _address(host) and ("." not in host or host.endswith(".svc") or ".svc." in host)


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host.partition("%")[0])
    except ValueError:
        return None
