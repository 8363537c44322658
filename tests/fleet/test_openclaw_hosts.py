"""What a provider's key and address tell."""

from __future__ import annotations

import pytest

from pointsman.fleet.openclaw_hosts import guessed_type, host_problem, location
from pointsman.names import Location, ProviderType


@pytest.mark.parametrize(
    ("key", "url", "expected"),
    [
        ("lmstudio", "http://127.0.0.1:9999/v1", ProviderType.LMSTUDIO),
        ("LM Studio", "http://10.0.0.5:8000/v1", ProviderType.LMSTUDIO),
        ("desk", "http://127.0.0.1:1234/v1", ProviderType.LMSTUDIO),
        ("desk", "http://127.0.0.1:11434/v1", ProviderType.OLLAMA),
        ("desk", "http://127.0.0.1:4000", ProviderType.LITELLM),
        ("local", "http://127.0.0.1:8000/v1", ProviderType.OPENAI_COMPATIBLE),
        ("my-vllm", "http://127.0.0.1:8000/v1", ProviderType.VLLM),
        ("llama.cpp", "http://127.0.0.1:8080", ProviderType.LLAMACPP),
        ("sglang", "http://127.0.0.1:30000", ProviderType.SGLANG),
        ("x", "https://openrouter.ai/api/v1", ProviderType.OPENROUTER),
        ("x", "https://api.openai.com/v1", ProviderType.OPENAI),
        ("x", "https://eu.api.openai.com/v1", ProviderType.OPENAI),
        ("x", "https://notapi.openai.com/v1", ProviderType.OPENAI_COMPATIBLE),
        ("vllm", "https://api.anthropic.com", ProviderType.ANTHROPIC),
        ("openai", "http://127.0.0.1:8000/v1", ProviderType.OPENAI_COMPATIBLE),
        ("x", "https://api.openai.com.example.net/v1", ProviderType.OPENAI_COMPATIBLE),
    ],
)
def test_the_kind_of_server_is_guessed(key: str, url: str, expected: ProviderType) -> None:
    """The vendor's own host decides, then the key, then a port that is telling."""
    assert guessed_type(key, url) is expected


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.8.9.1", "localhost", "[::1]", "10.1.2.3", "172.31.0.1", "192.168.1.20", "[fd00::1]",
     "[::ffff:10.0.0.1]", "box.local", "gpu.internal", "llm.ns.svc", "llm.ns.svc.cluster.local", "gpu-box", "nas.lan",
     "host.docker.internal", "BOX.LOCAL.", "169.254.1.1"],
)  # fmt: skip
def test_own_ground(host: str) -> None:
    """Loopback, private addresses and names that only a private network resolves are OnPremises."""
    assert location(f"http://{host}:1234/v1") is Location.ON_PREMISES


@pytest.mark.parametrize(
    "host",
    ["api.anthropic.com", "8.8.8.8", "172.32.0.1", "[2606:4700::1]", "[::ffff:8.8.8.8]", "134744072", "0x08080808",
     "127.0.0.1.example.com", "100.64.0.1", "8.8.8.8.", "internal.example.com", "10.example.com"],
)  # fmt: skip
def test_everything_else_is_external(host: str) -> None:
    """In doubt External, so that a fence never lets data out by a guess; numbers are addresses, however written."""
    assert location(f"https://{host}/v1") is Location.EXTERNAL


@pytest.mark.parametrize(
    "url",
    ["", "127.0.0.1:1234", "ftp://host/v1", "http://", "http:///v1", "http://user:pw@host/v1", "http://host/v1?key=1",
     "http://host/#x", "http://host:port/v1", "http://[::1", "http://a b/v1"],
)  # fmt: skip
def test_what_cannot_be_a_base_url(url: str) -> None:
    """Each is refused with a reason."""
    assert host_problem(url)
