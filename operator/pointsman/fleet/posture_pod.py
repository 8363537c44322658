"""Posture of an engine's Pod: what `podTemplate` takes from its confinement, secrets and files in the open."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, Any, Final

from pointsman.fleet.posture_engine import containers, entries, listed, pod, value_of
from pointsman.fleet.posture_secrets import in_environment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pointsman.api.deploy import Deploy
    from pointsman.fleet.seen import Seen

Json = dict[str, Any]

_TEMPLATE: Final = "spec.deploy.podTemplate"
_LOCAL: Final = "--allowed-local-media-path"
_POD_FLAGS: Final = ("hostPID", "hostIPC", "automountServiceAccountToken", "shareProcessNamespace")
_HARMLESS: Final = frozenset({"NET_BIND_SERVICE"})  # as the Pod Security level "restricted" has it
# Folders with the Pod's secrets, its processes, its devices, or the weights.
_GUARDED: Final = ("/proc", "/sys", "/dev", "/etc", "/run", "/var/run", "/root", "/models")


def less_confined(seen: Seen) -> str:
    """Where the template takes back what the operator sets; the level "restricted" of Pod Security is what it sets."""
    return listed([f"{_TEMPLATE}: {each}" for each in _loosened(seen.spec.deploy)]) if seen.spec.deploy else ""


def secret_in_environment(seen: Seen) -> str:
    deploy = seen.spec.deploy
    if deploy is None:
        return ""
    stated = (deploy.engine.env if deploy.engine else None) or ()
    found = [f"spec.deploy.engine.env: {each.name}" for each in stated if in_environment(each.name, each.value or "")]
    found += [
        f"{_TEMPLATE}: {each['name']}"
        for container in containers(deploy)
        for each in entries(container, "env")
        if isinstance(each.get("name"), str) and in_environment(each["name"], str(each.get("value") or ""))
    ]
    # Never the value: a status is read by many.
    return f"{listed(list(dict.fromkeys(found)))}: looks like a key in the open" if found else ""


def local_files(seen: Seen) -> str:
    deploy = seen.spec.deploy
    stated = value_of(deploy, _LOCAL) if deploy else None
    if not stated or not _is_guarded(stated):
        return ""
    return f"spec.deploy.engine.extraArgs: {_LOCAL} {stated}: requests can name files there, also with secrets"


def _loosened(deploy: Deploy) -> Iterator[str]:
    spec = pod(deploy)
    yield from (f"{flag}: true" for flag in _POD_FLAGS if spec.get(flag) is True)
    yield from _privileges(spec)
    for container in containers(deploy):
        yield from (f"container {container.get('name')}: {each}" for each in _privileges(container))


def _privileges(of: Json) -> Iterator[str]:
    """Of a `securityContext`, the Pod's or a container's; null removes what the operator set."""
    if "securityContext" not in of:
        return
    stated = of["securityContext"]
    if not isinstance(stated, dict):
        yield "securityContext: null" if stated is None else "securityContext"
        return
    yield from (f"{flag}: true" for flag in ("privileged", "allowPrivilegeEscalation") if stated.get(flag) is True)
    if stated.get("runAsUser") == 0 and stated.get("runAsUser") is not False:
        yield "runAsUser: 0"
    if stated.get("runAsNonRoot", True) is not True:
        yield "runAsNonRoot: false"
    yield from (f"capabilities.add: {each}" for each in _added(stated.get("capabilities")))
    if _profile(stated.get("seccompProfile")) == "Unconfined":
        yield "seccompProfile: Unconfined"
    if stated.get("procMount") == "Unmasked":
        yield "procMount: Unmasked"


def _added(capabilities: Any) -> list[str]:
    stated = capabilities.get("add") if isinstance(capabilities, dict) else None
    named = [each for each in stated if isinstance(each, str)] if isinstance(stated, list) else []
    return [each for each in named if each not in _HARMLESS]


def _profile(stated: Any) -> str:
    return str(stated.get("type") or "") if isinstance(stated, dict) else ""


def _is_guarded(path: str) -> bool:
    """Whether a folder is, holds or lies in one of those that no request may name."""
    folder = posixpath.normpath("/" + path.strip("\"'").lstrip("/")).rstrip("/") + "/"
    return any(f"{each}/".startswith(folder) or folder.startswith(f"{each}/") for each in _GUARDED)
