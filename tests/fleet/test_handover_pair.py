"""Two providers that cover each other, changed together, in a world in which anything may happen."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from fleet.worlds import deployed, down, route, up, world
from pointsman.fleet import handover
from pointsman.fleet.handover import Step
from pointsman.fleet.seen import Seen, seen
from pointsman.fleet.world import Demand, ProofResult, Workload, World
from pointsman.served import Probed

MODEL = "Qwen/Qwen3-32B"
NAMES = ("a", "b")
_STORED = {name: deployed(name) for name in NAMES}
_BEGAN = datetime(2026, 11, 21, 9, tzinfo=UTC)


@dataclass
class Engine:
    """What runs of one provider, and what its status says."""

    wanted: str = "r0"
    live: str = "r0"
    ready: bool = True
    probed: bool = True
    in_flight: int = 0
    maintenance: dict[str, str] | None = None
    message: str = ""
    ran: bool = True  # the condition WorkloadReady as stored
    proof: ProofResult | None = None

    @property
    def phase(self) -> str:
        return (self.maintenance or {}).get("phase", "")

    def status(self) -> dict[str, Any]:
        conditions = [
            {"type": "WorkloadReady", "status": "True" if self.ran else "False"},
            {"type": "Maintenance", "status": "True" if self.phase else "False", "message": self.message},
        ]
        more = {"maintenance": self.maintenance} if self.maintenance else {}
        return {"conditions": conditions, "desiredReplicas": 1, **more}

    def workload(self) -> Workload:
        status = {"replicas": 1, "readyReplicas": int(self.ready), "updatedReplicas": 1, "observedGeneration": 1}
        addresses = ("10.1.0.1:8000",) * self.ready
        return Workload(status=status, generation=1, replicas=1, revision=self.live, addresses=addresses)

    def probe(self) -> Probed:
        return up(MODEL) if self.ready and self.probed else down()


class Pair(RuleBasedStateMachine):
    """The operator takes its turns as `reconcile` does: it decides, applies, decides anew, and writes the status."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0
        self.engines = {name: Engine() for name in NAMES}

    def world(self) -> World:
        made = [replace(_STORED[name], status=each.status()) for name, each in self.engines.items()]
        return world(
            made,
            [route("r", f"a/{MODEL}", f"b/{MODEL}")],
            probes={name: each.probe() for name, each in self.engines.items()},
            workloads={name: each.workload() for name, each in self.engines.items()},
            demand={name: Demand(0.0, wanted=True, in_flight=each.in_flight) for name, each in self.engines.items()},
            proofs={name: each.proof for name, each in self.engines.items() if each.proof},
        )

    def time(self) -> str:
        return (_BEGAN + timedelta(seconds=self.now)).strftime("%Y-%m-%dT%H:%M:%SZ")

    def decide(self, of: World, name: str) -> Step:
        found = seen(of, name)
        assert isinstance(found, Seen)
        facts = handover.facts(of, found, self.engines[name].wanted, 1, self.time())
        return handover.step(self.engines[name].phase, facts)

    @rule(names=st.sampled_from([("a",), ("b",), ("a", "b"), ("b", "a")]))
    def turn(self, names: tuple[str, ...]) -> None:
        """Of two, both decide before either has written its status."""
        before = self.world()
        for name, said in [(name, self.decide(before, name)) for name in names]:
            each = self.engines[name]
            if said.apply:
                self.apply(name)
                said = self.decide(self.world(), name)  # noqa: PLW2901 - as the reconciler does
            since = each.maintenance["since"] if each.maintenance and each.phase == said.phase else self.time()
            each.maintenance = {"phase": said.phase, "since": since, "revision": each.wanted} if said.phase else None
            each.message, each.ran = said.message, each.ready
            each.proof = each.proof if said.prove else None

    def apply(self, name: str) -> None:
        each, other = self.engines[name], self.engines["b" if name == "a" else "a"]
        if each.live == each.wanted:
            return
        hung = other.phase == "Draining" and not (other.ready and other.probed)  # it answers nobody, drained or not
        alone = (other.phase and not hung) or (other.message.startswith("the engine is replaced") and not other.ready)
        assert not (each.ready and each.probed and alone), f"{name} goes while the other is away: {other}"
        each.live, each.ready, each.in_flight, each.probed = each.wanted, False, 0, True

    @rule(names=st.sampled_from([("a",), ("b",), ("a", "b")]), revision=st.sampled_from(["r0", "r1", "r2"]))
    def spec_changes(self, names: tuple[str, ...], revision: str) -> None:
        for name in names:
            self.engines[name].wanted = revision

    @rule(name=st.sampled_from(NAMES), what=st.sampled_from(["dies", "hangs", "mends", "request", "ends", "comes up"]))
    def happens(self, name: str, what: str) -> None:
        each = self.engines[name]
        if what == "dies":
            each.ready, each.in_flight = False, 0
        elif what in {"hangs", "mends"}:
            each.probed = what == "mends"
        elif what == "comes up":
            each.ready = True
        else:
            each.in_flight = each.in_flight + 1 if what == "request" and each.ready else 0

    @rule(seconds=st.sampled_from([0, 1, 30, 700, 3000]))
    def time_goes_by(self, seconds: int) -> None:
        self.now += seconds

    @rule(name=st.sampled_from(NAMES))
    def is_asked(self, name: str) -> None:
        each = self.engines[name]
        if each.phase in {"Proving", "Failed"} and each.ready:
            each.proof = ProofResult(each.live, ok=each.probed)

    def teardown(self) -> None:
        """No two ever wait for each other: once engines come up, what is wanted runs, and nothing is under way."""
        for _ in range(25):
            for each in self.engines.values():
                # An engine that hangs is mended by its new version alone.
                each.ready, each.in_flight, each.probed = True, 0, each.probed or each.live == each.wanted
            self.turn(("a", "b"))
            self.is_asked("a")
            self.is_asked("b")
            self.now += 5
            if not any(each.phase or each.live != each.wanted for each in self.engines.values()):
                break
        assert [(each.phase, each.live) for each in self.engines.values()] == [
            ("", each.wanted) for each in self.engines.values()
        ]


TestPair = Pair.TestCase
TestPair.settings = settings(max_examples=100, stateful_step_count=30, deadline=None, phases=[Phase.generate])
