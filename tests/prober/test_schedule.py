"""The prober itself: when it asks, what it tells, and that it leaves nothing behind."""

import asyncio
from dataclasses import replace

import pytest

from pointsman.kinds import kind
from pointsman.names import ProviderType
from pointsman.prober.ask import ProbeRequest, TlsSettings
from pointsman.prober.request import ProbeTarget
from pointsman.prober.schedule import Prober
from pointsman.prober.thresholds import Settings
from pointsman.served import Probed, State
from prober.scripted import MODELS, Answering, Holding, Results, Serve, running, spin
from testbed.ports import free_port

HOUR = Settings(period=3600, steady=True)
QUICK = Settings(period=0.02, steady=True)


def aim(base: str, settings: Settings = QUICK, timeout: float = 10) -> ProbeTarget:
    request = ProbeRequest(kind=kind(ProviderType.VLLM), base_urls=(base,), timeout=timeout)
    return ProbeTarget(request, settings, identity=(base,))


def nowhere() -> str:
    return f"http://127.0.0.1:{free_port()}"


async def test_a_standing_is_told_once_until_it_changes(results: Results, serve: Serve) -> None:
    """Every probe is counted, only news are told; times are those of the clock that was given."""
    async with running(results) as prober:
        prober.set("p", aim(await serve(Answering())))
        await results.until(lambda: len(results.asked) >= 4)
    assert results.states() == [(State.UP, "")]
    assert results.told[0][1].last_ok == 1000.0


async def test_a_server_that_dies_is_down_after_the_threshold(results: Results, serve: Serve) -> None:
    """Misses below it are not told, and coming back is."""
    script = Answering()
    async with running(results) as prober:
        prober.set("p", aim(await serve(script)))
        await results.until(lambda: results.told)
        script.paths = {"/v1/models": (500, b"oops")}
        await results.until(lambda: len(results.told) == 2)
        failures = [finding for _, finding in results.asked if not finding.ok]
        script.paths = {"/v1/models": (200, MODELS)}
        await results.until(lambda: len(results.told) == 3)
    assert results.states() == [(State.UP, ""), (State.DOWN, "ServerError"), (State.UP, "")]
    assert len(failures) == 3


async def test_what_was_known_before_a_restart_survives_a_missed_probe(results: Results, serve: Serve) -> None:
    """A blip while the operator starts is no outage; one that lasts is."""
    script = Answering()
    script.paths = {"/v1/models": (500, b"oops")}
    known = Probed(state=State.UP, reason="", message="", models_known=True)
    async with running(results) as prober:
        prober.set("p", aim(await serve(script)), known)
        await results.until(lambda: len(results.asked) >= 2)
        assert (State.DOWN, "ServerError") not in results.states()
        await results.until(lambda: (State.DOWN, "ServerError") in results.states())
    assert len([finding for _, finding in results.asked if not finding.ok]) >= 3


async def test_a_provider_is_probed_at_once_and_when_poked(results: Results, serve: Serve) -> None:
    """Not only when its period of an hour has gone by."""
    async with running(results) as prober:
        prober.set("p", aim(await serve(Answering()), HOUR))
        await results.until(lambda: len(results.asked) == 1)
        prober.poke("p")
        await results.until(lambda: len(results.asked) == 2)
        prober.poke("unknown")


async def test_the_same_target_again_tells_what_is_known(results: Results, serve: Serve) -> None:
    """The object may have changed in what probes do not see: its standing is told, and nothing is asked."""
    base = await serve(Answering())
    async with running(results) as prober:
        prober.set("p", aim(base, HOUR))
        prober.set("p", aim(base, HOUR))
        assert results.told == []  # nothing is known yet
        await results.until(lambda: results.told)
        prober.set("p", aim(base, HOUR))
        assert results.states() == [(State.UP, "")] * 2
        prober.set("q", aim(base, HOUR))
        await results.until(lambda: results.states("q"))
    assert [key for key, _ in results.asked] == ["p", "q"]


async def test_another_pace_keeps_what_is_known(results: Results, serve: Serve) -> None:
    """The same place with the same key: one miss is still below the threshold."""
    script = Answering()
    base = await serve(script)
    async with running(results) as prober:
        prober.set("p", aim(base, HOUR))
        await results.until(lambda: results.told)
        script.paths = {}
        prober.set("p", aim(base, replace(HOUR, period=1800)))
        await results.until(lambda: len(results.asked) == 2)
    assert results.states() == [(State.UP, "")] * 2  # told, and told again


async def test_another_place_is_another_server(results: Results, serve: Serve) -> None:
    """What was known does not count: the first miss decides."""
    async with running(results) as prober:
        prober.set("p", aim(await serve(Answering()), HOUR))
        await results.until(lambda: results.told)
        prober.set("p", aim(nowhere(), HOUR))
        await results.until(lambda: len(results.told) == 2)
    assert results.states() == [(State.UP, ""), (State.DOWN, "ConnectionRefused")]
    assert results.told[1][1].models == ()


