"""The table and the credentials in force are those in the mounted files; what cannot be used changes nothing."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

from gateway.conftest import TEXT, Gateway, Start, chain, provider, until
from gateway.fakeupstream import FakeUpstream
from pointsman import table as tables
from pointsman.table import RoutingTable


async def test_a_new_table_is_in_force(start: Start, upstream: FakeUpstream, second: FakeUpstream) -> None:
    """The file changes by a rename: requests go by the new one, and /-/config tells its hash."""
    gateway = await start(chain(provider("a", upstream)))
    assert (await gateway.ask()).decision.startswith("assistant; answered=a/ok")
    await gateway.put_table(chain(provider("b", second)))
    assert (await gateway.ask()).decision.startswith("assistant; answered=b/ok")
    config = (await gateway.get("/-/config")).json
    assert config["hash"] == tables.seal(chain(provider("b", second))).hash
    assert config["error"] == ""


async def test_a_provider_that_is_up_again_is_tried_at_once(start: Start, upstream: FakeUpstream) -> None:
    """Its cooldown does not outlast the outage that its probes have seen the end of."""
    await upstream.stop()
    down = provider("a", upstream, state="Down")
    gateway = await start(chain(down))
    assert (await gateway.ask()).status == 503
    assert gateway.state.health.entries
    await upstream.start(upstream.port)
    await gateway.put_table(chain(provider("a", upstream, state="Up")))
    assert not gateway.state.health.entries
    assert (await gateway.ask()).status == 200


async def test_a_stream_outlives_its_table(start: Start, upstream: FakeUpstream) -> None:
    """A request that is under way when the table changes ends as it began."""
    gateway = await start(chain(provider("a", upstream, "slow")))
    asked = asyncio.ensure_future(gateway.ask(stream=True))
    await until(lambda: len(upstream.seen) == 1)
    await gateway.put_table(RoutingTable())
    assert (await asked).text == TEXT


async def test_a_bad_table_changes_nothing(start: Start, upstream: FakeUpstream) -> None:
    """Torn, edited, of another schema, or with a provider that cannot be: the last good one stays, and it is said."""
    gateway = await start(chain(provider("a", upstream)))
    good = gateway.table.read_bytes()
    bad_url = tables.dump(chain(provider("a", "ftp://x")))
    for text in (
        b"{",
        good[: len(good) // 2],
        good.replace(b"assistant", b"essistant"),
        b'{"schema": 99, "hash": ""}',
        bad_url,
    ):
        failures = gateway.state.metrics.load_failures.n
        gateway.table.write_bytes(text)
        await until(partial(_more_failures, gateway, failures))
        assert (await gateway.ask()).status == 200
        assert (await gateway.get("/-/config")).json["error"]
        assert (await gateway.get("/-/readyz")).status == 200
    gateway.table.write_bytes(good)
    await until(lambda: gateway.state.error == "")


def _more_failures(gateway: Gateway, than: int) -> bool:
    return gateway.state.metrics.load_failures.n > than


async def test_a_table_that_cannot_be_read_is_not_ready(start: Start, upstream: FakeUpstream) -> None:
    """With none before it there is nothing to serve by; then a good one comes."""
    gateway = await start(None)
    gateway.table.write_bytes(b"{")
    await until(lambda: not gateway.state.absent)
    assert (await gateway.get("/-/readyz")).status == 503
    await gateway.put_table(chain(provider("a", upstream)))
    assert (await gateway.get("/-/readyz")).status == 200


async def test_before_the_first_table_requests_are_told_to_come_again(start: Start, upstream: FakeUpstream) -> None:
    """No table is there yet, as in a namespace without a route: ready for one, which then comes."""
    gateway = await start(None)
    assert (await gateway.get("/-/healthz")).status == 200
    ready = await gateway.get("/-/readyz")
    assert (ready.status, ready.body[:31]) == (200, b"ok, without a routing table yet")
    assert (await gateway.get("/v1/models")).status == 503
    for dialect in ("completions", "messages"):
        reply = await gateway.ask(dialect)
        assert (reply.status, reply.fields["retry-after"]) == (503, "1")
    await gateway.put_table(chain(provider("a", upstream)))
    assert (await gateway.get("/-/readyz")).status == 200
    assert (await gateway.ask()).text == TEXT


def mount(folder: Path, version: str, files: dict[str, str]) -> None:
    """Change a mounted folder as the kubelet does: a new folder, and the symlink `..data` swapped."""
    fresh = folder / f"..{version}"
    fresh.mkdir(parents=True)
    for name, text in files.items():
        (fresh / name).write_text(text)
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(f"..data/{name}")
    (folder / "..data_tmp").symlink_to(fresh.name)
    (folder / "..data_tmp").replace(folder / "..data")


async def test_kubernetes_mounts_are_followed(start: Start, upstream: FakeUpstream, tmp_path: Path) -> None:
    """Table and credentials behind `..data`: both are read anew when it is swapped, and a new key ends a cooldown."""
    folder = tmp_path / "credentials"
    mount(folder, "1", {"a-key": "wrong\n"})
    upstream.key = "Bearer right"
    table = chain(provider("a", upstream, auth="Bearer", credential="a-key"))
    gateway = await start(table, credentials=str(folder))
    assert (await gateway.ask()).status == 503
    assert gateway.state.health.entries
    mount(folder, "2", {"a-key": "right\n"})
    await until(lambda: not gateway.state.health.entries)
    assert (await gateway.ask()).text == TEXT
    mounted = tmp_path / "table"
    mount(mounted, "1", {"routing.json": tables.dump(table).decode()})
    other = await start(None)
    other.table.symlink_to(mounted / "routing.json")
    await until(lambda: other.state.routing is not None)
    mount(mounted, "2", {"routing.json": tables.dump(RoutingTable()).decode()})
    await until(lambda: other.state.routing is not None and not other.state.routing.names())


async def test_a_missing_credential_passes_over(start: Start, upstream: FakeUpstream, tmp_path: Path) -> None:
    """Without its key a provider is not tried, and the client is told why."""
    keyless = provider("a", upstream, auth="XApiKey", credential="nowhere")
    gateway = await start(chain(keyless, provider("b", upstream)), credentials=str(tmp_path / "none"))
    assert (await gateway.ask()).decision == "assistant; answered=b/ok; attempts=1; passed=a/ok:credential"


async def test_keys_go_where_they_belong(start: Start, upstream: FakeUpstream, tmp_path: Path) -> None:
    """Bearer or x-api-key as the provider says; its own headers are added and win."""
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "k").write_text("secret\n")
    bearer = provider("a", upstream, auth="Bearer", credential="k", headers={"X-Title": "t", "user-agent": "own"})
    key = provider("b", upstream, auth="XApiKey", credential="k", headers={"anthropic-version": "2022-01-01"})
    gateway = await start(chain(bearer, key), credentials=str(tmp_path / "keys"))
    await gateway.ask(model="a/ok")
    await gateway.ask("messages", model="b/ok")
    await gateway.ask("messages", model="a/ok")
    first, second, third = (seen.fields for seen in upstream.seen)
    assert (first["authorization"], first["x-title"], first["user-agent"]) == ("Bearer secret", "t", "own")
    assert "x-api-key" not in first
    assert (second["x-api-key"], second["anthropic-version"]) == ("secret", "2022-01-01")
    assert "authorization" not in second
    assert third["anthropic-version"] == "2023-06-01"


async def test_a_broken_credential_passes_over_one_provider(
    start: Start, upstream: FakeUpstream, tmp_path: Path
) -> None:
    """A key that no header can carry is as good as none, and no reason to refuse a table; a bad header is one."""
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "k").write_text("two\nlines")
    (tmp_path / "keys" / "empty").write_text("\n")
    broken = provider("a", upstream, auth="Bearer", credential="k")
    empty = provider("e", upstream, auth="Bearer", credential="empty")
    gateway = await start(chain(broken, empty, provider("b", upstream)), credentials=str(tmp_path / "keys"))
    told = "assistant; answered=b/ok; attempts=1; passed=a/ok:credential,e/ok:credential"
    assert (await gateway.ask()).decision == told
    gateway.table.write_bytes(tables.dump(chain(provider("a", upstream, headers={"X-A": "1\r\nX-B: 2"}))))
    await until(lambda: "control or wide character" in gateway.state.error)
    assert (await gateway.ask()).decision == told
