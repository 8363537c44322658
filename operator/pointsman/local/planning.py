"""`pointsman plan`: every object that the operator would apply, for review and for keeping in git."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pointsman.fleet import keys, manifests, posture, scale, workload
from pointsman.fleet.plan import plan_namespace
from pointsman.fleet.render import RenderError
from pointsman.fleet.seen import Seen, seen
from pointsman.local import lines, source
from pointsman.local.load import load_all
from pointsman.names import CREDENTIALS_SECRET, ENGINE_KEYS_SECRET, REVISION_ANNOTATION

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pointsman.fleet.world import World

Json = dict[str, Any]

_HEAD: Final = (
    "What the operator would apply for these files, before it has probed any server. It adds what only the cluster\n"
    "knows: to each object of a provider the owner reference, which names the ModelProvider's uid, and to Pods the\n"
    "annotations of their revision and of a hash of the engine's API key.\n"
)
_SECRET: Final = "Values are not printed; the operator writes it"  # noqa: S105 - a sentence
_TABLE: Final = "As before any probe: the operator writes it anew with each change, so it is better not kept in git."
_GROUPS: Final = "The cluster must have the LeaderWorkerSet CRD (leaderworkerset.x-k8s.io)."
_GROUP: Final = "LeaderWorkerSet"


@dataclass(frozen=True)
class Options:
    """`gateway_service` and `operator_namespace` are as in the operator's installation."""

    paths: tuple[str, ...]
    output: str = "yaml"  # or json: one List
    table: bool = True  # print the routing table's ConfigMap
    gateway_service: str = "pointsman-gateway"
    operator_namespace: str = ""


@dataclass(frozen=True)
class Planned:
    """One object with what is to be said of it, or words alone where `body` is None."""

    body: Json | None
    comment: str = ""


def run(options: Options) -> int:
    """Print it, and to standard error what is refused (then 1) and what is unsafe. No network is used."""
    try:
        worlds, warnings = load_all(source.read(options.paths), os.environ, options.gateway_service)
        found = [each for world in worlds for each in planned(world, options)]
    except (source.SourceError, RenderError) as error:
        sys.stderr.write(f"pointsman: {error}\n")
        return 1
    refused = [(world, line) for world in worlds for line in lines.refusals(world)]
    said = [*warnings, *(f"{world.namespace}: {line}" for world in worlds for line in _unsafe(world))]
    if not worlds:
        said.append("there is no ModelProvider and no ModelRoute in these files")
    sys.stderr.writelines(f"error: {world.namespace}: {line}\n" for world, line in refused)
    sys.stderr.writelines(f"warning: {line}\n" for line in said)
    sys.stdout.write(_yaml(found) if options.output == "yaml" else _json(found))
    return 1 if refused else 0


def planned(world: World, options: Options) -> Iterator[Planned]:
    """A namespace's objects, in an order in which they can be applied; the same world gives the same bytes."""
    yield from _secrets(world)
    for name in sorted(world.providers):
        found = seen(world, name)
        if isinstance(found, Seen):
            yield from _engine(found, options.operator_namespace)
    if options.table:
        yield from (Planned(each, _TABLE) for each in plan_namespace(world).objects if each["kind"] == "ConfigMap")


def _engine(found: Seen, operator_namespace: str) -> Iterator[Planned]:
    """What a provider runs on: volumes and rules first, then the Job that fetches, then the engine."""
    deploy = found.spec.deploy
    if deploy is None:
        return
    rendered = workload.render(
        found.provider.meta,
        found.spec,
        deploy,
        replicas=scale.decide(found.spec, None, None).replicas,
        operator_namespace=operator_namespace,
    )
    yield from (Planned(_told(each)) for each in rendered.beside)
    if rendered.prefetch:
        yield Planned(_told(rendered.prefetch), "The operator starts the engine when this Job is done.")
    yield Planned(_told(rendered.engine), _GROUPS if rendered.engine["kind"] == _GROUP else "")


def _secrets(world: World) -> Iterator[Planned]:
    """Which Secrets there will be, and what they will hold: by name alone."""
    made, read = [], []
    for name in sorted(world.providers):
        found = seen(world, name)
        ref = keys.credential_ref(name, found.spec) if isinstance(found, Seen) else None
        if ref and world.routes:
            read.append(name)
        if ref and ref.name == ENGINE_KEYS_SECRET:
            made.append(name)
    for secret, entries in ((ENGINE_KEYS_SECRET, made), (CREDENTIALS_SECRET, read)):
        if entries:
            where = f"Secret {secret} of namespace {world.namespace}"
            yield Planned(None, f"{where}: an entry for each of {', '.join(entries)}. {_SECRET}.")


def _unsafe(world: World) -> Iterator[str]:
    for name in sorted(world.providers):
        found = seen(world, name)
        for each in posture.warnings(found) if isinstance(found, Seen) else ():
            yield f"provider {name}: {each.reason}: {each.message}"


def _told(body: Json) -> Json:
    """Without what only the cluster knows: the owner's uid, and what follows from the engine's API key."""
    metadata = {key: value for key, value in body["metadata"].items() if key != "ownerReferences"}
    return {**body, "metadata": metadata} | ({"spec": _unmarked(body["spec"])} if "spec" in body else {})


def _unmarked(node: Json) -> Json:
    out = {key: _unmarked(value) if isinstance(value, dict) else value for key, value in node.items()}
    notes = out.get("annotations")
    if not isinstance(notes, dict) or REVISION_ANNOTATION not in notes:
        return out
    del notes[REVISION_ANNOTATION]
    return out if notes else {key: value for key, value in out.items() if key != "annotations"}


def _yaml(found: list[Planned]) -> str:
    words = [each.comment for each in found if each.body is None]
    head = "".join(f"# {line}\n" for text in (_HEAD, *words) for line in text.splitlines())
    return "---\n".join((head, *(manifests.dump([each.body], each.comment) for each in found if each.body)))


def _json(found: list[Planned]) -> str:
    items = [each.body for each in found if each.body]
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items}, indent=2, ensure_ascii=False) + "\n"
