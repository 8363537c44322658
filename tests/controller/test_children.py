"""What the API server refuses is told, and keeps nothing else from being done; nobody else's object is touched."""

from __future__ import annotations

from typing import Any

import pytest

from controller.fakeapi import Direct, FakeApi, failing
from fleet.worlds import NOW, deployed, provider, world
from pointsman.controller import kinds
from pointsman.controller.applier import Applier
from pointsman.controller.children import Children
from pointsman.controller.cluster import ApiError
from pointsman.controller.store import Store
from pointsman.fleet.plan import plan_provider
from pointsman.fleet.world import Plan, Refused
from pointsman.names import ENGINE_KEYS_SECRET

Json = dict[str, Any]
WORDS = 'Deployment.apps "q" is invalid: spec.template.spec.tolerations[0].operator: Invalid value: "Equals"'


class Bed:
    """An API server that refuses what `bad` names, and a provider q."""

    def __init__(self) -> None:
        self.api, self.store = FakeApi(), Store(lambda _: None)
        self.cluster = Direct(self.api)
        self.children = Children(self.store, self.cluster, Applier(self.store, self.cluster))  # type: ignore[arg-type] # a Cluster to them
        self.bad: set[str] = set()
        self.cluster.refuses = lambda kind, _: ApiError("PATCH", 422, "Invalid", WORDS) if kind in self.bad else None

    def plan(self, **deploy: Any) -> Plan:
        return plan_provider(world([deployed("q", **deploy)], secrets={(ENGINE_KEYS_SECRET, "q"): "k"}), "q", NOW)

    async def apply(self, plan: Plan) -> tuple[Refused, ...]:
        return await self.children.apply(deployed("q"), plan)

    def replicas(self) -> int:
        return int(self.api.get("Deployment", "ai", "q")["spec"]["replicas"])


@pytest.fixture
def bed() -> Bed:
    return Bed()


async def test_what_is_refused_keeps_the_others_from_nothing(bed: Bed) -> None:
    """The API server's own words are told, with the revision that they are of."""
    bed.bad = {"Deployment"}
    plan = bed.plan()
    assert await bed.apply(plan) == (Refused("Deployment", "q", WORDS, plan.revision),)
    assert {kind for kind, _, _ in bed.api.objects} == {"Service", "NetworkPolicy"}
    bed.bad = set()
    assert await bed.apply(plan) == ()
    assert bed.replicas() == 1


async def test_fewer_replicas_are_had_whatever_else_is_refused(bed: Bed) -> None:
    """Who suspends a provider, or scales it, is not to wait until the rest of the spec is mended."""
    await bed.apply(bed.plan(replicas=2))
    bed.bad = {"Deployment"}
    (refused,) = await bed.apply(bed.plan(replicas=0))
    assert refused.kind == "Deployment"
    assert bed.replicas() == 0


async def test_a_trial_leaves_no_trace(bed: Bed) -> None:
    """It tells beforehand what an apply would be told."""
    plan = bed.plan()
    engine = next(body for body in plan.objects if body["kind"] == "Deployment")
    trial = Plan(trial=engine, revision=plan.revision, held=frozenset({("Deployment", "q")}))
    assert await bed.apply(trial) == ()
    assert bed.api.objects == {}
    bed.bad = {"Deployment"}
    assert await bed.apply(trial) == (Refused("Deployment", "q", WORDS, plan.revision),)


async def test_what_trying_again_may_mend_is_raised(bed: Bed) -> None:
    """The queue brings it back; it is no fault of the spec."""
    bed.cluster.refuses = lambda *_: failing(500)
    with pytest.raises(ApiError):
        await bed.apply(bed.plan())


@pytest.mark.parametrize("kind", [kinds.SERVICE, kinds.DEPLOYMENT, kinds.NETWORK_POLICY], ids=lambda kind: kind.name)
async def test_an_object_of_somebody_else_is_left_alone(bed: Bed, kind: kinds.Kind) -> None:
    """Taken over by force it would get our selector, and be deleted with our provider."""
    theirs = {"metadata": {"name": "q", "namespace": "ai", "labels": {"app": "theirs"}}, "spec": {"selector": "theirs"}}
    bed.api.create(kind.name, theirs)
    (refused,) = await bed.apply(bed.plan())
    assert (refused.kind, refused.name) == (kind.name, "q")
    assert "rename" in refused.message
    assert bed.api.get(kind.name, "ai", "q")["spec"] == {"selector": "theirs"}


async def test_what_a_namesake_left_is_ours(bed: Bed) -> None:
    """A provider that is deleted and made anew finds what the garbage collector has not taken yet."""
    await bed.apply(bed.plan())
    again = provider("q", {"type": "VLLM", "deploy": {"model": {"source": "hf://a/b"}}}, uid="another")
    plan = plan_provider(world([again], secrets={(ENGINE_KEYS_SECRET, "q"): "k"}), "q", NOW)
    assert await bed.children.apply(again, plan) == ()


async def test_a_claim_that_stays_as_it_is_says_so(bed: Bed) -> None:
    """What the spec asks for now is not silently left undone; that it grows is done."""
    await bed.apply(bed.plan(cache={"size": "10Gi", "storageClassName": "fast"}))
    (told,) = await bed.apply(bed.plan(cache={"size": "20Gi", "storageClassName": "slow"}))
    assert (told.kind, told.revision) == ("PersistentVolumeClaim", "")
    assert "storageClassName fast" in told.message
    claim = bed.api.get("PersistentVolumeClaim", "ai", "q-cache")["spec"]
    assert (claim["resources"]["requests"]["storage"], claim["storageClassName"]) == ("20Gi", "fast")
