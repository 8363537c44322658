"""One probe against servers that behave in every way."""

import asyncio
import ssl
from dataclasses import replace

import httpx
import pytest

from pointsman.kinds import kind
from pointsman.names import ProviderType
from pointsman.prober.ask import ProbeRequest, TlsSettings, ask
from pointsman.prober.clients import Clients
from pointsman.prober.wire import BODY_LIMIT
from pointsman.served import Finding, ServedModel
from prober.scripted import MODELS, Answering, Serve
from testbed.ports import free_port

TINY = ServedModel("tiny", context_window=2048, loaded=True)


def request(*base_urls: str, of: ProviderType = ProviderType.VLLM, timeout: float = 10) -> ProbeRequest:
    return ProbeRequest(kind=kind(of), base_urls=base_urls, timeout=timeout)


async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(-1)


async def test_a_server_that_serves(client: httpx.AsyncClient, serve: Serve) -> None:
    """The model list is asked for with GET, and read by the kind."""
    script = Answering()
    found = await ask(client, request(await serve(script)))
    assert found == Finding(ok=True, models=(TINY,), credentials_valid=True)
    assert script.heads[0].startswith("GET /v1/models HTTP/1.1\r\n")


async def test_the_key_goes_where_the_kind_wants_it(client: httpx.AsyncClient, serve: Serve) -> None:
    """Bearer for most, x-api-key and a version for Anthropic; the provider's own headers go along."""
    script = Answering()
    base = await serve(script)
    await ask(client, replace(request(base), token="secret", headers={"x-team": "a"}))
    await ask(client, replace(request(base, of=ProviderType.ANTHROPIC), token="secret"))
    await ask(client, request(base))
    assert "authorization: Bearer secret\r\n" in script.heads[0].replace("Authorization", "authorization")
    assert "x-team: a\r\n" in script.heads[0]
    assert "x-api-key: secret\r\n" in script.heads[1]
    assert "anthropic-version: 2023-06-01\r\n" in script.heads[1]
    assert "authorization" not in (script.heads[1] + script.heads[2]).lower()


async def test_a_key_is_not_shown() -> None:
    """A request in a log or a traceback does not give its key away."""
    assert "secret" not in repr(replace(request("http://h"), token="secret", headers={"x-key": "secret"}))


async def test_another_path_stands_in_for_the_first(client: httpx.AsyncClient, serve: Serve) -> None:
    """What spec.probe.path names is read as the list; the other paths stay."""
    script = Answering({"/models.json": (200, MODELS), "/props": (200, b"{}")})
    found = await ask(client, replace(request(await serve(script), of=ProviderType.LLAMACPP), path="/models.json"))
    assert found.ok
    assert [head.split()[1] for head in script.heads] == ["/models.json", "/props"]


async def test_details_are_not_asked_of_a_server_that_refuses(client: httpx.AsyncClient, serve: Serve) -> None:
    """After a 401 nothing more is asked."""
    script = Answering({"/v1/models": (401, b"{}")})
    found = await ask(client, request(await serve(script), of=ProviderType.LMSTUDIO))
    assert (found.reason, len(script.heads)) == ("Unauthorized", 1)


async def test_one_replica_of_several_has_to_do(client: httpx.AsyncClient, serve: Serve) -> None:
    """The first in order that serves counts; when none does, the first in order."""
    dead, loading = f"http://127.0.0.1:{free_port()}", await serve(Answering({"/v1/models": (503, b"Loading model")}))
    good = await serve(Answering())
    assert (await ask(client, request(dead, loading, good))).ok
    assert (await ask(client, request(loading, dead))).reason == "ModelLoading"
    assert (await ask(client, request())).reason == "ConnectionRefused"


async def test_nothing_listens(client: httpx.AsyncClient) -> None:
    """A refused connection names the address."""
    port = free_port()
    found = await ask(client, request(f"http://127.0.0.1:{port}"))
    assert (found.reason, found.message) == ("ConnectionRefused", f"nothing listens at 127.0.0.1:{port}")


async def test_a_name_without_address(client: httpx.AsyncClient) -> None:
    """DNS has its own reason, and the name is told."""
    found = await ask(client, request("http://server.invalid:1"))
    assert found.reason == "DNSFailure"
    assert "server.invalid:1" in found.message


