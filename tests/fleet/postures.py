"""Providers in worlds of their own, and what is warned of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fleet.worlds import Json, deployed, provider, world
from pointsman.fleet import posture
from pointsman.fleet.seen import Seen, seen

if TYPE_CHECKING:
    from pointsman.fleet.world import Provider, World

COMMIT: Final = "0123456789abcdef0123456789abcdef01234567"
KEY: Final[Json] = {"credentials": {"secretRef": {"name": "s"}}}


def of(each: Provider, **fields: Any) -> dict[str, str]:
    """The warnings of one provider in a world of its own."""
    return found(world([each], **fields), each.meta.name)


def found(of_world: World, name: str) -> dict[str, str]:
    one = seen(of_world, name)
    assert isinstance(one, Seen), one
    warnings = posture.warnings(one)
    assert len({each.reason for each in warnings}) == len(warnings)  # the CRD's list is a map by reason
    return dict(warnings)


def vllm(url: str, **more: Any) -> Provider:
    return provider("v", {"type": "VLLM", "endpoint": {"baseUrl": url, **more}})


def run(engine: Json | None = None, model: Json | None = None, **deploy: Any) -> Provider:
    """A deployed provider that has nothing to be warned of but what is given."""
    source = {"source": "hf://Qwen/Qwen3-32B", "revision": COMMIT, **(model or {})}
    return deployed("d", model=source, **({"engine": engine} if engine else {}), **deploy)


def pod(**container: Any) -> Json:
    return {"spec": {"containers": [{"name": "vllm", **container}]}}
