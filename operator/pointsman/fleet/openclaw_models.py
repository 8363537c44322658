"""`models.providers.*.models[]` of an OpenClaw configuration, field for field."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from pointsman.api.provider import ModelEntry
from pointsman.dialects import compat_keys

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pointsman.fleet.openclaw_text import Node

LEFT_OUT: Final = "has no counterpart in Pointsman and is left out"
_MODEL: Final = ("id", "name", "reasoning", "input", "cost", "contextWindow", "contextTokens", "maxTokens", "compat")
_COST: Final = ("input", "output", "cacheRead", "cacheWrite")


def read_models(provider: Node) -> list[dict[str, Any]]:
    """Entries of ModelProvider.spec.models; the provider's maxTokens holds where a model says none."""
    limit = provider.member("maxTokens")
    entries: dict[str, dict[str, Any]] = {}
    given = provider.member("models")
    for item in given.items() if given else ():
        entry = _model(item)
        if limit and "maxTokens" not in entry:
            entry["maxTokens"] = limit.whole()
        if entry["id"] in entries:
            item.warn(f"the id {entry['id']!r} stands twice; the first counts")
        entries.setdefault(entry["id"], entry)
    return list(entries.values())


def _model(item: Node) -> dict[str, Any]:
    entry = {key: value for key, value in _fields(item) if value is not None}
    if not entry.get("id"):
        raise item.error("id is missing: the model's name at the server")
    if not entry.get("name"):
        item.warn(f"name is missing, which OpenClaw requires; {entry['id']} was taken")
        entry["name"] = entry["id"]
    _cap(item, entry)
    item.name_rest(_MODEL, LEFT_OUT)
    try:
        ModelEntry.model_validate(entry)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        path = ".".join(str(part) for part in first["loc"])
        raise item.source.error(f"{item.path}.{path}", first["msg"].lower()) from None
    return entry


def _cap(item: Node, entry: dict[str, Any]) -> None:
    """OpenClaw's contextTokens is how much of the window it uses: it is the window that a route is to keep to."""
    given = item.member("contextTokens")
    if given is None:
        return
    used, window = given.whole(), entry.get("contextWindow")
    if window is None or used < window:
        entry["contextWindow"] = used
        given.warn(f"is the part of the window that OpenClaw uses: contextWindow {used} was written")


def _fields(item: Node) -> Iterator[tuple[str, Any]]:
    for key, node in item.members():
        if key in ("id", "name"):
            yield key, node.text()
        elif key in ("contextWindow", "maxTokens"):
            yield key, node.whole()
        elif key == "reasoning":
            yield key, node.flag()
        elif key == "input":
            yield key, list(dict.fromkeys(kind.text() for kind in node.items())) or None
        elif key == "cost":
            yield key, {name: _price(price) for name, price in node.members() if name in _COST}
            node.name_rest(_COST, LEFT_OUT)
        elif key == "compat":
            node.name_rest((*compat_keys.ALL, *compat_keys.REFUSED), LEFT_OUT)
            yield key, dict(_compat(node)) or None


def _compat(node: Node) -> Iterator[tuple[str, Any]]:
    for name, part in node.members():
        if mend := compat_keys.REFUSED.get(name):
            part.warn(f"is left out: {mend}")
        elif name in compat_keys.ALL:
            stated = {key: each.value for key, each in part.members()} if name in compat_keys.ROUTING else part.value
            if wrong := compat_keys.fault(name, stated):
                raise part.error(wrong)
            yield name, stated


def _price(node: Node) -> float:
    if (number := node.number()) < 0:
        raise node.error("must be 0 or more")
    return number
