"""`pointsman doctor`: asks each server what agents need of it, and says in one line how to mend what fails."""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import sys
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import httpx

from pointsman.fleet import chain, objects, openclaw_hosts
from pointsman.fleet.acceptance import provider_refusal
from pointsman.fleet.diagnosis import Check, Grade, patient
from pointsman.fleet.render import credentials
from pointsman.local import found, source
from pointsman.local.examination import Case, Examination
from pointsman.local.load import load
from pointsman.local.search import search
from pointsman.names import API_VERSION, LOCAL_LISTEN, PROXIES, USUAL_PORTS, Location
from pointsman.prober.clients import Clients
from pointsman.prober.request import target

if TYPE_CHECKING:
    from collections.abc import Callable

    from pointsman.fleet.world import Provider, World
    from pointsman.names import ProviderType

Json = dict[str, Any]

_MARKS: Final = {Grade.WELL: "✓", Grade.NOTE: "·", Grade.WARNING: "!", Grade.BROKEN: "✗"}
_USAGE: Final = 2
_NAMED: Final = "server"  # what the provider of --url is called


class UsageError(ValueError):
    """Options that do not go together; the text says how they do."""


@dataclass(frozen=True)
class Options:
    """Servers from `paths`, or the one at `url`, or, without both, those on their usual ports. `timeout` in seconds."""

    paths: tuple[str, ...] = ()
    url: str = ""
    type: ProviderType | None = None
    model: str = ""
    key_env: str = ""
    hosted: bool = False
    timeout: float = 60.0
    json: bool = False


@dataclass(frozen=True)
class Report:
    """The checks of one provider."""

    provider: str
    type: str
    url: str
    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        return all(check.grade is not Grade.BROKEN for check in self.checks)


def run(options: Options) -> int:
    """Examine and print; 0: all is well but for warnings, 1: something is broken, 2: the options make no sense."""
    try:
        world = asyncio.run(_world(options))
        reports = asyncio.run(_examined(options, world))
    except UsageError as error:
        sys.stderr.write(f"pointsman doctor: {error}\n")
        return _USAGE
    except source.SourceError as error:
        sys.stderr.write(f"pointsman doctor: {error}\n")
        return 1
    if options.json:
        sys.stdout.write(_machine(reports))
    else:
        sys.stdout.write(_summary(reports))
    return 0 if reports and all(report.ok for report in reports) else 1


async def _world(options: Options) -> World:
    if options.paths and options.url:
        raise UsageError("give PATHs or --url, not both")
    if not options.url and (options.type or options.key_env):
        raise UsageError("--type and --key-env belong to --url")
    if options.timeout <= 0:
        raise UsageError("--timeout must be more than 0 seconds")
    if options.paths:
        loaded = load(source.read(options.paths), os.environ, f"http://{LOCAL_LISTEN}")
        for warning in loaded.warnings:
            sys.stderr.write(f"warning: {warning}\n")
        return loaded.world
    if options.url:
        return objects.build_world(objects.read_bodies(_bodies(options), "--url"))
    async with httpx.AsyncClient(trust_env=False) as client:
        there = await search(client)
    if not there:
        ports = ", ".join(f"{name} {port}" for name, port in USUAL_PORTS.items())
        raise source.SourceError(f"no server answers on the usual ports of this machine ({ports}): give PATH or --url")
    for warning in found.warnings(there):
        sys.stderr.write(f"warning: {warning}\n")
    providers = [found.provider(kind) for kind in there]
    return objects.build_world(objects.read_bodies(providers, "servers found"))