@pytest.mark.parametrize("sent", [b"", b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{", b"HTTP/1.1 200 OK\r\nconte"])
async def test_a_connection_that_is_cut(client: httpx.AsyncClient, serve: Serve, sent: bytes) -> None:
    """Closed without a whole answer, at whatever point."""

    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(sent)

    assert (await ask(client, request(await serve(cut)))).reason == "ConnectionReset"


async def test_a_connection_that_is_reset(client: httpx.AsyncClient, serve: Serve) -> None:
    """RST instead of an answer."""

    async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)  # the rest stays unread, so that closing resets
        writer.transport.abort()

    assert (await ask(client, request(await serve(reset)))).reason == "ConnectionReset"


async def test_what_does_not_speak_http(client: httpx.AsyncClient, serve: Serve) -> None:
    """Another protocol on the port."""

    async def ssh(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")
        await writer.drain()
        await reader.read(-1)

    assert (await ask(client, request(await serve(ssh)))).reason == "NotOpenAICompatible"


async def test_a_server_that_hangs(client: httpx.AsyncClient, serve: Serve) -> None:
    """It accepts and never answers: the probe ends in time."""
    assert (await ask(client, request(await serve(hang), timeout=0.2))).reason == "Timeout"


async def test_a_body_that_drips(client: httpx.AsyncClient, serve: Serve) -> None:
    """Each byte comes in time, the whole never does."""

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")
        while True:
            writer.write(b" ")
            await asyncio.sleep(0.01)

    assert (await ask(client, request(await serve(drip), timeout=0.3))).reason == "Timeout"


async def test_details_that_hang_are_missing(client: httpx.AsyncClient, serve: Serve) -> None:
    """The list has come, so the server serves, whatever becomes of the rest."""

    async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(MODELS) + MODELS)
        await reader.read(-1)

    found = await ask(client, request(await serve(half), of=ProviderType.OLLAMA, timeout=0.5))
    assert found == Finding(ok=True, models=(ServedModel("tiny"),))


async def test_an_endless_body_is_cut(client: httpx.AsyncClient, serve: Serve) -> None:
    """Not more than the limit is kept, and what was cut is no list."""
    sent = 0

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b'HTTP/1.1 200 OK\r\n\r\n{"data": [')
        while True:
            writer.write(b" " * 65536)
            await writer.drain()
            sent += 65536

    assert (await ask(client, request(await serve(flood)))).reason == "NotOpenAICompatible"
    assert sent < BODY_LIMIT + (16 << 20)  # what sockets hold


async def test_html_is_not_openai(client: httpx.AsyncClient, serve: Serve) -> None:
    """200 with a page on any path: a wrong URL, and the message shows the page's head."""
    found = await ask(client, request(await serve(Answering({"/v1/models": (200, b"<html>KoboldCpp")}))))
    assert found.reason == "NotOpenAICompatible"
    assert "<html>KoboldCpp" in found.message


async def test_a_redirect_is_not_followed(client: httpx.AsyncClient, serve: Serve) -> None:
    """The key must not go to wherever a server says."""
    elsewhere = Answering()
    target = await serve(elsewhere)
    script = Answering({"/v1/models": (307, b"")}, extra=f"location: {target}/v1/models\r\n")
    found = await ask(client, replace(request(await serve(script)), token="secret"))
    assert (found.reason, elsewhere.heads) == ("UnexpectedStatus", [])
    assert target in found.message


async def test_a_body_that_is_compressed_unasked(client: httpx.AsyncClient, serve: Serve) -> None:
    """It is not unpacked, as a little could become much."""
    script = Answering({"/v1/models": (200, b"\x1f\x8b\x08\x00rest")}, extra="content-encoding: gzip\r\n")
    assert (await ask(client, request(await serve(script)))).reason == "NotOpenAICompatible"
    assert "accept-encoding: identity" in script.heads[0].lower()


@pytest.mark.parametrize("token", ["two\nlines", "clé", "nul\0"])
async def test_a_key_that_no_header_can_hold(client: httpx.AsyncClient, serve: Serve, token: str) -> None:
    """It is told as a matter of the key, and is not sent."""
    script = Answering()
    found = await ask(client, replace(request(await serve(script)), token=token))
    assert (found.ok, found.reason) == (False, "Unauthorized")
    assert token not in found.message
    assert script.heads == []


@pytest.mark.parametrize("url", ["http://[::1", "ftp://h", "nonsense", "http://h:99999", "http://", "http://a b"])
async def test_an_url_that_is_none(client: httpx.AsyncClient, url: str) -> None:
    """Files are not checked by an API server: nothing raises."""
    found = await ask(client, request(url))
    assert not found.ok
    assert found.message


async def test_an_unknown_authority_is_refused(serve: Serve, server_tls: ssl.SSLContext) -> None:
    """The certificate's fault is named, and the field that mends it."""
    asked = request(await serve(Answering(), server_tls))
    async with Clients().make(asked) as client:
        found = await ask(client, asked)
    assert found.reason == "TLSFailure"
    assert "self-signed certificate" in found.message
    assert "spec.endpoint.tls.caBundle" in found.message


async def test_the_bundle_and_the_name_decide(serve: Serve, server_tls: ssl.SSLContext, ca_bundle: str) -> None:
    """With its authority and its name the certificate is accepted; with the authority alone the name is wrong."""
    base = await serve(Answering(), server_tls)
    for name, reason in (("server.test", ""), ("", "TLSFailure"), ("other.test", "TLSFailure")):
        asked = replace(request(base), tls=TlsSettings(ca_bundle, name))
        async with Clients().make(asked) as client:
            assert (await ask(client, asked)).reason == reason


async def test_verification_can_be_switched_off(serve: Serve, server_tls: ssl.SSLContext) -> None:
    """With insecureSkipVerify set it takes any certificate."""
    asked = replace(request(await serve(Answering(), server_tls)), tls=TlsSettings(insecure=True))
    async with Clients().make(asked) as client:
        assert (await ask(client, asked)).ok


async def test_tls_where_none_is_spoken(serve: Serve) -> None:
    """A plain server that answers https:// with an error fails in TLS; one that waits for more is out of time."""

    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    for script, reason in ((plain, "TLSFailure"), (hang, "Timeout")):
        asked = request((await serve(script)).replace("http:", "https:"), timeout=0.5)
        async with Clients().make(asked) as client:
            assert (await ask(client, asked)).reason == reason


async def test_connections_are_kept(client: httpx.AsyncClient, serve: Serve) -> None:
    """Three probes of three paths each use one connection; what is not there is asked for again."""
    script = Answering({"/v1/models": (200, MODELS), "/api/ps": (200, b'{"models":[]}')})
    asked = request(await serve(script), of=ProviderType.OLLAMA)
    for _ in range(3):
        assert (await ask(client, asked)).ok
    assert (script.connections, len(script.heads)) == (1, 9)
