"""Which results count, and which are news."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from pointsman.controller.probes import Probes
from pointsman.served import Probed, State

NAME = ("ns", "a")
UP = Probed(State.UP, "", "", models_known=True)
DOWN = Probed(State.DOWN, "Timeout", "too slow")


def target(identity: str) -> Any:
    return SimpleNamespace(identity=(identity,))


def new_probes() -> tuple[Probes, list[object]]:
    changes: list[object] = []
    return Probes(lambda *_: None, changes.append), changes


def test_only_news_is_heard_of() -> None:
    """Counters and times of a result are none."""
    probes, changes = new_probes()
    probes.set(NAME, 1, target("x"))
    probes.took(NAME, UP)
    probes.took(NAME, Probed(State.UP, "", "", models_known=True, successes=7, latency=0.3))
    probes.took(NAME, DOWN)
    assert changes == [NAME, NAME]
    assert probes.results("ns") == {"a": DOWN}


def test_a_result_that_comes_too_late_counts_for_nothing() -> None:
    """The provider is gone, or probed no more."""
    probes, changes = new_probes()
    probes.set(NAME, 1, target("x"))
    probes.set(NAME, 1, None)
    probes.took(NAME, UP)
    assert probes.results("ns") == {}
    assert changes == []


def test_another_place_has_to_prove_itself() -> None:
    """A changed spec that names another server starts from nothing; another label or a rotated key does not."""
    probes, _ = new_probes()
    probes.set(NAME, 1, target("x"))
    probes.took(NAME, UP)
    probes.set(NAME, 2, target("x"))
    probes.set(NAME, 2, target("x, with the new key"))
    assert probes.results("ns") == {"a": UP}
    assert not probes.undecided(NAME)
    probes.set(NAME, 3, target("y"))
    assert probes.results("ns") == {}
    assert probes.undecided(NAME)


def test_what_was_known_before_the_start_holds_until_there_is_a_result() -> None:
    """An undecided one is none; and what this process found is never replaced by what its predecessor knew."""
    probes, changes = new_probes()
    probes.recalled(NAME, DOWN)
    probes.set(NAME, 1, target("x"))
    assert probes.results("ns") == {"a": DOWN}
    probes.took(NAME, Probed())
    assert probes.results("ns") == {"a": DOWN}
    probes.took(NAME, DOWN)
    assert changes == []
    probes.took(NAME, UP)
    probes.recalled(NAME, DOWN)
    assert probes.results("ns") == {"a": UP}


def test_results_that_were_handed_out_do_not_change() -> None:
    """A decision sees one moment."""
    probes, _ = new_probes()
    probes.set(NAME, 1, target("x"))
    probes.took(NAME, UP)
    before = probes.results("ns")
    probes.took(NAME, DOWN)
    assert before == {"a": UP}
