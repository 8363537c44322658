"""One key's turn, with the whole operator around it but for kopf, HTTP and time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from controller.test_convergence import NS, Convergence, endpoint
from pointsman import table
from pointsman.controller import reconcile, refusal
from pointsman.controller.queue import Key
from pointsman.fleet.render import RenderError

Json = dict[str, Any]


@pytest.fixture
def state() -> Iterator[Convergence]:
    state = Convergence()
    state.start()
    yield state
    state.teardown()


def conditions(state: Convergence, kind: str, name: str) -> dict[str, tuple[str, str]]:
    status = state.api.get(kind, NS, name)["status"]
    return {each["type"]: (each["status"], each["reason"]) for each in status["conditions"]}


def published(state: Convergence) -> table.RoutingTable:
    return table.load(state.api.get("ConfigMap", NS, "pointsman-routing")["data"]["routing.json"].encode())


def settled(state: Convergence) -> Convergence:
    """With provider `a` and route `r` over it."""
    state.set_provider("a", endpoint("x", None, suspend=False))
    state.set_route("r", ["a"], "m")
    state.settle()
    return state


def test_a_failed_render_keeps_the_last_good_table_and_says_so(
    state: Convergence, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Condition, Event and metric; and all is as before once it succeeds again."""
    settled(state)
    good, events = published(state), state.operator.reconciler.parts.notices
    sent: list[str] = []
    monkeypatch.setattr(events, "post", _recorder(sent))

    def fail(_: object) -> None:
        raise RenderError("too large")

    with monkeypatch.context() as broken:
        broken.setattr(reconcile, "plan_namespace", fail)
        state.set_provider("b", endpoint("y", None, suspend=False))
        state.resync()
        _turns(state)
        assert published(state) == good
        assert conditions(state, "ModelRoute", "r")["Programmed"] == ("False", "RenderFailed")
        failures = state.operator._metrics.registry.get_sample_value
        assert (failures("pointsman_config_render_failures_total", {"namespace": NS}) or 0) > 1
        assert sent.count("RenderFailed") == 1, "told once, however often it fails"
    state.settle()
    assert {each.name for each in published(state).providers} == {"a", "b"}
    assert conditions(state, "ModelRoute", "r")["Programmed"][1] != "RenderFailed"


def test_a_table_that_does_not_fit_is_not_published_in_part(
    state: Convergence, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same as any other failure."""
    settled(state)
    good = published(state)
    monkeypatch.setattr(refusal, "LIMIT", 10)
    state.set_provider("b", endpoint("y", None, suspend=False))
    state.resync()
    _turns(state)
    assert published(state) == good
    assert conditions(state, "ModelRoute", "r")["Programmed"] == ("False", "RenderFailed")


def test_a_new_providers_first_status_waits_for_its_first_probe(state: Convergence) -> None:
    """One write instead of two; but not for ever."""
    state.set_provider("a", endpoint("x", None, suspend=False))
    state.resync()
    assert state.turn(0.1)
    assert "status" not in state.api.get("ModelProvider", NS, "a")
    state.deliver_probe("a")
    state.drain()
    assert conditions(state, "ModelProvider", "a")["Ready"] == ("True", "Ready")
    assert state.api.get("ModelProvider", NS, "a")["status"]["observedGeneration"] == 1
    state.set_provider("b", endpoint("y", None, suspend=False))
    state.resync()
    state.drain()  # no probe ends
    assert conditions(state, "ModelProvider", "b")["Ready"] == ("Unknown", "NotProbedYet")


def test_a_provider_that_is_gone_is_probed_no_more(state: Convergence) -> None:
    """Nor does it leave anything in the prober."""
    settled(state)
    assert state.targets[(NS, "a")] is not None
    state.delete_provider("a")
    state.resync()
    state.drain()
    assert state.targets[(NS, "a")] is None
    assert conditions(state, "ModelRoute", "r")["ResolvedRefs"] == ("False", "ProviderNotFound")


def test_a_restart_does_not_take_a_provider_for_unknown(state: Convergence) -> None:
    """What status and table tell holds until the first probe ends, so that nothing flaps."""
    settled(state)
    good = published(state)
    state.restart()
    state.drain()
    assert published(state) == good
    assert conditions(state, "ModelProvider", "a")["Ready"] == ("True", "Ready")


def test_turns_of_what_is_gone_do_nothing(state: Convergence) -> None:
    """Keys outlive their objects."""
    for kind in ("provider", "route", "namespace"):
        assert state.loop.run_until_complete(state.operator.reconciler(Key(kind, "nowhere", "x"))) is None
    assert state.api.writes == 0


def _turns(state: Convergence) -> None:
    """As many turns as are due soon; a render that fails is due again and again."""
    for _ in range(60):
        try:
            if not state.turn(horizon=5.0):
                return
        except (RenderError, refusal.TooLargeError):
            key = next(iter(state.schedule._active))
            state.schedule.done(key, state.now, failed=True)


def _recorder(sent: list[str]) -> Any:
    async def post(_: Json, events: Any) -> None:
        sent.extend(event.reason for event in events)

    return post
