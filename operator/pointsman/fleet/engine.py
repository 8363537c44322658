"""What a deployed provider needs now: which objects are applied, which are left for a while, what is asked for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from pointsman.fleet import handover, keys, scale, workload
from pointsman.fleet.world import Workload

if TYPE_CHECKING:
    from pointsman.api.deploy import Deploy
    from pointsman.fleet.seen import Seen

Json = dict[str, Any]

_FETCHING: Final = 10.0  # seconds between looks at a Job that fetches, and at groups of Pods, which nobody watches
_REFUSED: Final = 60.0  # seconds until what the API server refused is tried again
_NO_KIND: Final = 60.0  # seconds until it is looked again whether the cluster has got LeaderWorkerSets


@dataclass(frozen=True, slots=True)
class Engine:
    """`held`: ours, to be left as they are; `maintenance`: for the status, None: none is under way."""

    objects: tuple[Json, ...]
    held: frozenset[tuple[str, str]]
    replicas: int  # that it shall have now
    maintenance: Json | None = None
    message: str = ""  # what the hand-over waits for, for people
    revision: str = ""  # of the Pod template that is wanted
    trial: Json | None = None
    prove: str = ""
    again: float | None = None


def engine(found: Seen, deploy: Deploy, now: str) -> Engine:
    """Decide it; `now` is RFC 3339."""
    live = found.workload or Workload(present=False)
    wanted = scale.decide(
        found.spec,
        live.replicas if live.present else None,
        found.world.demand.get(found.name),
        scale.ready_for(found.provider.status, now),
    )
    rendered = _rendered(found, deploy, wanted.replicas)
    out = _decided(found, rendered, live, now)
    return replace(out, replicas=wanted.replicas, revision=rendered.revision, again=soonest(out.again, wanted.again))


def _rendered(found: Seen, deploy: Deploy, replicas: int) -> workload.Rendered:
    key = keys.credential(found.name, found.spec, found.world.secrets)
    return workload.render(
        found.provider.meta,
        found.spec,
        deploy,
        replicas=replicas,
        key_hash=keys.digest(key),
        operator_namespace=found.world.operator_namespace,
    )


def _decided(found: Seen, rendered: workload.Rendered, live: Workload, now: str) -> Engine:
    if _lacks_key(found):
        # Its Pods could not start, and another revision would end those that run.
        return _as_it_is(found, live, _hold(rendered, rendered.beside, None), now)
    beside, job, replicas = rendered.beside, rendered.prefetch, int(rendered.engine["spec"]["replicas"])
    if _of_groups(rendered) and found.world.leader_worker_sets is not True:
        # Nothing can be made of it; an older Deployment of the provider goes on.
        return _as_it_is(found, live, _hold(rendered, beside, _NO_KIND), now)
    if job and replicas and not _fetched(job, live):
        # What runs goes on while the next model is fetched.
        return _as_it_is(found, live, _hold(rendered, (*beside, job), _FETCHING), now)
    if job and not found.spec.suspend:
        beside = (*beside, job)
    if _is_refused(found, rendered):
        tried = replace(_hold(rendered, beside, _REFUSED), trial=rendered.engine)
        return _as_it_is(found, live, tried, now)
    again = _FETCHING if _of_groups(rendered) and not live.rolled else None
    step = _step(found, rendered.revision, replicas, now)
    if not step.apply:
        begins = step.phase and not (found.provider.status.get("maintenance") or {}).get("phase")
        # Nobody leaves a route for the sake of an engine that the API server would refuse.
        held = replace(_hold(rendered, beside, again), trial=rendered.engine if begins else None)
        return _with_step(found, held, step, rendered.revision, now)
    return _with_step(
        found, Engine((*beside, rendered.engine), frozenset(), 0, again=again), step, rendered.revision, now
    )


def _is_refused(found: Seen, rendered: workload.Rendered) -> bool:
    return any(each.revision == rendered.revision for each in found.world.refused.get(found.name, ()))


def _lacks_key(found: Seen) -> bool:
    """Whether the key that the spec names is not there; one that we make is made before anything is decided."""
    stated = found.spec.deploy is not None and found.spec.deploy.api_key_ref is not None
    return stated and not keys.credential(found.name, found.spec, found.world.secrets)


def _as_it_is(found: Seen, live: Workload, chosen: Engine, now: str) -> Engine:
    """The engine stays as it is; one that is being handed over still has to prove itself."""
    return _with_step(found, chosen, _step(found, live.revision, live.replicas, now), live.revision, now)


def _step(found: Seen, revision: str, replicas: int, now: str) -> handover.Step:
    old = found.provider.status.get("maintenance") or {}
    return handover.step(str(old.get("phase") or ""), handover.facts(found.world, found, revision, replicas, now))


def _with_step(found: Seen, chosen: Engine, step: handover.Step, revision: str, now: str) -> Engine:
    return replace(
        chosen,
        maintenance=_maintenance(found.provider.status.get("maintenance") or {}, step.phase, revision, now),
        message=step.message,
        prove=revision if step.prove else "",
        again=soonest(step.again, chosen.again),
    )


def _maintenance(old: Json, phase: str, revision: str, now: str) -> Json | None:
    if not phase:
        return None
    same = (old.get("phase"), old.get("revision")) == (phase, revision)
    since = old.get("since") if same else now
    return {"phase": phase, "since": since or now, "revision": revision}


def _hold(rendered: workload.Rendered, objects: tuple[Json, ...], again: float | None) -> Engine:
    name = rendered.engine["metadata"]["name"]
    held = {("Deployment", name), ("LeaderWorkerSet", name)}
    return Engine(objects, frozenset(held), 0, again=again)


def _fetched(job: Json, live: Workload) -> bool:
    return live.prefetch is not None and live.prefetch.done and live.prefetch.job == job["metadata"]["name"]


def _of_groups(rendered: workload.Rendered) -> bool:
    return bool(rendered.engine["kind"] == "LeaderWorkerSet")


def soonest(*times: float | None) -> float | None:
    """The least of the seconds that are told; None: none are."""
    return min((each for each in times if each is not None), default=None)
