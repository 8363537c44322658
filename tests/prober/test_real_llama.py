"""The prober and a real llama-server: up, killed, back, and a key that is wrong."""

from pointsman.fleet.world import Provider, read_provider
from pointsman.prober.request import target
from pointsman.served import ServedModel, State
from prober.scripted import Results, running
from testbed.llama import LlamaServer


def provider(server: LlamaServer) -> Provider:
    spec = {"type": "LlamaCpp", "endpoint": {"baseUrl": f"{server.base_url}/v1"}, "probe": {"period": "200ms"}}
    return read_provider({"metadata": {"name": "p"}, "spec": spec})


async def test_up_killed_and_back(results: Results) -> None:
    """The window is that of a slot; the kill shows after three misses; the restart shows by itself."""
    with LlamaServer(alias="tiny", api_key="secret", slots=2, ctx=4096) as server:
        async with running(results) as prober:
            prober.set("p", target(provider(server), "secret", ()))
            await results.until(lambda: results.told)
            server.kill()
            await results.until(lambda: len(results.told) == 2)
            missed = len([finding for _, finding in results.asked if not finding.ok])
            server.launch()
            await results.until(lambda: results.states()[-1] == (State.UP, "") and len(results.told) > 2)
    assert results.states()[:2] == [(State.UP, ""), (State.DOWN, "ConnectionRefused")]
    assert missed == 3
    # While it starts it may be caught loading.
    assert {reason for _, reason in results.states()[2:]} <= {"", "ModelLoading", "ConnectionReset"}
    assert results.told[0][1].models == (ServedModel("tiny", context_window=2048, loaded=True),)
    assert results.told[0][1].credentials_valid is True


async def test_a_frozen_server_is_out_of_time(results: Results) -> None:
    """It accepts connections and never answers."""
    with LlamaServer() as server:
        server.freeze()
        spec = {"type": "LlamaCpp", "endpoint": {"baseUrl": server.base_url}, "probe": {"timeout": "300ms"}}
        async with running(results) as prober:
            prober.set("p", target(read_provider({"metadata": {"name": "p"}, "spec": spec}), "", ()))
            await results.until(lambda: results.told)
        server.thaw()
    assert results.states() == [(State.DOWN, "Timeout")]


async def test_a_wrong_key_is_found_out(results: Results) -> None:
    """Although the model list is open to everybody."""
    with LlamaServer(api_key="secret") as server:
        async with running(results) as prober:
            prober.set("p", target(provider(server), "wrong", ()))
            await results.until(lambda: results.told)
            prober.set("p", target(provider(server), "secret", ()))
            await results.until(lambda: len(results.told) == 2)
    assert results.states() == [(State.DOWN, "Unauthorized"), (State.UP, "")]
    assert [probed.credentials_valid for _, probed in results.told] == [False, True]
