"""What a provider's key and address tell: what kind of server it is, and whether it is on the user's own ground."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from pointsman.names import USUAL_PORTS, Location, ProviderType


@dataclass(frozen=True, slots=True)
class Vendor:
    """A hosted vendor that OpenClaw knows without configuration."""

    type: ProviderType
    host: str
    base_url: str
    variable: str  # where its users keep their key


VENDORS: Final = {
    "anthropic": Vendor(ProviderType.ANTHROPIC, "api.anthropic.com", "https://api.anthropic.com", "ANTHROPIC_API_KEY"),
    "openai": Vendor(ProviderType.OPENAI, "api.openai.com", "https://api.openai.com/v1", "OPENAI_API_KEY"),
    "openrouter": Vendor(
        ProviderType.OPENROUTER, "openrouter.ai", "https://openrouter.ai/api/v1", "OPENROUTER_API_KEY"
    ),
}

_NAMED: Final = {  # in a provider's key, punctuation aside
    "lmstudio": ProviderType.LMSTUDIO,
    "ollama": ProviderType.OLLAMA,
    "litellm": ProviderType.LITELLM,
    "sglang": ProviderType.SGLANG,
    "llamacpp": ProviderType.LLAMACPP,
    "vllm": ProviderType.VLLM,
}
# 8000, 8080 and 30000 are anybody's: these three ports are telling.
_TELLING_PORTS: Final = {
    USUAL_PORTS[kind]: kind for kind in (ProviderType.LMSTUDIO, ProviderType.OLLAMA, ProviderType.LITELLM)
}
_OWN_NETWORKS: Final = tuple(
    ipaddress.ip_network(text)
    for text in (
        "127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "0.0.0.0/32",
        "::1/128", "fc00::/7", "fe80::/10",
    )
)  # fmt: skip
_OWN_NAMES: Final = ("localhost", "local", "internal", "svc", "lan", "home.arpa")
_ONE_LABEL: Final = re.compile(r"[a-z][a-z0-9-]*")  # beginning with a letter: 134744072 is the address 8.8.8.8


def vendor_of(base_url: str) -> Vendor | None:
    """The hosted vendor whose own host this is, or a region's under it: eu.api.openai.com."""
    host = _host(base_url)
    return next((vendor for vendor in VENDORS.values() if f".{host}".endswith(f".{vendor.host}")), None)


def named_type(key: str) -> ProviderType | None:
    """The kind of server that a provider's key names: "LM Studio", "my-vllm"."""
    letters = re.sub(r"[^a-z0-9]", "", key.lower())
    return next((kind for name, kind in _NAMED.items() if name in letters), None)


def guessed_type(key: str, base_url: str) -> ProviderType:
    """The kind of server by its host, else by the provider's key, else by a port that is telling."""
    if vendor := vendor_of(base_url):
        return vendor.type
    if named := named_type(key):
        return named
    return ProviderType(_TELLING_PORTS.get(urlsplit(base_url).port or 0, ProviderType.OPENAI_COMPATIBLE))


def location(base_url: str) -> Location:
    """On premises: loopback, private addresses and names that only a private network resolves. Otherwise External."""
    host = _host(base_url)
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        own = bool(_ONE_LABEL.fullmatch(host)) or any(host.endswith(f".{name}") for name in _OWN_NAMES)
    else:
        address = getattr(address, "ipv4_mapped", None) or address
        own = any(address in network for network in _OWN_NETWORKS)
    return Location.ON_PREMISES if own else Location.EXTERNAL


def loopback(base_url: str) -> bool:
    """Whether this machine itself is meant."""
    host = _host(base_url)
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def host_problem(base_url: str, key: str = "apiKey") -> str:
    """Why this cannot be a provider's base URL; "" when it can. `key`: what is used in place of a password in it."""
    try:
        parts = urlsplit(base_url)
        _ = parts.port
    except ValueError as error:
        return f"is not a URL: {error}"
    if parts.scheme.lower() not in ("http", "https") or not parts.hostname:
        return "must be an http:// or https:// URL such as http://127.0.0.1:1234/v1"
    if "@" in base_url:
        return f"must hold no user or password: use {key}"
    if "?" in base_url or "#" in base_url or any(char.isspace() for char in base_url):
        return "must hold no query, no fragment and no spaces"
    return ""


def _host(base_url: str) -> str:
    return (urlsplit(base_url).hostname or "").lower().rstrip(".")