def _bodies(options: Options) -> list[Json]:
    """The provider at --url, and the Secret that holds its key."""
    if problem := openclaw_hosts.host_problem(options.url, "--key-env"):
        raise UsageError(f"--url {problem}")
    endpoint: Json = {"baseUrl": options.url}
    bodies: list[Json] = []
    if options.key_env:
        if not (key := os.environ.get(options.key_env, "")):
            raise UsageError(f"the environment variable {options.key_env} is not set")
        endpoint["credentials"] = {"secretRef": {"name": _NAMED, "key": "token"}}
        bodies.append(
            {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": _NAMED}, "stringData": {"token": key}}
        )
    kind = options.type or openclaw_hosts.guessed_type("", options.url)
    spec: Json = {"type": str(kind), "endpoint": endpoint}
    where = Location.EXTERNAL if kind in PROXIES else openclaw_hosts.location(options.url)
    spec["dataPolicy"] = {"location": str(where)}
    provider = {"apiVersion": API_VERSION, "kind": "ModelProvider", "metadata": {"name": _NAMED}, "spec": spec}
    return [*bodies, provider]


async def _examined(options: Options, world: World) -> list[Report]:
    clients, keys, reports = Clients(), credentials(world), []
    say = _mute if options.json else sys.stdout.write
    for name, provider in sorted(world.providers.items()):
        case = _case(options, world, provider, keys.get(name, ""))
        if isinstance(case, Check):
            reports.append(_told(Report(name, _type(provider), "", (case,)), say))
        else:
            reports.append(await _examine(clients, case, say))
    if not reports:
        raise source.SourceError("there is no ModelProvider to ask")
    return reports


def _case(options: Options, world: World, provider: Provider, token: str) -> Case | Check:
    name = provider.meta.name
    if refusal := provider_refusal(provider):
        return Check("accepted", Grade.BROKEN, refusal.message, "mend the object; `pointsman render` says where")
    ill = patient(provider, keyed=bool(token))
    if provider.spec is None or ill is None:
        return Check("reachable", Grade.NOTE, "not asked: the operator itself runs it in a cluster")
    # Probes may be turned off, but whoever calls the doctor wants to know.
    spec = provider.spec.model_copy(update={"probe": None, "suspend": False})
    probe = target(replace(provider, spec=spec), token, ())
    if probe is None:
        return Check("reachable", Grade.NOTE, "not asked: it is being deleted")
    routed = chain.named(world, name)
    known = (options.model,) if options.model else tuple(dict.fromkeys([*routed, *ill.models]))
    wanted = (options.model,) if options.model else routed or known[:1]
    # Each question on a connection of its own: some servers close one after a stream without saying so.
    request = replace(probe.request, headers={**probe.request.headers, "connection": "close"})
    tokens = options.hosted or not ill.external
    return Case(ill, request, known, wanted, tokens, options.timeout, hosted=options.hosted)


async def _examine(clients: Clients, case: Case, say: Callable[[str], object]) -> Report:
    report = Report(case.patient.name, str(case.patient.type), case.patient.url, ())
    try:
        client = clients.make(case.request)
    except (ssl.SSLError, ValueError) as error:
        mend = "put PEM certificates into spec.endpoint.tls.caBundle"
        return _told(replace(report, checks=(Check("reachable", Grade.BROKEN, f"TLSFailure: {error}", mend),)), say)
    say(_heading(report))
    checks = []
    async with client:
        async for check in Examination(client, case).checks():
            say(_lines(check))
            checks.append(check)
    return replace(report, checks=tuple(checks))


def _told(report: Report, say: Callable[[str], object]) -> Report:
    say(_heading(report))
    for check in report.checks:
        say(_lines(check))
    return report


def _heading(report: Report) -> str:
    return f"{report.provider} ({report.type}) {report.url}".rstrip() + "\n"


def _lines(check: Check) -> str:
    about = f"{check.model}: " if check.model else ""
    line = f"  {_MARKS[check.grade]} {check.name:10} {_plain(about + check.text)}\n"
    return line + (f"      → {_plain(check.remedy)}\n" if check.remedy else "")


def _plain(text: str) -> str:
    # Servers choose the names of their models: none may steer a terminal.
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def _summary(reports: list[Report]) -> str:
    grades = [check.grade for report in reports for check in report.checks]
    broken, warned = grades.count(Grade.BROKEN), grades.count(Grade.WARNING)
    if not broken and not warned:
        return "all is well\n"
    return f"{broken} broken, {warned} warning{'s' if warned != 1 else ''}\n"


def _machine(reports: list[Report]) -> str:
    body = {
        "ok": bool(reports) and all(report.ok for report in reports),
        "providers": [
            {"name": each.provider, "type": each.type, "url": each.url, "ok": each.ok,
             "checks": [asdict(check) for check in each.checks]}
            for each in reports
        ],
    }  # fmt: skip
    return json.dumps(body, indent=2, ensure_ascii=False) + "\n"


def _mute(_: str) -> None:
    """Say nothing: the report is printed whole."""


def _type(provider: Provider) -> str:
    return str(provider.spec.type) if provider.spec else "refused"
