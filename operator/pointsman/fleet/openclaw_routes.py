"""`agents.defaults` of an OpenClaw configuration as ModelRoutes.

What becomes a route, so that an agent's model names keep working at the gateway:
- agents.defaults.model: its primary's ref ("provider/model") is the modelName, with the alias of that model and the
  alias "default"; its fallbacks follow in order.
- every other entry of agents.defaults.models that has an alias: modelName is the ref, no fallbacks.
- each of these also answers to the model's bare id, which is what OpenClaw sends, if only one provider has it.
- with models.mode "replace", where nothing is reachable but by a route: every other model of models.providers.
- in a configuration without any of these: one route for each model of models.providers, called by the model's id where
  that is unique, else by its ref.
Other models are reachable as provider/model, since mode Merge makes them so.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from pointsman.fleet.openclaw_hosts import VENDORS
from pointsman.fleet.openclaw_models import LEFT_OUT
from pointsman.fleet.openclaw_providers import Place, hosted_place, unique_name
from pointsman.names import Mode

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pointsman.fleet.openclaw_text import Node, Source

DEFAULT: Final = "default"  # the name and an alias of the route that agents.defaults.model becomes
_MAX_FALLBACKS: Final = 8
_MAX_NAME: Final = 128


@dataclass(frozen=True, slots=True)
class Ref:
    """A mention of a model, "provider/model": the provider (here in lower case) stands before the first slash."""

    text: str
    provider: str
    model: str
    node: Node


@dataclass(frozen=True, slots=True)
class Wanted:
    """A route that the configuration asks for, before its targets are looked up."""

    name: str  # of the object, as far as it is free
    refs: tuple[Ref, ...]
    aliases: tuple[str, ...] = ()


@dataclass
class Naming:
    """Names that are given away: of routes among their objects, and of what clients ask for."""

    objects: set[str] = field(default_factory=set)
    models: set[str] = field(default_factory=set)

    def route(
        self, name: str, model_name: str, aliases: list[str], targets: list[dict[str, str]], timeout: float
    ) -> dict[str, Any]:
        """The object of a route, without its namespace."""
        spec: dict[str, Any] = {"modelName": model_name}
        if aliases:
            spec["aliases"] = aliases
        spec["primary"] = targets[0]
        if targets[1:]:
            spec["fallbacks"] = targets[1:]
        if timeout:
            spec["policy"] = {"timeouts": {"total": f"{timeout:.3f}".rstrip("0").rstrip(".") + "s"}}
        name = unique_name(name, self.objects, "route")
        self.objects.add(name)
        self.models.update((model_name, *aliases))
        return {"metadata": {"name": name}, "spec": spec}


def read_wanted(defaults: Node | None) -> list[Wanted]:
    """The routes that agents.defaults asks for, the default one first."""
    if defaults is None:
        return []
    models, chosen = defaults.member("models"), defaults.member("model")
    aliased = _aliased(models) if models else {}
    wanted = []
    if chosen:
        chain = _chain(chosen, {alias.lower(): ref.text for alias, ref in aliased.items()})
        own = [alias for alias, ref in aliased.items() if ref.text == chain[0].text]
        wanted.append(Wanted(DEFAULT, chain, tuple(own if DEFAULT in aliased else [*own, DEFAULT])))
    first = wanted[0].refs[0].text if wanted else ""
    return wanted + [Wanted(ref.text, (ref,), (alias,)) for alias, ref in aliased.items() if ref.text != first]


def add_hosted(places: dict[str, Place], wanted: Iterable[Wanted], source: Source) -> dict[str, Place]:
    """The places and, in addition, the hosted vendors that are referred to and whose key the environment holds."""
    models: dict[str, list[str]] = {}
    for ref in (ref for want in wanted for ref in want.refs):
        if ref.provider not in places and ref.provider in VENDORS:
            models.setdefault(ref.provider, []).append(ref.model)
    taken = {place.name for place in places.values()}
    hosted = {
        key: hosted_place(key, unique_name(key, taken, key), list(dict.fromkeys(ids)), token)
        for key, ids in models.items()
        if (token := source.env.get(VENDORS[key].variable, ""))
    }
    return {**places, **hosted}


def route_objects(wanted: list[Wanted], places: dict[str, Place], mode: Mode, source: Source) -> list[dict[str, Any]]:
    """ModelRoutes as {"metadata": {"name"}, "spec"}; what cannot be had is left out and named in a warning."""
    naming = Naming(models={want.refs[0].text for want in wanted})
    routes = [route for want in wanted if (route := _route(want, places, naming)) is not None]
    if not wanted or mode is Mode.REPLACE:
        routes += _route_per_model(places, naming, source, replace=mode is Mode.REPLACE)
    return routes


def _aliased(models: Node) -> dict[str, Ref]:
    # alias -> the ref of agents.defaults.models that bears it
    out: dict[str, Ref] = {}
    for key, entry in models.members():
        entry.name_rest(("alias",), LEFT_OUT)
        alias = entry.member("alias")
        if alias is None:
            continue
        if (name := _spaced(alias)) in out:
            alias.warn(f"the alias {name!r} is given to {out[name].text} already and is left out")
        else:
            out[name] = _ref(type(entry)(key, entry.path, entry.source), {})
    return out


def _spaced(node: Node) -> str:
    text = " ".join(node.text().split())
    if not text or len(text) > _MAX_NAME or not text.isprintable():
        raise node.error(f"must have 1 to {_MAX_NAME} characters, all of them visible")
    return text


def _chain(chosen: Node, by_alias: dict[str, str]) -> tuple[Ref, ...]:
    # agents.defaults.model: a ref, or {primary, fallbacks}
    if isinstance(chosen.value, str):
        return (_ref(chosen, by_alias),)
    chosen.name_rest(("primary", "fallbacks"), LEFT_OUT)
    primary, fallbacks = chosen.member("primary"), chosen.member("fallbacks")
    if primary is None:
        raise chosen.error('primary is missing: write the model that is asked first, as "provider/model"')
    return (_ref(primary, by_alias), *(_ref(node, by_alias) for node in (fallbacks.items() if fallbacks else ())))


def _ref(node: Node, by_alias: dict[str, str]) -> Ref:
    text = _spaced(node)
    text = text if "/" in text else by_alias.get(text.lower(), text)
    provider, slash, model = (part.strip() for part in text.partition("/"))
    if not slash or not provider or not model:
        raise node.error(f'{text!r} is no model: write "provider/model"')
    return Ref(text, provider.lower(), model, node)


def _route(want: Wanted, places: dict[str, Place], naming: Naming) -> dict[str, Any] | None:
    first = want.refs[0]
    found = [(ref, places[ref.provider]) for ref in want.refs if _usable(ref, places)]
    targets = _targets(found)
    if not targets:
        first.node.warn(f"no route {first.text} is made: none of its targets can be used")
        return None
    aliases = [alias for alias in want.aliases if alias not in naming.models]
    # OpenClaw itself sends the provider's own id of a model, without the provider.
    bare = Counter(model for place in places.values() for model in place.model_ids())[first.model] == 1
    if bare and first.model not in {*naming.models, *aliases}:
        aliases.append(first.model)
    for alias in set(want.aliases) - {*aliases, first.text}:
        first.node.warn(f"the alias {alias!r} is the name of another route and is left out")
    timeout = max(place.timeout for _, place in found)
    return naming.route(want.name, first.text, aliases, targets, timeout)


def _usable(ref: Ref, places: dict[str, Place]) -> bool:
    place = places.get(ref.provider)
    if place is None:
        vendor = VENDORS.get(ref.provider)
        mend = f"set {vendor.variable}" if vendor else f"define it in models.providers (there: {_names(places)})"
        mend = ref.node.source.unusable.get(ref.provider, mend)
        ref.node.warn(f"the target {ref.text} is left out, since provider {ref.provider!r} cannot be used: {mend}")
        return False
    if ref.model == "*":
        ref.node.warn("a wildcard is no target; its models are found by discovery")
        return False
    if ref.model not in place.model_ids():
        ref.node.warn(f"models.providers.{ref.provider}.models does not list {ref.model}; discovery must find it")
    return True


def _names(places: dict[str, Place]) -> str:
    return ", ".join(places) or "none"


def _targets(found: list[tuple[Ref, Place]]) -> list[dict[str, str]]:
    targets: list[dict[str, str]] = []
    for ref, place in found:
        target = {"provider": place.name, "model": ref.model}
        if target in targets:
            ref.node.warn(f"{ref.text} stands in the chain already")
        elif len(targets) > _MAX_FALLBACKS:
            ref.node.warn(f"a route has at most {_MAX_FALLBACKS} fallbacks; {ref.text} is left out")
        else:
            targets.append(target)
    return targets


def _canonical(name: str) -> str:
    provider, slash, model = (part.strip() for part in name.partition("/"))
    return f"{provider.lower()}/{model}" if slash else name


def _route_per_model(
    places: dict[str, Place], naming: Naming, source: Source, *, replace: bool
) -> list[dict[str, Any]]:
    by_id = not naming.models
    # OpenClaw knows a provider in any letters, and what was asked for so is there already.
    there = {_canonical(name) for name in naming.models}
    counts = Counter(model for place in places.values() for model in place.model_ids())
    routes = []
    for place in places.values():
        for model in place.model_ids():
            ref = f"{place.key}/{model}"
            name = model if by_id and counts[model] == 1 else ref
            if name in naming.models or ref in there:
                continue
            if len(ref) > _MAX_NAME:
                source.warn(f"models.providers.{place.key}", f"no route {name}: more than {_MAX_NAME} characters")
                continue
            aliases = [ref] if replace and name != ref else []
            target = {"provider": place.name, "model": model}
            routes.append(naming.route(name, name, aliases, [target], place.timeout))
    return routes
