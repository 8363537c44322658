"""Texts become what a World is made of: objects read and checked, OpenClaw configurations imported."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from pointsman.fleet import objects, openclaw
from pointsman.fleet.world import World
from pointsman.local.found import warnings
from pointsman.local.source import SourceError, Texts
from pointsman.names import GATEWAY_PORT, Mode

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pointsman.served import Probed

Json = dict[str, Any]


@dataclass(frozen=True)
class Loaded:
    """Objects of one namespace, and what is to be said of them."""

    world: World = field(default_factory=lambda: World(namespace="default"))
    warnings: tuple[str, ...] = ()


def load(texts: Texts, env: Mapping[str, str], gateway_url: str) -> Loaded:
    """Everything that the texts hold, as a World without probes; SourceError says what cannot be read, and where."""
    with _mistakes():
        read, mode, said = _read(texts, env)
        return Loaded(objects.build_world(read, mode=mode, gateway_url=gateway_url), said)


def load_all(texts: Texts, env: Mapping[str, str], gateway_service: str) -> tuple[tuple[World, ...], tuple[str, ...]]:
    """The same of objects of any number of namespaces, by name, with what is to be said of them all.

    `gateway_service` is the name of the Service by which each namespace's gateways are reached.
    """
    with _mistakes():
        read, mode, said = _read(texts, env)
        urls = {each: f"http://{gateway_service}.{each}.svc:{GATEWAY_PORT}" for each in read.namespaces()}
        return tuple(objects.build_world(read, each, mode, url) for each, url in urls.items()), said


def _read(texts: Texts, env: Mapping[str, str]) -> tuple[objects.Objects, Mode, tuple[str, ...]]:
    imported = {name: openclaw.read(text, env, name) for name, text in texts.openclaw.items()}
    parts = [objects.read_bodies(one.objects, name) for name, one in imported.items()]
    read = _joined([objects.read_files(texts.yaml), *parts])
    mode = next((one.mode for one in imported.values()), Mode.MERGE)
    said = tuple(warning for one in imported.values() for warning in one.warnings)
    return read, mode, said + read.warnings


@contextmanager
def _mistakes() -> Iterator[None]:
    try:
        yield
    except (openclaw.OpenClawError, objects.ObjectError) as error:
        raise SourceError(str(error)) from error


def found(things: list[Json], gateway_url: str) -> Loaded:
    """The same for objects that were made for servers found running."""
    world = objects.build_world(objects.read_bodies(things, "servers found"), gateway_url=gateway_url)
    kinds = [thing["spec"]["type"] for thing in things if thing["kind"] == "ModelProvider"]
    return Loaded(world, warnings(kinds))


def _joined(parts: list[objects.Objects]) -> objects.Objects:
    """All objects together; the same object in two files is an error, as it is within one."""
    for kind in ("providers", "routes", "secrets"):
        names = [key for part in parts for key in getattr(part, kind)]
        if twice := next((key for key in names if names.count(key) > 1), None):
            raise SourceError(f"{twice[1]} of {kind} is in two files: remove one")
    return objects.Objects(
        providers={key: body for part in parts for key, body in part.providers.items()},
        routes={key: body for part in parts for key, body in part.routes.items()},
        secrets={key: data for part in parts for key, data in part.secrets.items()},
        modes={name: mode for part in parts for name, mode in part.modes.items()},
        warnings=tuple(warning for part in parts for warning in part.warnings),
    )


def with_probes(world: World, probes: Mapping[str, Probed]) -> World:
    """The same World, knowing what the last probes said."""
    return replace(world, probes=dict(probes))
