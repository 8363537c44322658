"""Posture of models: what they fetch, and what they may be talked into. "": nothing was found."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from pointsman.engines import vllm_container
from pointsman.fleet import catalogue
from pointsman.fleet.posture_engine import means, value_of, words
from pointsman.fleet.senses import takes_media
from pointsman.fleet.strength import weakness
from pointsman.names import Capability, synonym

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pointsman.api.deploy import Deploy
    from pointsman.fleet.seen import Seen
    from pointsman.table import Model

_TOOLS: Final = frozenset({Capability.TOOLS, Capability.PARALLEL_TOOLS})
_MEDIA: Final = frozenset({"image", "video", "audio"})
_PARSER: Final = "--tool-call-parser"
_QUANTIZATION: Final = ("--quantization", "-q")
_NO_MEDIA: Final = ("--allowed-media-domains", "--language-model-only")
_LIMIT: Final = "--limit-mm-per-prompt"
_SHOWN: Final = 5


def no_media_domains(seen: Seen) -> str:
    """Of an engine of ours: how another was started is not known."""
    deploy = seen.spec.deploy
    if deploy is None or _is_blind(words(deploy)):
        return ""
    taken = {kind for model in catalogue.models(seen) for kind in model.input or ()} & _MEDIA
    if taken:
        return f"spec.models: {', '.join(sorted(taken))} is taken, from any address that a request names"
    if takes_media(deploy.model.source):
        return f"spec.deploy.model.source: {deploy.model.source} takes media, from any address that a request names"
    return ""


def weak_behind_tools(seen: Seen) -> str:
    """Of models that routes name or the operator starts, and that are known to get tools."""
    told = {model.id: model for model in catalogue.models(seen)}
    needed = _needed(seen)
    named = dict.fromkeys((*catalogue.own_names(seen), *_routed(seen)))
    weak = [
        f"{name} ({why})"
        for name in named
        if _takes_tools(seen, told.get(name) or told.get(synonym(seen.spec.type, name)), name in needed)
        and (why := _weakness(seen, name, told.get(name)))
    ]
    more = f" and {len(weak) - _SHOWN} more" if len(weak) > _SHOWN else ""
    if not weak:
        return ""
    return f"{', '.join(weak[:_SHOWN])}{more} {'get' if len(weak) > 1 else 'gets'} tools: easier than others to inject"


def _weakness(seen: Seen, name: str, model: Model | None) -> str:
    deploy = seen.spec.deploy
    if deploy is None or name not in vllm_container.served_names(deploy):
        return weakness(f"{name} {model.name or ''}" if model else name)
    return weakness(f"{deploy.model.source.partition('://')[2]} {_quantization(deploy)}")


def _quantization(deploy: Deploy) -> str:
    stated = (value for flag in _QUANTIZATION if (value := value_of(deploy, flag)))
    return (deploy.engine.quantization if deploy.engine else None) or next(stated, "")


def _takes_tools(seen: Seen, model: Model | None, needed: bool) -> bool:
    """Whether it is known to: `needed` by a route, stated, told by its server, or started so."""
    stated = (model.compat or {}).get("supportsTools") if model else None
    if stated is not None:
        return stated is True
    deploy = seen.spec.deploy
    told = any(each.tools and each.id == model.id for each in seen.probed.models) if model else False
    return needed or told or (deploy is not None and _is_started_for_tools(deploy))


def _is_started_for_tools(deploy: Deploy) -> bool:
    return bool(deploy.engine and deploy.engine.tool_call_parser) or bool(value_of(deploy, _PARSER))


def _needed(seen: Seen) -> set[str]:
    """Models that a route names which requires tools."""
    return {model for name, model, tools in _targets(seen) if name == seen.name and tools}


def _routed(seen: Seen) -> list[str]:
    return [model for name, model, _ in _targets(seen) if name == seen.name]


def _targets(seen: Seen) -> Iterator[tuple[str, str, bool]]:
    for _, route in sorted(seen.world.routes.items()):
        if route.spec is None or route.meta.deleting:
            continue
        required = (route.spec.policy.required_capabilities if route.spec.policy else None) or ()
        for target in (route.spec.primary, *(route.spec.fallbacks or ())):
            yield target.provider, target.model, bool(_TOOLS & set(required))


def _is_blind(said: list[str]) -> bool:
    """Whether vLLM is started so that it fetches nothing of strangers."""
    if any(means(word, flag) for word in said for flag in _NO_MEDIA):
        return True
    limits = [i for i, word in enumerate(said) if means(word.partition("=")[0].split(".")[0], _LIMIT)]
    counts = [int(each) for i in limits for each in re.findall(r"(?<![\w.])\d{1,9}", " ".join(said[i : i + 2]))]
    return bool(counts) and not any(counts)