async def test_a_provider_that_is_removed_is_left_at_once(results: Results, serve: Serve) -> None:
    """Its probe is broken off, its connection closed, nothing is told of it."""
    script = Holding()
    async with running(results) as prober:
        prober.set("p", aim(await serve(script), HOUR))
        await spin(lambda: script.held)
        prober.set("p", None)
        await spin(lambda: script.gone)
        prober.set("p", None)
    assert (results.asked, results.told) == ([], [])


async def test_a_target_that_changes_under_way_is_asked_anew(results: Results, serve: Serve) -> None:
    """The old answer would be of another server."""
    script = Holding()
    async with running(results) as prober:
        prober.set("p", aim(await serve(script), HOUR))
        await spin(lambda: script.held)
        prober.set("p", aim(await serve(Answering()), HOUR))
        await results.until(lambda: results.told)
        await spin(lambda: script.gone)
    assert results.states() == [(State.UP, "")]


async def test_one_probe_a_provider_at_a_time(results: Results, serve: Serve) -> None:
    """Poked while under way, one more follows, as the first may have asked too early."""
    script = Holding()
    async with running(results) as prober:
        prober.set("p", aim(await serve(script), HOUR))
        await spin(lambda: script.held)
        for _ in range(5):
            prober.poke("p")
        script.let_go.set()
        await results.until(lambda: len(results.asked) == 2)
        prober.set("q", aim(await serve(Answering()), HOUR))
        await results.until(lambda: results.states("q"))
    assert (script.most, len(results.asked)) == (1, 3)


async def test_not_more_than_so_many_at_once(results: Results, serve: Serve) -> None:
    """Forty providers, four places: all are served in the end."""
    script = Holding()
    base = await serve(script)
    async with running(results, concurrency=4) as prober:
        for i in range(40):
            prober.set(f"p{i}", aim(base, HOUR))
        await spin(lambda: script.held == 4)
        script.let_go.set()
        await results.until(lambda: len(results.told) == 40)
    assert script.most == 4


async def test_hanging_servers_do_not_hold_up_the_rest(results: Results, serve: Serve) -> None:
    """Each probe is bounded, so places become free."""
    script = Holding()
    hanging, good = await serve(script), await serve(Answering())
    async with running(results, concurrency=2) as prober:
        for i in range(4):
            prober.set(f"h{i}", aim(hanging, HOUR, timeout=0.1))
        prober.set("good", aim(good, HOUR))
        await results.until(lambda: len(results.told) == 5)
    assert results.states("good") == [(State.UP, "")]
    assert results.states("h0") == [(State.DOWN, "Timeout")]


async def test_a_listener_that_fails_stops_nobody(
    results: Results, serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged with the provider's name, and probing goes on."""

    def failing(key: str, _: object) -> None:
        raise RuntimeError(f"no ear for {key}")

    prober = Prober[str](failing, results.probe)
    task = asyncio.create_task(prober.run())
    prober.set("p", aim(await serve(Answering())))
    await results.until(lambda: len(results.asked) >= 3)
    task.cancel()
    await asyncio.wait([task])
    await prober.close()
    assert "probe of p failed" in caplog.text
    assert "no ear for p" in caplog.text


async def test_a_bundle_that_cannot_be_read_is_told(results: Results) -> None:
    """As a failure of TLS that names the field."""
    target = aim("https://127.0.0.1:1", HOUR)
    async with running(results) as prober:
        prober.set("p", replace(target, request=replace(target.request, tls=TlsSettings(ca_bundle="no PEM"))))
        await results.until(lambda: results.told)
    assert results.states() == [(State.DOWN, "TLSFailure")]
    assert "spec.endpoint.tls.caBundle" in results.told[0][1].message


async def test_nothing_is_left_behind(results: Results, serve: Serve) -> None:
    """After cancelling and closing, no task and no connection of it lives, probes under way included."""
    script = Holding()
    base, other = await serve(script), await serve(Answering())
    before = asyncio.all_tasks()
    prober = Prober[str](results.result)
    task = asyncio.create_task(prober.run())
    prober.set("p", aim(base))
    prober.set("q", aim(other))
    await spin(lambda: script.held and results.states("q"))
    task.cancel()
    await prober.close()
    await asyncio.wait([task])
    await spin(lambda: script.gone)
    await spin(lambda: asyncio.all_tasks() <= before)
    assert task.cancelled()


async def test_closing_what_never_ran(results: Results) -> None:
    """A command that ends early may close a prober that it did not run."""
    prober = Prober[str](results.result)
    prober.set("p", aim(nowhere()))
    await prober.close()
    assert results.told == []
