"""Hypothesis strategies for whole worlds: sound and unsound objects, probes, Secrets, workloads."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from fleet.worlds import Json, meta
from pointsman.fleet.world import Gateway, Workload, World, read_provider, read_route
from pointsman.names import Mode
from pointsman.served import Probed, ServedModel, State

NAMES = st.sampled_from(["a", "b", "c-1"])
MODELS = st.sampled_from(["m", "n", "org/name", "m:latest"])
LOCATIONS = ["InCluster", "OnPremises", "External"]
REGIONS = ["eu", "us"]


def optional(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Json]:
    return st.fixed_dictionaries({}, optional=fields)


def objects(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Json]:
    return st.fixed_dictionaries(fields)


def merged(*parts: st.SearchStrategy[Json]) -> st.SearchStrategy[Json]:
    return st.tuples(*parts).map(lambda each: {key: value for part in each for key, value in part.items()})


_ENTRY = merged(
    objects(id=MODELS),
    optional(
        name=st.text(max_size=8),
        contextWindow=st.integers(1, 10**9),
        reasoning=st.booleans(),
        input=st.lists(st.sampled_from(["text", "image"]), unique=True),
        compat=st.sampled_from([{}, {"supportsTools": False}, {"supportsTools": True}, {"other": 1}]),
        cost=optional(input=st.floats(0, 100)),
    ),
)
_COMMON = optional(
    models=st.lists(_ENTRY, max_size=3, unique_by=lambda entry: str(entry["id"])),
    dataPolicy=optional(location=st.sampled_from(LOCATIONS), region=st.sampled_from(REGIONS)),
    discovery=st.sampled_from(["Auto", "Static"]),
    suspend=st.booleans(),
    probe=optional(mode=st.sampled_from(["Models", "Models", "None", "None", "Completion"])),
)
_SECRET = objects(secretRef=objects(name=st.sampled_from(["s", "t"])))
_PLACE = merged(
    objects(baseUrl=st.sampled_from(["http://h/v1", "http://h/v1", "https://h:8/x/", "https://h:8/x/", "ftp://h"])),
    optional(credentials=_SECRET),
)
_ENDPOINT = objects(type=st.sampled_from(["OpenAICompatible", "Ollama", "Anthropic"]), endpoint=_PLACE)
_DEPLOY = objects(
    type=st.just("VLLM"), deploy=objects(model=objects(source=st.sampled_from(["hf://o/m", "hf://o/m", "s3://b/k"])))
)
_PROVIDER = merged(st.one_of(_ENDPOINT, _DEPLOY), _COMMON)
_TARGET = objects(provider=NAMES, model=MODELS)
FENCES = optional(
    allowedLocations=st.lists(st.sampled_from(LOCATIONS), unique=True),
    allowedRegions=st.lists(st.sampled_from(REGIONS), unique=True),
)
_ROUTE = merged(
    objects(modelName=st.sampled_from(["x", "y", "z"]), primary=_TARGET),
    optional(
        aliases=st.lists(st.sampled_from(["x", "y", "w"]), unique=True),
        fallbacks=st.lists(_TARGET, max_size=3),
        policy=optional(dataPolicy=FENCES, timeouts=optional(connect=st.sampled_from(["1s", "90s", "500ms", "0s"]))),
    ),
)
_META = optional(
    creationTimestamp=st.sampled_from(["2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"]), deletionTimestamp=st.just("x")
)
_SERVED = st.builds(
    ServedModel,
    id=st.one_of(MODELS, st.text(max_size=5)),
    name=st.text(max_size=5),
    context_window=st.integers(-1, 2**70),
    input=st.sampled_from([(), ("text", "smell")]),
    reasoning=st.sampled_from([None, True]),
    loaded=st.sampled_from([None, True, False]),
    tools=st.sampled_from([None, True, False]),
)
_PROBED = st.one_of(
    st.just(Probed()),
    st.builds(
        Probed,
        state=st.just(State.UP),
        reason=st.just(""),
        message=st.just(""),
        models=st.lists(_SERVED, max_size=4).map(tuple),
        models_known=st.just(value=True),
        credentials_valid=st.sampled_from([None, True]),
    ),
    st.builds(
        Probed,
        state=st.just(State.DOWN),
        reason=st.sampled_from(["ConnectionRefused", "Unauthorized"]),
        message=st.just("so it is"),
        credentials_valid=st.sampled_from([None, False]),
    ),
)
_WORKLOAD = st.builds(
    Workload,
    status=optional(readyReplicas=st.integers(0, 2)),
    addresses=st.sampled_from([(), ("10.0.0.2:8000", "10.0.0.1:8000")]),
)


def _named(specs: st.SearchStrategy[Json]) -> st.SearchStrategy[dict[str, Json]]:
    bodies = st.tuples(specs, _META)
    return st.dictionaries(NAMES, bodies, min_size=1, max_size=3).map(
        lambda found: {name: {"metadata": meta(name) | more, "spec": spec} for name, (spec, more) in found.items()}
    )


WORLDS = st.builds(
    lambda providers, routes, **fields: World(
        namespace="ai",
        providers={name: read_provider(body) for name, body in providers.items()},
        routes={name: read_route(body) for name, body in routes.items()},
        **fields,
    ),
    _named(_PROVIDER),
    _named(_ROUTE),
    mode=st.sampled_from(list(Mode)),
    secrets=st.dictionaries(
        st.tuples(st.sampled_from(["s", "t"]), st.just("token")), st.sampled_from(["key", " k\n", "", "a\nb"])
    ),
    probes=st.dictionaries(NAMES, _PROBED),
    workloads=st.dictionaries(NAMES, _WORKLOAD),
    gateways=st.lists(st.builds(Gateway, NAMES, st.sampled_from(["", "h"])), max_size=2).map(tuple),
    published_hash=st.sampled_from(["", "h"]),
)
