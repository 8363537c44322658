"""Plans: objects, status and Events of one object, and of the namespace."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

from hypothesis import given

from fleet.strategies import WORLDS
from fleet.worlds import LATER, NOW, Json, condition, deployed, down, endpoint, provider, route, running, up, world
from pointsman import table
from pointsman.api.provider import ModelProviderStatus
from pointsman.api.route import ModelRouteStatus
from pointsman.fleet.plan import plan_namespace, plan_provider, plan_route
from pointsman.fleet.render import render
from pointsman.fleet.world import Plan, Refused, Told, World
from pointsman.names import ENGINE_KEYS_SECRET
from pointsman.served import ServedModel


def status(plan: Plan) -> Json:
    assert plan.status is not None
    return plan.status


def stored(of: World, now: str = NOW) -> World:
    """The world after every planned status was written."""
    providers = {
        name: replace(each, status=plan_provider(of, name, now).status or each.status)
        for name, each in of.providers.items()
    }
    routes = {
        name: replace(each, status=plan_route(of, name, now).status or each.status) for name, each in of.routes.items()
    }
    return replace(of, providers=providers, routes=routes)


def test_an_endpoint_gets_a_status_and_no_objects() -> None:
    """Where it is, where its data goes, what it serves."""
    p = endpoint("p", "http://h:1/v1/", models=[{"id": "m", "maxTokens": 9}])
    served = (ServedModel("m", context_window=8192, loaded=True), ServedModel("n", loaded=False))
    plan = plan_provider(world([p], probes={"p": up(models=served)}), "p", NOW)
    assert plan.objects == ()
    told = status(plan)
    assert (told["resolvedUrl"], told["location"], told["modelCount"]) == ("http://h:1", "External", 2)
    assert told["models"] == [
        {"id": "m", "contextWindow": 8192, "maxTokens": 9, "state": "Loaded", "source": "Both"},
        {"id": "n", "state": "NotLoaded", "source": "Discovery"},
    ]


def test_a_deployed_provider_gets_its_objects_and_what_scaling_needs() -> None:
    """status.replicas and status.selector serve the scale subresource."""
    plan = plan_provider(world([deployed("q")], workloads={"q": running(1, 1)}), "q", NOW)
    assert {each["kind"] for each in plan.objects} == {"Deployment", "Service", "NetworkPolicy"}
    told = status(plan)
    assert (told["replicas"], told["readyReplicas"]) == (1, 1)
    assert told["selector"] == "app.kubernetes.io/name=vllm,pointsman.dev/provider=q"


def test_status_holds_at_most_256_models_and_counts_all() -> None:
    """OpenRouter lists more than the schema allows."""
    told = status(plan_provider(world([endpoint("p")], probes={"p": up(*map(str, range(400)))}), "p", NOW))
    assert (len(told["models"]), told["modelCount"]) == (256, 400)


def test_an_object_that_is_gone_or_going_gets_nothing() -> None:
    """Its owner references clean up; a status on it would be noise."""
    leaving = provider("p", {"type": "VLLM", "deploy": {"model": {"source": "hf://a/b"}}}, deletionTimestamp="now")
    assert plan_provider(world([leaving]), "p", NOW) == plan_provider(world(), "p", NOW) == Plan()
    assert plan_route(world(), "r", NOW) == Plan()


def test_events_tell_transitions_of_note_and_nothing_at_first() -> None:
    """A new object whose standing is unknown says nothing; then each turn is told once."""
    p = endpoint("p", secret="s")
    start = world([p], secrets={("s", "token"): "k"})
    assert plan_provider(start, "p", NOW).events == ()
    serving = replace(stored(start), probes={"p": up("m", credentials_valid=True)})
    (ready,) = plan_provider(serving, "p", NOW).events
    assert (ready.type, ready.reason) == ("Normal", "Ready")
    assert plan_provider(stored(serving), "p", NOW).events == ()
    refused = replace(stored(serving), probes={"p": down("Unauthorized", credentials_valid=False)})
    (event,) = plan_provider(refused, "p", NOW).events
    assert (event.type, event.reason) == ("Warning", "Unauthorized")
    mended = replace(stored(refused), probes={"p": up("m", credentials_valid=True)})
    assert [each.reason for each in plan_provider(mended, "p", NOW).events] == ["Authorized", "Ready"]


def test_a_refusal_is_one_event() -> None:
    """Accepted and Ready say the same."""
    bad = endpoint("p", models=[{"id": "m", "compat": {"other": 1}}])
    (event,) = plan_provider(world([bad]), "p", NOW).events
    assert (event.type, event.reason) == ("Warning", "NotImplemented")


def test_a_refused_edit_leaves_the_running_server_alone() -> None:
    """No objects are planned; the status says why."""
    plan = plan_provider(world([deployed("q", engine={"extraArgs": ["--port=1"]})]), "q", NOW)
    assert plan.objects == ()
    assert condition(status(plan)["conditions"], "Accepted") == ("False", "InvalidSpec")


def test_a_route_shows_its_chain_as_it_stands() -> None:
    """Active, Standby, Down, Skipped; how many are healthy; which table runs where."""
    providers = [endpoint("a"), endpoint("b"), endpoint("c"), endpoint("d", suspend=True)]
    of = world(
        providers,
        [route("r", "a/m", "b/m", "c/m", "d/m")],
        probes={"a": down(), "b": up("m"), "c": up("m")},
        gateways=("h", "x"),
        published_hash="h",
    )
    told = status(plan_route(of, "r", NOW))
    assert [(each["provider"], each["state"]) for each in told["effectiveChain"]] == [
        ("a", "Down"), ("b", "Active"), ("c", "Standby"), ("d", "Skipped"),
    ]  # fmt: skip
    assert told["effectiveChain"][0]["reason"] == "ConnectionRefused"
    assert told["effectiveChain"][3]["reason"] == "Suspended: provider d is suspended"
    assert (told["activeTarget"], told["healthyTargets"]) == ("b/m", "2/4")
    assert (told["configHash"], told["acknowledgedBy"]) == ("h", "1/2")


def test_a_namespace_with_routes_gets_table_and_credentials() -> None:
    """The keys as base64 `data`: `stringData` does not read back."""
    of = world([endpoint("p", secret="s")], [route("r", "p/m")], secrets={("s", "token"): "key"})
    config_map, secret = plan_namespace(of).objects
    assert table.load(config_map["data"]["routing.json"].encode()) == render(of)
    assert json.loads(config_map["data"]["openclaw.json"])["models"]["mode"] == "merge"
    assert base64.b64decode(secret["data"]["p"]) == b"key"
    for each in (config_map, secret):
        assert each["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "pointsman"
    assert "key" not in json.dumps(config_map)


def test_a_namespace_without_routes_gets_nothing() -> None:
    """Providers alone need no gateway; a leaving route does not count."""
    going = route("r", "p/m")
    going = replace(going, meta=replace(going.meta, deleting=True))
    assert plan_namespace(world([endpoint("p")])) == plan_namespace(world([endpoint("p")], [going])) == Plan()


def test_a_secret_without_keys_has_no_empty_data() -> None:
    """The API server would leave it out, and a settled cluster would not look settled."""
    _, secret = plan_namespace(world([endpoint("p")], [route("r", "p/m")])).objects
    assert "data" not in secret


@given(WORLDS)
def test_a_settled_world_plans_no_writes(of: World) -> None:
    """Statuses once stored, nothing changes at any later time."""
    settled = stored(of)
    for name in settled.providers:
        plan = plan_provider(settled, name, LATER)
        assert (plan.status, plan.events) == (None, ())
    for name in settled.routes:
        plan = plan_route(settled, name, LATER)
        assert (plan.status, plan.events) == (None, ())
    assert plan_namespace(settled) == plan_namespace(of)


@given(WORLDS)
def test_statuses_fit_their_schema(of: World) -> None:
    """Whatever the world, the API server takes them."""
    for name in of.providers:
        if (told := plan_provider(of, name, NOW).status) is not None:
            assert _round(ModelProviderStatus, told) == told
    for name in of.routes:
        if (told := plan_route(of, name, NOW).status) is not None:
            assert _round(ModelRouteStatus, told) == told


def _round(model: Any, told: Json) -> Json:
    out: Json = model.model_validate(told).model_dump(by_alias=True, exclude_none=True)
    return out


def test_a_refused_edit_of_a_running_engine_is_said_where_people_look() -> None:
    """In REASON, in the message and in an Event; what runs still serves."""
    of = world(
        [deployed("q")], workloads={"q": running(1, 1, replicas=1)}, probes={"q": up("Qwen/Qwen3-32B")},
        secrets={(ENGINE_KEYS_SECRET, "q"): "k"},
    )  # fmt: skip
    of = stored(of)
    refused = replace(of, refused={"q": (Refused("Deployment", "q", "tolerations[0].operator: Invalid value", "r"),)})
    plan = plan_provider(refused, "q", NOW)
    assert condition(status(plan)["conditions"], "Ready") == ("True", "EditRefused")
    (event,) = plan.events
    assert (event.type, event.reason) == ("Warning", "EditRefused")
    assert "tolerations[0].operator" in event.message
    dead = replace(refused, workloads={"q": running(0, 1, replicas=1)}, probes={"q": down()})
    assert condition(status(plan_provider(dead, "q", NOW))["conditions"], "Ready") == ("False", "ObjectRefused")


def test_one_replica_of_several_in_trouble_is_told() -> None:
    """The provider serves, so only the Event and WorkloadReady say it; progress is nothing to be warned of."""
    two = world(
        [deployed("q", replicas=2)], workloads={"q": running(2, 2, replicas=2)}, probes={"q": up("Qwen/Qwen3-32B")},
        secrets={(ENGINE_KEYS_SECRET, "q"): "k"},
    )  # fmt: skip
    two = stored(two)
    lost = replace(running(1, 2, replicas=2), told=Told("NodeLost", "the node n1 does not answer"))
    (event,) = plan_provider(replace(two, workloads={"q": lost}), "q", NOW).events
    assert (event.type, event.reason) == ("Warning", "PartlyReady")
    assert "n1" in event.message
    starts = world([deployed("q")], workloads={"q": running(0, 1, replicas=1)})
    (event,) = plan_provider(starts, "q", NOW).events
    assert (event.type, event.reason) == ("Normal", "Progressing")


def test_an_engine_that_is_replaced_without_a_fallback_is_told_once() -> None:
    """Requests fail meanwhile, and whoever looks for the reason finds it among the Events."""
    runs = running(1, 1, replicas=1, revision="old", generation=1)
    of = world(
        [deployed("q")], [route("r", "q/Qwen/Qwen3-32B")], workloads={"q": runs}, probes={"q": up("Qwen/Qwen3-32B")},
        secrets={(ENGINE_KEYS_SECRET, "q"): "k"},
    )  # fmt: skip
    told = [each for each in plan_provider(of, "q", NOW).events if each.reason == "ReplacedInPlace"]
    assert [each.type for each in told] == ["Warning"]
    assert "requests fail meanwhile" in told[0].message
    assert not [each for each in plan_provider(stored(of), "q", NOW).events if each.reason == "ReplacedInPlace"]
