"""What a spec may say that this release does not make work. It is refused and named, never ignored."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pointsman.api.provider import ModelProviderSpec
from pointsman.dialects import compat_keys

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pointsman.api.route import ModelRouteSpec


@dataclass(frozen=True, slots=True)
class Gap:
    """A path under `spec` that does not work yet, but for the values that `works` tells.

    `[]` in it: each item of a list; `{}`: each key of a map, which `works` is asked of.
    """

    path: str
    mend: str = "leave it out"
    works: Callable[[Any], bool] = field(default=lambda _: False)


_COMPAT = {*compat_keys.ALL, *compat_keys.REFUSED}


PROVIDER = (
    *(Gap(f"models[].compat.{key}", mend) for key, mend in compat_keys.REFUSED.items()),
    Gap("models[].compat{}", "leave it out: it is none of OpenClaw's keys", lambda key: key in _COMPAT),
)

ROUTE: tuple[Gap, ...] = ()


def refusals(spec: ModelProviderSpec | ModelRouteSpec) -> list[str]:
    """For each path that is set and does not work yet, the path and what to do; in the order of the table."""
    gaps = PROVIDER if isinstance(spec, ModelProviderSpec) else ROUTE
    content = spec.model_dump(by_alias=True, exclude_none=True)
    return [text for gap in gaps for text in _refused(gap, content)]


def _refused(gap: Gap, content: Any) -> Iterator[str]:
    for path, value in _at(content, gap.path.split("."), "spec"):
        if not gap.works(value):
            yield f"{path} does not work in this release: {gap.mend}"


def _at(node: Any, steps: list[str], path: str) -> Iterator[tuple[str, Any]]:
    if not steps:
        yield path, node
        return
    name = steps[0].rstrip("[]{}")
    if not isinstance(node, dict) or name not in node:
        return
    if name == steps[0]:
        yield from _at(node[name], steps[1:], f"{path}.{name}")
        return
    if steps[0].endswith("{}"):
        yield from ((f"{path}.{name}.{key}", key) for key in node[name])
        return
    for i, item in enumerate(node[name]):
        yield from _at(item, steps[1:], f"{path}.{name}[{i}]")
