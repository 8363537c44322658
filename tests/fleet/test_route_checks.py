"""A route's conditions, one rule after the other."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given

from fleet.strategies import WORLDS
from fleet.worlds import Json, deployed, down, endpoint, route, running, up, world
from pointsman.fleet.reasons import REASONS
from pointsman.fleet.route_checks import route_conditions, seen
from pointsman.fleet.world import World

TWO = [endpoint("p"), endpoint("q")]
CHAIN = route("r", "p/m", "q/m")
FIELDS: Json = {"gateways": ("h", "h"), "published_hash": "h"}


def conditions(of: World, name: str = "r") -> dict[str, tuple[str, str]]:
    return {kind: (each.status, each.reason) for kind, each in route_conditions(seen(of, of.routes[name])).items()}


def message(of: World, kind: str) -> str:
    return route_conditions(seen(of, of.routes["r"]))[kind].message


def test_a_route_whose_primary_serves_is_ready_and_nothing_is_amiss() -> None:
    """Programmed when every gateway runs the published table."""
    probes = {"p": up("m", windows={"m": 32000}), "q": up("m", windows={"m": 32000})}
    assert conditions(world(TWO, [CHAIN], probes=probes, **FIELDS)) == {
        "Accepted": ("True", "Accepted"),
        "ResolvedRefs": ("True", "ResolvedRefs"),
        "Programmed": ("True", "Programmed"),
        "Ready": ("True", "Ready"),
        "Degraded": ("False", "OnPrimary"),
        "PolicyViolation": ("False", "InsideFence"),
        "ContextShrinksOnFallback": ("False", "ContextKept"),
        "ContextSmall": ("False", "ContextWindowEnough"),
    }


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"published_hash": ""}, ("False", "Pending")),
        ({"gateways": ()}, ("False", "NoGateway")),
        ({"gateways": ("h", "old")}, ("False", "Pending")),
        ({"gateways": ("", "")}, ("False", "Pending")),
    ],
)
def test_programmed_waits_for_every_gateway(fields: Json, expected: tuple[str, str]) -> None:
    """A gateway that does not answer has acknowledged nothing."""
    of = world(TWO, [CHAIN], **(FIELDS | fields))
    assert conditions(of)["Programmed"] == expected


def test_pending_says_how_many_run_the_table() -> None:
    """1/2 tells where to look."""
    assert message(world(TWO, [CHAIN], gateways=("h", "old"), published_hash="h"), "Programmed").startswith("1/2 ")


def test_a_route_on_its_fallback_is_ready_and_degraded() -> None:
    """Who serves and why is in the message."""
    of = world(TWO, [CHAIN], probes={"p": down(), "q": up("m")})
    assert conditions(of)["Ready"] == ("True", "Ready")
    assert conditions(of)["Degraded"] == ("True", "OnFallback")
    assert message(of, "Degraded") == "q/m serves: p/m is Down: ConnectionRefused"


def test_a_suspended_primary_degrades_too() -> None:
    """The fallback serves, on purpose."""
    of = world([endpoint("p", suspend=True), endpoint("q")], [CHAIN], probes={"q": up("m")})
    assert conditions(of)["Degraded"] == ("True", "OnFallback")


@pytest.mark.parametrize(
    ("probes", "ready", "degraded"),
    [
        ({"p": down(), "q": down()}, ("False", "NoHealthyTarget"), ("True", "NoHealthyTarget")),
        ({}, ("Unknown", "NotProbedYet"), ("False", "OnPrimary")),
        ({"p": down()}, ("Unknown", "NotProbedYet"), ("True", "OnFallback")),
    ],
)
def test_ready_claims_no_more_than_is_known(
    probes: dict[str, Any], ready: tuple[str, str], degraded: tuple[str, str]
) -> None:
    """All down is False, not asked yet is Unknown."""
    found = conditions(world(TWO, [CHAIN], probes=probes))
    assert (found["Ready"], found["Degraded"]) == (ready, degraded)


@pytest.mark.parametrize(
    ("targets", "reason", "words"),
    [
        (("gone/m", "q/m"), "ProviderNotFound", "there is no provider gone"),
        (("p/x", "q/m"), "ModelNotFound", "provider p has no model x"),
        (("q/m", "bad/m"), "ProviderNotAccepted", "spec.models[0].compat"),
    ],
)
def test_references_that_lead_nowhere_are_named(targets: tuple[str, ...], reason: str, words: str) -> None:
    """The rest of the chain serves on."""
    providers = [*TWO, endpoint("bad", models=[{"id": "m", "compat": {"other": 1}}])]
    of = world(providers, [route("r", *targets)], probes={"p": up("m"), "q": up("m")})
    assert conditions(of)["ResolvedRefs"] == ("False", reason)
    assert words in message(of, "ResolvedRefs")
    assert conditions(of)["Ready"] == ("True", "Ready")


def test_ollama_adds_the_latest_tag_itself() -> None:
    """`m` is `m:latest` there, and only there."""
    listed = {"p": up("m:latest")}
    assert conditions(world([endpoint("p")], [route("r", "p/m")], probes=listed))["Ready"] == (
        "False",
        "NoUsableTarget",
    )
    ollama = endpoint("p", type="Ollama")
    assert conditions(world([ollama], [route("r", "p/m")], probes=listed))["Ready"] == ("True", "Ready")


def test_targets_outside_the_fence_are_named_and_a_route_with_no_other_is_not_ready() -> None:
    """The fence holds: an endpoint is External unless said otherwise."""
    fence = {"dataPolicy": {"allowedLocations": ["InCluster"]}}
    of = world([*TWO, deployed("d")], [route("r", "d/m", "p/m", policy=fence)], probes={"d": up("m"), "p": up("m")})
    assert conditions(of)["PolicyViolation"] == ("True", "OutsideFence")
    assert message(of, "PolicyViolation") == "provider p is External, the route allows InCluster"
    assert conditions(of)["Ready"] == ("True", "Ready")
    alone = world(TWO, [route("r", "p/m", policy=fence)], probes={"p": up("m")})
    assert conditions(alone)["Ready"] == ("False", "NoUsableTarget")


@pytest.mark.parametrize(
    ("windows", "expected"),
    [
        ((8192, 4096), ("True", "SmallerContext")),
        ((8192, 0), ("Unknown", "ContextUnknown")),
        ((0, 4096), ("Unknown", "ContextUnknown")),
        ((4096, 8192), ("False", "ContextKept")),
    ],
)
def test_a_smaller_window_on_a_fallback_is_a_warning(windows: tuple[int, int], expected: tuple[str, str]) -> None:
    """Only known windows are compared; the message gives both."""
    probes = {name: up("m", windows={"m": window}) for name, window in zip("pq", windows, strict=True)}
    of = world(TWO, [CHAIN], probes=probes)
    assert conditions(of)["ContextShrinksOnFallback"] == expected
    if expected[0] == "True":
        assert message(of, "ContextShrinksOnFallback") == "p/m takes 8192 tokens, q/m 4096"


@pytest.mark.parametrize(
    ("policy", "windows", "expected", "words"),
    [
        (None, (32000, 31999), ("True", "ContextWindowSmall"), "q/m takes 31999 tokens, under 32000"),
        (
            None,
            (15999, 0),
            ("True", "ContextWindowTooSmall"),
            "p/m takes 15999 tokens, under 16000, tried all",
        ),
        ({}, (15999, 0), ("True", "ContextWindowTooSmall"), "p/m takes 15999 tokens, under 16000, passed over"),
        ({}, (64000, 20000), ("True", "ContextWindowSmall"), "q/m takes 20000 tokens"),
        ({}, (64000, 8000), ("True", "ContextWindowTooSmall"), "q/m takes 8000 tokens, under 16000, passed over"),
        ({"onFallback": "Warn"}, (64000, 8000), ("True", "ContextWindowTooSmall"), "tried all the same"),
        ({"onFallback": "Ignore"}, (64000, 8000), ("False", "ContextWindowEnough"), "enough"),
        ({"warnBelow": 4000, "blockBelow": 2000}, (8000, 8000), ("False", "ContextWindowEnough"), "enough"),
        ({"warnBelow": 0, "blockBelow": 0}, (100, 100), ("False", "ContextWindowEnough"), "enough"),
        ({}, (64000, 0), ("Unknown", "ContextUnknown"), "q/m"),
    ],
)
def test_small_windows_are_a_warning(
    policy: Json | None, windows: tuple[int, int], expected: tuple[str, str], words: str
) -> None:
    """Without policy.context nothing is passed over, and it is told all the same; with it, it is as it says."""
    probes = {name: up("m", windows={"m": window}) for name, window in zip("pq", windows, strict=True)}
    chain = CHAIN if policy is None else route("r", "p/m", "q/m", policy={"context": policy})
    of = world(TWO, [chain], probes=probes)
    assert conditions(of)["ContextSmall"] == expected
    assert words in message(of, "ContextSmall")


def test_a_conflicting_route_names_the_holder() -> None:
    """And claims nothing else."""
    old = route("a", "p/m", modelName="x")
    of = world(TWO, [old, route("r", "p/m", aliases=["x"])])
    assert conditions(of) == dict.fromkeys(("Accepted", "Programmed", "Ready"), ("False", "Conflicted"))
    assert message(of, "Accepted") == "x: the older route a answers to it: choose another"


def test_a_long_queue_of_rivals_is_settled_in_age_order() -> None:
    """Each shares a name with the next: every second one wins, and five hundred of them are no recursion."""
    queue = [
        route(
            f"r{i:03}",
            "p/m",
            modelName=f"x{i}",
            aliases=[f"x{i + 1}"],
            created=f"2026-01-01T00:{i // 60:02}:{i % 60:02}Z",
        )
        for i in range(500)
    ]
    of = world(TWO, queue)
    verdicts = [conditions(of, f"r{i:03}")["Accepted"][0] for i in (0, 1, 2, 498, 499)]
    assert verdicts == ["True", "False", "True", "True", "False"]


@given(WORLDS)
def test_every_reason_is_in_the_documented_list(of: World) -> None:
    """Of conditions and of skipped targets."""
    for each in of.routes.values():
        found = seen(of, each)
        assert {finding.reason for finding in route_conditions(found).values()} <= REASONS.keys()
        assert {link.skip for link in found.chain} <= {"", *REASONS}


def test_a_primary_that_sleeps_as_nobody_asks_is_no_degradation() -> None:
    """The fallback answers until a request has woken it; who suspends it, or whose engine fails, is told otherwise."""
    zero = running(0, 0, replicas=0)
    sleeper = deployed("q", scaling={"minReplicas": 0})
    of = world(
        [sleeper, endpoint("e")], [route("r", "q/Qwen/Qwen3-32B", "e/m")], workloads={"q": zero}, probes={"e": up("m")}
    )
    found = route_conditions(seen(of, of.routes["r"]))["Degraded"]
    assert (found.status, found.reason) == ("False", "PrimaryAsleep")
    failing = replace(of, workloads={"q": replace(zero, replicas=1, reason="InsufficientGPU")})
    found = route_conditions(seen(failing, failing.routes["r"]))["Degraded"]
    assert (found.status, found.reason) == ("True", "OnFallback")
