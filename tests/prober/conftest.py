"""Servers on loopback that answer as a test's script says."""

import asyncio
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from shutil import which
from typing import Any

import httpx
import pytest

from prober.scripted import Results, Script, Serve


@pytest.fixture
def results() -> Results:
    return Results()


@pytest.fixture(autouse=True)
def no_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """No name has an address, so that no test asks a DNS server."""
    real = socket.getaddrinfo

    def numeric(host: Any, *args: Any, **kwargs: Any) -> Any:
        if host in {"127.0.0.1", None}:
            return real(host, *args, **kwargs)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", numeric)


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Call it with a script to start a server; it gives the base URL, an https one when `tls` is given."""
    async with AsyncExitStack() as stack:

        async def start(script: Script, tls: ssl.SSLContext | None = None) -> str:
            open_writers: set[asyncio.StreamWriter] = set()
            tasks: set[asyncio.Task[None]] = set()

            async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                open_writers.add(writer)
                task = asyncio.current_task()
                assert task
                tasks.add(task)
                try:
                    await script(reader, writer)
                except (ConnectionError, asyncio.CancelledError):
                    pass
                finally:
                    writer.close()

            async def stop() -> None:
                server.close()
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                for writer in open_writers:
                    writer.transport.abort()

            server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)
            stack.push_async_callback(stop)
            return f"http{'s' if tls else ''}://127.0.0.1:{server.sockets[0].getsockname()[1]}"

        yield start


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(trust_env=False, verify=False) as made:
        yield made


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate and its key in one PEM file, for the name server.test."""
    if not which("openssl"):
        pytest.skip("openssl is not installed: no certificates can be made")
    folder = tmp_path_factory.mktemp("certificate")
    key, pem = folder / "key.pem", folder / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-days", "2", "-subj", "/CN=server.test", "-addext", "subjectAltName=DNS:server.test"]
    subprocess.run([*command, "-keyout", str(key), "-out", str(pem)], check=True, capture_output=True)
    both = folder / "both.pem"
    both.write_text(pem.read_text() + key.read_text())
    return both


@pytest.fixture
def server_tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


@pytest.fixture
def ca_bundle(certificate: Path) -> str:
    return certificate.read_text().split("-----BEGIN PRIVATE KEY-----")[0]
