"""What gateways tell of demand, put together: nobody's restart looks like silence, nor like a request."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from pointsman.controller.demand import FRESH, Answer, Ledger, Said
from pointsman.fleet import scale
from pointsman.fleet.world import Demand

IDLE = 900.0  # seconds, as most providers have it


def says(uptime: float, ago: float | None = None, in_flight: int = 0, *, partial: bool = False) -> Answer:
    """A gateway's answer on the one provider `q`."""
    return Answer("h", uptime, partial, {"q": Said(in_flight, ago)})


def told(now: float, **answers: Answer | None) -> Ledger:
    """A ledger that began at 0 and hears these just now."""
    ledger = Ledger(0.0)
    for name, answer in answers.items():
        ledger.put(name, answer, now)
    return ledger


def test_the_last_request_at_any_gateway_counts() -> None:
    """And requests under way are summed."""
    ledger = told(5000.0, a=says(9000, 700.0, 1), b=says(9000, 300.0, 2), c=says(9000))
    assert ledger.demand(["a", "b", "c"], 5000.0) == {"q": Demand(300.0, wanted=True, in_flight=3)}
    assert ledger.demand(["a", "b", "c"], 5004.0)["q"].idle == 304.0, "time goes by between two answers"


def test_silence_is_as_long_as_anybody_could_have_heard() -> None:
    """That of the youngest gateway, of those that were there before us."""
    ledger = told(10.0, a=says(9000), b=says(500))
    assert ledger.demand(["a", "b"], 10.0) == {"q": Demand(500.0, wanted=False)}


def test_who_does_not_tell_leaves_it_unknown() -> None:
    """No answer, an old one, a release that does not tell, one worker of several, or another table."""
    other = Answer("h", 9000.0, providers={"p": Said()})
    for answer in (None, Answer("h"), says(9000, partial=True), other):
        assert told(10.0, a=says(9000), b=answer).demand(["a", "b"], 10.0) == {}
    assert told(10.0, a=says(9000)).demand(["a", "b"], 10.0) == {}
    assert told(10.0, a=says(9000)).demand(["a"], 25.0) == {}
    assert Ledger(0.0).demand(["a"], 10.0) == {}


def test_one_gateway_that_hangs_keeps_nothing_from_waking() -> None:
    """A request that has just come needs no second witness; but who knows what the others have under way."""
    ledger = told(10.0, a=says(9000, 2.0), b=None)
    assert ledger.demand(["a", "b"], 10.0) == {"q": Demand(0.0, wanted=True, in_flight=1)}
    ledger = told(10.0, a=says(9000, 500.0, 3), b=None)
    assert ledger.demand(["a", "b"], 10.0) == {"q": Demand(0.0, wanted=False, in_flight=3)}


def test_a_gateway_that_began_while_we_followed_hides_nothing() -> None:
    """Sidecars come with every Pod: they must not keep an engine from its sleep."""
    ledger = told(5000.0, a=says(9000), b=says(3.0))
    assert ledger.demand(["a", "b"], 5000.0) == {"q": Demand(9000.0, wanted=False)}
    alone = told(5000.0, b=says(3.0))
    assert alone.demand(["b"], 5000.0) == {"q": Demand(5000.0, wanted=False)}, "since we have followed"


def test_a_gateway_that_began_before_us_may_hide_something() -> None:
    """Its predecessor's requests, which nobody remembers: it was quiet for no longer than it has run."""
    ledger = told(10.0, a=says(9000, 600.0), b=says(120.0))
    assert ledger.demand(["a", "b"], 10.0) == {"q": Demand(120.0, wanted=False)}
    ledger = told(10.0, a=says(9000, 20.0), b=says(12.0))
    assert ledger.demand(["a", "b"], 10.0) == {"q": Demand(12.0, wanted=True)}, "what is fresh is wanted for certain"


def test_what_a_gateway_did_before_it_went_is_remembered() -> None:
    """And what it may have done since it was last heard counts as its last moment: neither wanted, nor quiet."""
    ledger = told(5000.0, a=says(9000), b=says(9000, 400.0))
    ledger.drop("b", 5002.0)
    assert ledger.demand(["a"], 5003.0)["q"] == Demand(1.0, wanted=False)
    ledger = told(5000.0, a=says(9000), b=says(9000))
    ledger.drop("b", 5002.0)
    assert ledger.demand(["a"], 5003.0)["q"].idle > 9000.0, "it had not used it"


