"""Rollouts with hand-over in a world in which anything may happen."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from pointsman.fleet.handover import Facts, step
from pointsman.fleet.world import ProofResult


class Rollouts(RuleBasedStateMachine):
    """One provider, its engine, its gateways and their clients; the operator takes its turns whenever it likes.

    `told_out`: gateways run a table in which the provider is out. A request goes to the engine where that is not so,
    or where nothing else is left.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now, self.phase, self.since, self.begun_for = 0.0, "", 0.0, ""
        self.wanted, self.replicas = "r0", 1
        self.live, self.live_replicas, self.ready, self.begun = "r0", 1, True, True
        self.in_flight, self.covered, self.told_out, self.tells = 0, True, False, True
        self.proof: ProofResult | None = None
        self.bad: set[str] = set()
        self.cut = ""

    def facts(self) -> Facts:
        return Facts(
            self.wanted,
            self.replicas,
            self.live if self.live_replicas else "old",
            self.live_replicas,
            int(self.ready),
            rolled=(self.live, self.live_replicas) == (self.wanted, self.replicas)
            and self.ready == (self.replicas > 0),
            covered=self.covered,
            used=True,
            away=self.phase == "Draining" and self.told_out,
            in_flight=self.in_flight if self.tells else None,
            proof=self.proof,
            elapsed=self.now - self.since,
            startup_seconds=60.0,
            begun_for=self.begun_for,
        )

    @rule(dies=st.sampled_from(["no", "no", "after applying", "after the status"]))
    def turn(self, dies: str) -> None:
        before = self.facts()
        said = step(self.phase, before)
        if dies != "after the status" and said.apply:
            self.apply(before)
        if dies == "after applying":
            self.proof = None
            return
        self.write(said.phase)
        if not said.prove:
            self.proof = None
        if dies == "after the status":
            self.proof = None
            return
        settled = step(self.phase, self.facts())
        assert not (said.apply and settled.phase == "Draining"), "a rollout that was let through is drained"

    def write(self, phase: str) -> None:
        if phase != self.phase:
            self.phase, self.since = phase, self.now
        self.begun_for = self.wanted

    def apply(self, before: Facts) -> None:
        if (self.live, self.live_replicas) == (self.wanted, self.replicas):
            return
        takes_away = self.live_replicas and (self.live != self.wanted or not self.replicas)
        waited = self.phase == "Draining" and before.elapsed >= before.drain_timeout
        if takes_away and self.in_flight and self.covered and self.tells and not waited:
            self.cut = f"{self.in_flight} requests were cut in phase {self.phase!r}"
        self.live, self.live_replicas = self.wanted, self.replicas
        self.ready, self.in_flight = False, 0

    @rule(seconds=st.sampled_from([1, 5, 30, 61, 400]))
    def time_goes_by(self, seconds: int) -> None:
        for _ in range(2):
            self.now += seconds
            self.turn("no")

    @rule(revision=st.sampled_from(["r0", "r1", "r2"]), replicas=st.sampled_from([1, 1, 1, 0]))
    def spec_changes(self, revision: str, replicas: int) -> None:
        self.wanted, self.replicas = revision, replicas

    @rule(what=st.sampled_from(["fallback", "fallback", "tells", "dies", "unready", "r0", "r1"]))
    def trouble(self, what: str) -> None:
        if what == "fallback":
            self.covered = not self.covered
        elif what == "tells":
            self.tells = not self.tells
        elif what in {"dies", "unready"}:
            self.ready, self.in_flight = False, self.in_flight if what == "unready" else 0
        else:
            self.bad ^= {what}

    @precondition(lambda self: self.ready and (not self.told_out or not self.covered))
    @rule(requests=st.integers(1, 3))
    def requests_come(self, requests: int) -> None:
        self.in_flight += requests

    @precondition(lambda self: self.in_flight)
    @rule()
    def request_ends(self) -> None:
        self.in_flight -= 1

    @rule()
    def gateways_take_up_the_table(self) -> None:
        self.told_out = bool(self.phase)

    @precondition(lambda self: self.live_replicas)
    @rule()
    def engine_comes_up(self) -> None:
        self.ready = self.ready or self.live not in self.bad

    @precondition(lambda self: self.phase in {"Proving", "Failed"} and self.ready)
    @rule()
    def engine_is_asked(self) -> None:
        self.proof = ProofResult(self.live, ok=self.live not in self.bad)

    @invariant()
    def none_is_cut(self) -> None:
        """Whatever happens, nothing is applied over requests that a fallback could have spared."""
        assert not self.cut

    @invariant()
    def out_is_a_phase(self) -> None:
        """What a step says of the routes is what the status says."""
        said = step(self.phase, self.facts())
        assert said.out == bool(said.phase)
        assert said.prove <= said.out

    def teardown(self) -> None:
        """Whatever went before: once engines and fallbacks are up and requests end, what is wanted runs."""
        self.bad, self.replicas, self.covered = set(), 1, True
        for _ in range(100):
            self.in_flight, self.told_out = 0, bool(self.phase)
            self.engine_comes_up()
            self.turn("no")
            if self.phase in {"Proving", "Failed"} and self.ready:
                self.engine_is_asked()
            self.now += 30
        assert (self.phase, self.live, self.live_replicas, self.ready) == ("", self.wanted, 1, True)


TestRollouts = Rollouts.TestCase
TestRollouts.settings = settings(max_examples=200, stateful_step_count=50, deadline=None)
