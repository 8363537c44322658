"""Eventually stable reconciliation: whatever happened, the cluster ends as planned, and is then written to no more.

Hypothesis plays users, vandals, a bad network and a mean scheduler against the whole operator but for kopf and HTTP.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from controller.fakeapi import Direct, FakeApi, failing
from pointsman.controller import kinds
from pointsman.controller.cluster import ApiError
from pointsman.controller.covered import is_applied, stamped
from pointsman.controller.metrics import Metrics
from pointsman.controller.operator import Operator, Options
from pointsman.controller.queue import Schedule
from pointsman.fleet.plan import plan_namespace, plan_provider, plan_route
from pointsman.served import Probed, ServedModel, State

Json = dict[str, Any]
NS, NOW = "ns", "2026-11-21T00:00:00Z"
PROVIDERS, ROUTES, SECRETS = st.sampled_from("abc"), st.sampled_from(["r", "s"]), st.sampled_from(["k", "l"])
BY_NAME = {kind.name: kind for kind in kinds.WATCHED}


class CrashError(BaseException):
    """The process dies here."""


def endpoint(host: str, secret: str | None, *, suspend: bool) -> Json:
    credentials = {"credentials": {"secretRef": {"name": secret}}} if secret else {}
    return {"type": "VLLM", "endpoint": {"baseUrl": f"http://{host}:1"} | credentials, "suspend": suspend}


def deploy(replicas: int) -> Json:
    return {"type": "VLLM", "deploy": {"model": {"source": "hf://o/m"}, "replicas": replicas, "gpus": 1}}


SPECS = st.one_of(
    st.builds(endpoint, st.sampled_from("xy"), st.none() | SECRETS, suspend=st.booleans()),
    st.builds(deploy, st.integers(0, 2)),
    st.just({"type": "VLLM", "endpoint": {"baseUrl": "ftp://nowhere"}}),
)


class Convergence(RuleBasedStateMachine):
    """One API server, one operator at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.api, self.pending, self.health = FakeApi(), list[tuple[str, str, Json]](), dict[str, bool]()
        self.api.hear = lambda event, kind, body: self.pending.append((event, kind, body))
        self.now = 0.0

    def teardown(self) -> None:
        self.stop()
        self.loop.close()

    # The operator's life.

    @initialize()
    def start(self) -> None:
        self.cluster = Direct(self.api)
        self.schedule = Schedule()
        self.operator = Operator(Options(), self.cluster, Metrics())  # type: ignore[arg-type]
        self.operator.wakes._add = lambda key: self.schedule.add(key, self.now)
        self.operator.wakes._put_off = lambda key: self.schedule.put_off(key, self.now, 0.15, 1.0)
        self.targets = dict[tuple[str, str], Any]()
        self.operator.probes._aim = lambda name, target, _standing: self.targets.__setitem__(name, target)
        self.operator.reconciler.parts.clock = lambda: self.now
        self.operator.reconciler._started = self.now
        self.operator.secrets._clock = lambda: self.now
        self.resync()

    def stop(self) -> None:
        self.loop.run_until_complete(self.operator.close.__func__(_Closable(self.operator)))

    @rule()
    def restart(self) -> None:
        """SIGKILL, and a new process that knows nothing."""
        self.stop()
        self.pending.clear()
        self.start()

    @rule()
    def resync(self) -> None:
        with contextlib.suppress(CrashError):
            self.loop.run_until_complete(self.operator.resync.once())

    @rule(turns=st.integers(1, 6))
    def work(self, turns: int) -> None:
        for _ in range(turns):
            if not self.turn(horizon=1.0):
                return

    # What users do.

    @rule(name=PROVIDERS, spec=SPECS)
    def set_provider(self, name: str, spec: Json) -> None:
        self.put("ModelProvider", name, spec)

    @rule(name=PROVIDERS)
    def delete_provider(self, name: str) -> None:
        self.remove("ModelProvider", name)

    @rule(
        name=ROUTES, chain=st.lists(PROVIDERS, min_size=1, max_size=2, unique=True), model=st.sampled_from(["m", "n"])
    )
    def set_route(self, name: str, chain: list[str], model: str) -> None:
        targets = [{"provider": provider, "model": "m"} for provider in chain]
        self.put("ModelRoute", name, {"modelName": model, "primary": targets[0], "fallbacks": targets[1:]})

    @rule(name=ROUTES)
    def delete_route(self, name: str) -> None:
        self.remove("ModelRoute", name)

    @rule(name=SECRETS, token=st.sampled_from(["MQ==", "Mg=="]))
    def set_secret(self, name: str, token: str) -> None:
        self.remove("Secret", name)
        self.api.create("Secret", {"metadata": {"namespace": NS, "name": name}, "data": {"token": token}})
        self.now += 31  # known Secrets are read again by then

    @rule(name=SECRETS)
    def delete_secret(self, name: str) -> None:
        self.remove("Secret", name)
        self.now += 31

    # What vandals do to what is ours.

    @rule(pick=st.integers(0, 50), delete=st.booleans())
    @precondition(lambda self: self.ours())
    def damage(self, pick: int, *, delete: bool) -> None:
        ours = self.ours()
        kind, namespace, name = ours[pick % len(ours)]
        if delete:
            self.api.delete(kind, namespace, name)
        elif kind == "ConfigMap":
            self.api.edit(kind, namespace, name, lambda body: body["data"].update({"routing.json": "{}"}))
        elif kind == "Secret":
            self.api.edit(kind, namespace, name, lambda body: body.update(data={"a": "Yg=="}))
        elif kind == "Deployment":
            self.api.edit(kind, namespace, name, lambda body: body["spec"].update(replicas=7))
        else:
            self.api.edit(kind, namespace, name, lambda body: body["metadata"].update(labels={}))

    @rule(name=PROVIDERS)
    def wipe_status(self, name: str) -> None:
        if ("ModelProvider", NS, name) in self.api.objects:
            self.api.edit("ModelProvider", NS, name, lambda body: body.update(status={}))

    # What networks do.

    @rule(name=PROVIDERS, up=st.booleans())
    def probe(self, name: str, *, up: bool) -> None:
        self.health[name] = up
        self.deliver_probe(name)

    @rule()
    @precondition(lambda self: self.pending)
    def deliver(self) -> None:
        self.send(self.pending.pop(0))

    @rule()
    @precondition(lambda self: self.pending)
    def deliver_twice_and_late(self) -> None:
        event = self.pending.pop()
        self.send(event)
        self.send(event)

    @rule()
    @precondition(lambda self: self.pending)
    def lose(self) -> None:
        self.pending.pop(0)

    @rule(pick=st.integers(0, 200))
    @precondition(lambda self: self.api.log)
    def replay(self, pick: int) -> None:
        """A watch that starts from an old version tells old news."""
        _, event, kind, body = self.api.log[pick % len(self.api.log)]
        self.send((event, kind, body))

    @rule(status=st.sampled_from([409, 429, 500, 0]), calls=st.integers(1, 4))
    def refuse(self, status: int, calls: int) -> None:
        self.cluster.before = _after(calls, lambda: failing(status))

    @rule(calls=st.integers(1, 3), committed=st.booleans())
    def crash_at_write(self, calls: int, *, committed: bool) -> None:
        """The process dies just before or just after its n-th write from now."""
        if committed:
            self.cluster.after = _after(calls, CrashError)
        else:
            self.cluster.before = _after(calls, CrashError)

    # What must hold.

    @rule()
    def converge(self) -> None:
        """All quiet: the cluster is as planned; a further listing writes nothing, and nor does a new process."""
        self.calm()
        self.settle()
        self.settle()  # whatever a stale event brought in meanwhile
        self.check()
        before, writes = self.versions(), self.api.writes
        self.settle()
        assert self.api.writes == writes, "a settled cluster was written to"
        self.restart()
        self.drain()
        assert self.api.writes == writes, "a restart wrote to a settled cluster before the first probe"
        self.settle()
        assert self.api.writes == writes, "a restart wrote to a settled cluster"
        assert self.versions() == before

    def settle(self) -> None:
        self.api.collect()
        self.resync()
        self.now += 31
        self.drain()
        for name in "abc":
            self.deliver_probe(name)
        self.drain()

    def check(self) -> None:
        world = self.operator.reconciler.world(NS)
        truth = {name for kind, _, name in self.api.objects if kind == "ModelProvider"}
        assert set(world.providers) == truth
        wanted = []
        for name in world.providers:
            plan = plan_provider(world, name, NOW)
            assert plan.status is None
            wanted += plan.objects
        assert all(plan_route(world, name, NOW).status is None for name in world.routes)
        wanted += plan_namespace(world).objects
        for body in wanted:
            key = (body["kind"], NS, body["metadata"]["name"])
            assert is_applied(stamped(body), self.api.objects.get(key)), key
        kept = {(body["kind"], NS, body["metadata"]["name"]) for body in wanted}
        refused = {name for name in world.providers if not _accepted(world.providers[name].status)}
        assert {key for key in self.ours() if key[2] not in refused} <= kept

    # Helpers.

    def put(self, kind: str, name: str, spec: Json) -> None:
        if (kind, NS, name) in self.api.objects:
            self.api.edit(kind, NS, name, lambda body: body.update(spec=spec))
        else:
            self.api.create(kind, {"metadata": {"namespace": NS, "name": name}, "spec": spec})

    def remove(self, kind: str, name: str) -> None:
        if (kind, NS, name) in self.api.objects:
            self.api.delete(kind, NS, name)

    def ours(self) -> list[tuple[str, str, str]]:
        def is_ours(key: tuple[str, str, str]) -> bool:
            return key[0] in {"Deployment", "Service", "ConfigMap"} or key[2] == "pointsman-credentials"

        return sorted(filter(is_ours, self.api.objects))

    def send(self, event: tuple[str, str, Json]) -> None:
        kind, (how, _, body) = BY_NAME.get(event[1]), event
        if kind is None or (kind is kinds.SECRET and body["metadata"]["name"] != "pointsman-credentials"):
            return
        meta = body["metadata"]
        if how == "DELETED":
            self.operator.store.drop(kind, meta["namespace"], meta["name"], meta["uid"], meta["resourceVersion"])
        else:
            self.operator.store.put(kind, body)

    def deliver_probe(self, name: str) -> None:
        if self.targets.get((NS, name)) is None:
            return
        up = self.health.get(name, True)
        models = (ServedModel("m", context_window=1000),)
        good = Probed(State.UP, "", "", models, models_known=True, successes=1)
        self.operator.probes.took(
            (NS, name), good if up else Probed(State.DOWN, "ConnectionRefused", "nobody", failures=3)
        )

    def turn(self, horizon: float) -> bool:
        """One key's turn, if one is due within so many seconds."""
        due = self.schedule.next()
        if due is None or due > self.now + horizon:
            return False
        self.now = max(self.now, due)
        key = self.schedule.take(self.now)
        assert key is not None
        try:
            again = self.loop.run_until_complete(self.operator.reconciler(key))
        except CrashError:
            self.restart()
        except ApiError as error:
            self.schedule.done(key, self.now, failed=True, after=error.retry_after)
        else:
            self.schedule.done(key, self.now)
            if again is not None:
                self.schedule.add(key, self.now, again)
        return True

    def drain(self) -> None:
        for _ in range(500):
            if not self.turn(horizon=120.0):
                return
        raise AssertionError(f"the operator does not come to rest: {self.schedule}")

    def calm(self) -> None:
        self.cluster.before = self.cluster.after = lambda _: None

    def versions(self) -> dict[tuple[str, str, str], str]:
        return {key: body["metadata"]["resourceVersion"] for key, body in self.api.objects.items()}


class _Closable:
    """An operator's parts that hold something open, of which the prober never ran."""

    def __init__(self, operator: Operator) -> None:
        self.acks, self.prober, self._cluster = operator.acks, operator.prober, self
        self.adapters, self.proving = operator.adapters, operator.proving

    async def close(self) -> None: ...


def _after(calls: int, error: Callable[[], BaseException]) -> Callable[[str], None]:
    left = calls

    def act(_: str) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise error()

    return act


def _accepted(status: Json) -> bool:
    return any(c["type"] == "Accepted" and c["status"] == "True" for c in status.get("conditions", ()))


TestConvergence = Convergence.TestCase
TestConvergence.settings = settings(
    max_examples=60, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
