"""Posture of what an engine of ours runs: code, weights, image, development's doors. "": nothing was found."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pointsman.api.deploy import Deploy
    from pointsman.fleet.seen import Seen

Json = dict[str, Any]

_COMMIT = re.compile(r"[0-9a-f]{40}", re.IGNORECASE)
_MOVING: Final = frozenset({"latest", "nightly", "main", "master", "dev", "devel", "edge", "head", "stable", "rolling"})
_DEVELOPMENT: Final = ("VLLM_SERVER_DEV_MODE", "VLLM_ALLOW_RUNTIME_LORA_UPDATING", "VLLM_ALLOW_INSECURE_SERIALIZATION")
_OFF: Final = frozenset({"", "0", "false", "no", "off"})
_SHOWN: Final = 5
_CODE: Final = "--trust-remote-code"
_NO_CODE: Final = "--no-trust-remote-code"
_SHORTEST: Final = 4  # characters of a flag's beginning: shorter ones are ambiguous, and vLLM ends at once


def remote_code(seen: Seen) -> str:
    deploy = seen.spec.deploy
    if deploy is None or deploy.engine is None:
        return ""
    if deploy.engine.trust_remote_code:
        return "spec.deploy.engine.trustRemoteCode: the model's own code is run"
    said = [word for word in words(deploy) if means(word, _CODE) or means(word, _NO_CODE)]
    on = said and means(said[-1], _CODE)
    return f"spec.deploy.engine.extraArgs: {said[-1]}: the model's own code is run" if on else ""


def unpinned_revision(seen: Seen) -> str:
    """Commits alone stay: branches and tags of the hub can be moved."""
    deploy = seen.spec.deploy
    loose = [
        (path, f"{path}: {source} follows {revision or 'main'}")
        for path, source, revision in _sources(deploy)
        if source.startswith("hf://") and not _COMMIT.fullmatch(revision)
    ]
    uncached = deploy is not None and deploy.cache is None and any("adapters[" in path for path, _ in loose)
    return listed([said for _, said in loose]) + ("; an adapter's commit needs spec.deploy.cache" if uncached else "")


def unpinned_image(seen: Seen) -> str:
    deploy = seen.spec.deploy
    if deploy is None:
        return ""
    loose = [f"spec.deploy.image: {deploy.image}"] if deploy.image and _is_moving(deploy.image) else []
    loose += [
        f"spec.deploy.podTemplate: {image}"
        for each in containers(deploy)
        if isinstance(image := each.get("image"), str) and image and _is_moving(image)
    ]
    loose += [
        f"{path}: {source} is no digest"
        for path, source, _ in _sources(deploy)
        if source.startswith("oci://") and "@sha256:" not in source
    ]
    return listed(loose)


def dev_mode(seen: Seen) -> str:
    deploy = seen.spec.deploy
    if deploy is None:
        return ""
    out = [f"{path}: {name}" for path, name in _development(deploy)]
    if deploy.model.adapter_loading == "AtRuntime":
        out.append(
            "spec.deploy.model.adapterLoading: AtRuntime: who holds the engine's key can load adapters from anywhere"
        )
    return listed(out)


def value_of(deploy: Deploy, flag: str) -> str | None:
    """What `extraArgs` give a flag, "": no value; the last one counts, as in argparse. None: it is not there."""
    said, found = words(deploy), None
    for at, word in enumerate(said):
        if means(word, flag):
            after = said[at + 1] if at + 1 < len(said) and not said[at + 1].startswith("-") else ""
            found = word.partition("=")[2] if "=" in word else after
    return found


def means(word: str, flag: str) -> bool:
    """Whether vLLM's parser takes a word of `words` for this flag: any beginning that no other flag has will do."""
    name = word.partition("=")[0]
    return name == flag or (len(name) >= _SHORTEST and name.startswith("--") and flag.startswith(name))


def words(deploy: Deploy) -> list[str]:
    """`extraArgs` with the flags as vLLM's parser takes them: dashes for underscores."""
    stated = (deploy.engine.extra_args if deploy.engine else None) or []
    return [_flag(word) if word.startswith("--") else word for word in stated]


def pod(deploy: Deploy) -> Json:
    """`podTemplate.spec`, {} where there is none."""
    spec = (deploy.pod_template or {}).get("spec")
    return spec if isinstance(spec, dict) else {}


def containers(deploy: Deploy) -> list[Json]:
    """All containers of `podTemplate` that are objects. Nobody has checked what is in them."""
    lists = [pod(deploy).get(name) for name in ("containers", "initContainers")]
    return [each for stated in lists if isinstance(stated, list) for each in stated if isinstance(each, dict)]


def entries(container: Json, field: str) -> list[Json]:
    """The objects of a container's list, such as its ports."""
    stated = container.get(field)
    return [each for each in stated if isinstance(each, dict)] if isinstance(stated, list) else []


def _flag(word: str) -> str:
    name, equals, value = word.partition("=")
    return name.replace("_", "-") + equals + value


def _sources(deploy: Deploy | None) -> list[tuple[str, str, str]]:
    """(path, source, revision) of the model and its adapters."""
    if deploy is None:
        return []
    adapters = deploy.model.adapters or ()
    return [
        ("spec.deploy.model", deploy.model.source, deploy.model.revision or ""),
        *((f"spec.deploy.model.adapters[{each.name}]", each.source, each.revision or "") for each in adapters),
    ]


def _is_moving(image: str) -> bool:
    if "@sha256:" in image:
        return False
    _, _, tag = image.rpartition("/")[2].partition(":")
    return not tag or tag.lower() in _MOVING


def _development(deploy: Deploy) -> Iterator[tuple[str, str]]:
    for entry in (deploy.engine.env if deploy.engine else None) or ():
        if entry.name in _DEVELOPMENT and (entry.value_from or (entry.value or "").lower() not in _OFF):
            yield "spec.deploy.engine.env", entry.name
    for given in (given for each in containers(deploy) for given in entries(each, "env")):
        stated = given.get("valueFrom") or str(given.get("value") or "").lower() not in _OFF
        if given.get("name") in _DEVELOPMENT and stated:
            yield "spec.deploy.podTemplate", given["name"]


def listed(found: list[str]) -> str:
    """At most five of them, and how many more there are."""
    more = f"; and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return "; ".join(found[:_SHOWN]) + more
