"""Clients: contexts are read once."""

import ssl
from pathlib import Path

import pytest

from pointsman.kinds import kind
from pointsman.names import ProviderType
from pointsman.prober.ask import ProbeRequest, TlsSettings
from pointsman.prober.clients import Clients


def request(url: str, tls: TlsSettings | None = None) -> ProbeRequest:
    return ProbeRequest(kind=kind(ProviderType.VLLM), base_urls=(url,), tls=tls or TlsSettings())


async def test_the_systems_authorities_are_read_once_and_only_for_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading them takes longer than fifty probes."""
    made: list[str | None] = []
    real = ssl.create_default_context

    def counted(*, cadata: str | None) -> ssl.SSLContext:
        made.append(cadata)
        return real(cadata=cadata)

    monkeypatch.setattr(ssl, "create_default_context", counted)
    clients = Clients()
    for url in ("http://h", "https://a", "https://b", "HTTPS://c"):
        async with clients.make(request(url)):
            pass
    async with clients.make(request("https://d", TlsSettings(server_name="other"))):
        pass
    assert made == [None]


async def test_the_environment_does_not_redirect_probes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The gateway uses no proxy of the environment, so a probe through one would prove nothing."""
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    async with Clients().make(request("http://h")) as client:
        assert client.trust_env is False
        assert not client._mounts