def test_a_gateway_that_begins_anew_is_noticed() -> None:
    """The same Pod with a shorter uptime, whether or not it was silent in between."""
    for between in ([], [None]):
        ledger = told(5000.0, a=says(9000, 800.0, 1))
        for answer in between:
            ledger.put("a", answer, 5002.0)
        ledger.put("a", says(1.0), 5004.0)
        assert ledger.demand(["a"], 5004.0) == {"q": Demand(0.0, wanted=False)}
        ledger.put("a", says(1001.0), 6004.0)
        assert ledger.demand(["a"], 6004.0)["q"] == Demand(1000.0, wanted=False)


def test_what_is_worth_a_look() -> None:
    """Newly wanted, no longer fresh, begins and ceases to answer; else nothing, however often it is asked."""
    ledger = Ledger(0.0)
    assert ledger.put("a", says(1.0), 10.0) == set()
    assert ledger.put("a", says(3.0, 1.0), 12.0) == {"q"}
    assert ledger.put("a", says(5.0, 0.5), 14.0) == set()
    assert ledger.put("a", says(7.0, 1.0, 2), 16.0) == {"q"}
    assert ledger.put("a", says(9.0, 3.0, 1), 18.0) == set()
    assert ledger.put("a", says(11.0, 0.0), 20.0) == {"q"}
    assert ledger.put("a", says(11.0 + FRESH, FRESH), 20.0 + FRESH) == {"q"}
    assert ledger.put("a", says(13.0 + FRESH, 2.0 + FRESH), 22.0 + FRESH) == set()


class Fleet:
    """Gateways that requests, restarts and silences happen to, and an operator that asks them and may restart."""

    def __init__(self) -> None:
        self.now = 10_000.0
        self.began = dict.fromkeys("ab", 0.0)
        self.last: dict[str, float | None] = dict.fromkeys("ab")
        self.true = 0.0  # when the last request came, whoever remembers
        self.ledger = Ledger(self.now)
        self.ask()

    def ask(self) -> None:
        for name, began in self.began.items():
            last = self.last[name]
            self.ledger.put(name, says(self.now - began, None if last is None else self.now - last), self.now)

    def happens(self, what: str, seconds: float) -> None:
        """One thing, and then some time in which all are asked every two seconds."""
        gateway = what[-1]
        if what.startswith("request"):
            self.last[gateway] = self.true = self.now
        elif what.startswith("restart"):
            self.began[gateway], self.last[gateway] = self.now, None
        elif what.startswith("replace"):
            self.ledger.drop(gateway, self.now)
            self.began[gateway], self.last[gateway] = self.now + 1.0, None
        else:
            self.ledger = Ledger(self.now)
        self.now += 2.0
        self.ask()
        self.now += seconds
        self.ask()


EVENTS = st.sampled_from(["request a", "request b", "restart a", "restart b", "replace a", "replace b", "operator"])


@given(st.lists(st.tuples(EVENTS, st.floats(0, 2 * IDLE)), max_size=12))
@settings(max_examples=300)
@example([("request b", 0.0), ("restart b", 0.0), ("operator", 0.0), ("restart b", 0.0)])
@example([("request b", 0.0), ("replace b", 0.0), ("operator", 0.0), ("replace b", 0.0)])
def test_whoever_restarts_nothing_is_lost_and_nothing_is_made_up(events: list[tuple[str, float]]) -> None:
    """Never quieter than it truly was, but where operator and gateway both forgot; never wanted without a request."""
    fleet = Fleet()
    for what, seconds in events:
        fleet.happens(what, seconds)
        found = fleet.ledger.demand(["a", "b"], fleet.now).get("q")
        assert found
        truly = fleet.now - fleet.true
        assert found.idle <= truly + 1e-6
        if found.wanted and found.idle < IDLE:
            assert truly <= found.idle + 1e-6 or truly < FRESH


def test_the_shortest_idle_time_is_what_is_fresh() -> None:
    """Two constants that must agree: what was wanted within any idle time there is must be told as wanted."""
    assert FRESH <= scale.LEAST_IDLE
