"""The CRDs on a real API server: what it takes, refuses, fills in and shows."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from api.examples import BAD, GOOD, UNKNOWN, Bad, deployed, provider, route
from pointsman.api.crd import provider_crd
from pointsman.api.validation import problems
from testbed.api import Api, ApiError
from testbed.controlplane import ControlPlane

Json = dict[str, Any]
ODD_URLS = [
    "http://a_b/v1", "http://host:", "http://host:/v1", "http://host:0/v1", "http://host:65536/v1", "http://host:-1/v1",
    "http://:8000/v1", "HTTP://HOST/V1", "http://host//v1", "http:host:80/v1", "http:/host/v1", "//host/v1/x",
    "http://host/a b", "http://host/ä", "http://hôst/v1", "http://host/a\\b", "http://ho\\st/v1", "http://host/<x>",
    "http://host/[x]", "http://[fe80::1%25eth0]/v1", "http://[fe80::1%eth0]/v1", "http://[::1]x/v1", "http://[::1", "http://::1/v1",
    "http://1.2.3.4.5/v1", "http://host/%41", "http://h%6fst/v1", "http://host/%", "http://-host/v1", "http://host./v1",
    "http://host/\t", "http://host/v1 ", " http://host/v1", "https://host", "https:///", "http://host,b/v1",
    "http://ho'st/v1", 'http://ho"st/v1', "http://ho<st/v1", "http://ho|st/v1", "http://ho^st/v1", "http://ho{st/v1",
    "http://ho`st/v1", "http://ho*st/v1", "http://ho;st/v1", "http://ho=st/v1", "http://ho&st/v1", "http://ho$st/v1",
    "http://ho(st)/v1", "http://ho!st/v1", "http://ho~st/v1", "http://ho+st/v1", "ht!tp://host/v1", "1http://host/v1",
    "http+unix://host/v1", "http://host:8o/v1", "http://host:+80/v1", "http://host: 80/v1", "http://host:\uff18\uff10/v1",
]  # fmt: skip
PLURALS = {"ModelProvider": "modelproviders", "ModelRoute": "modelroutes"}


def path(body: Json, namespace: str, *more: str) -> str:
    return "/".join(["/apis/pointsman.dev/v1alpha1/namespaces", namespace, PLURALS[body["kind"]], *more])


def create(api: Api, namespace: str, body: Json) -> Json:
    """Create an object; `dry_run` would skip no check, but a stored object can be asked for."""
    return api.post(path(body, namespace), body)


@pytest.mark.parametrize("plural", PLURALS.values())
def test_they_are_established(cluster: ControlPlane, plural: str) -> None:
    """Names accepted, schema structural, served."""
    crd = cluster.api.get(f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{plural}.pointsman.dev")
    states = {each["type"]: each["status"] for each in crd["status"]["conditions"]}
    assert states["Established"] == "True"
    assert states["NamesAccepted"] == "True"
    assert states.get("NonStructuralSchema", "False") == "False"


@pytest.mark.parametrize("body", GOOD.values(), ids=GOOD.keys())
def test_good_objects_are_taken_as_they_are(cluster: ControlPlane, namespace: str, body: Json) -> None:
    """Nothing is pruned: what was sent comes back, with defaults beside it."""
    stored = create(cluster.api, namespace, body)
    assert _within(body["spec"], stored["spec"])


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.what)
def test_bad_objects_are_refused(cluster: ControlPlane, namespace: str, bad: Bad) -> None:
    """At the path and with the message that the Python checks give."""
    with pytest.raises(ApiError) as refusal:
        create(cluster.api, namespace, bad.body)
    assert refusal.value.status == 422
    assert f"{bad.path}: " in str(refusal.value)
    assert bad.message in str(refusal.value)


@pytest.mark.parametrize("bad", UNKNOWN, ids=lambda bad: bad.what)
def test_unknown_fields_are_refused_when_asked_to(cluster: ControlPlane, namespace: str, bad: Bad) -> None:
    """By `kubectl create --validate=strict`, which is its default."""
    with pytest.raises(subprocess.CalledProcessError) as refusal:
        cluster.kubectl("-n", namespace, "create", "--validate=strict", "-f", "-", stdin=json.dumps(bad.body))
    assert f'unknown field "{bad.path}"' in refusal.value.__notes__[0]


def test_odd_urls_are_judged_alike(cluster: ControlPlane, namespace: str) -> None:
    """The Python twin of CEL's isURL agrees with the API server."""
    at = path(provider(), namespace) + "?dryRun=All"
    verdicts = {url: _taken(cluster.api, at, provider(endpoint={"baseUrl": url})) for url in ODD_URLS}
    assert verdicts == {url: _sound(provider(endpoint={"baseUrl": url})) for url in ODD_URLS}


def test_nulls_are_pruned(cluster: ControlPlane, namespace: str) -> None:
    """A null is as good as an absent field, as for objects from files."""
    body = provider(models=[{"id": "a", "name": None}])
    body["spec"] |= {"dataPolicy": None, "suspend": None}
    stored = create(cluster.api, namespace, body)["spec"]
    assert "dataPolicy" not in stored
    assert stored["suspend"] is False
    assert stored["models"] == [{"id": "a"}]


def test_defaults_are_filled_in(cluster: ControlPlane, namespace: str) -> None:
    """What decides something is visible in the stored object."""
    stored = create(cluster.api, namespace, deployed())["spec"]
    assert stored["discovery"] == "Auto"
    assert stored["suspend"] is False
    assert stored["deploy"] | {"model": None} == {
        "model": None, "gpus": 1, "gpuResourceName": "nvidia.com/gpu", "replicas": 1,
    }  # fmt: skip


def test_the_type_cannot_be_changed(cluster: ControlPlane, namespace: str) -> None:
    """Another kind of server is another object."""
    body = create(cluster.api, namespace, provider())
    with pytest.raises(ApiError, match="is immutable: delete the object and create it anew"):
        cluster.api.patch(path(body, namespace, "example"), {"spec": {"type": "VLLM"}})
    moved = cluster.api.patch(path(body, namespace, "example"), {"spec": {"endpoint": {"baseUrl": "http://b:1"}}})
    assert moved["spec"]["endpoint"]["baseUrl"] == "http://b:1"
    assert moved["metadata"]["generation"] == 2


def test_a_deployed_provider_can_be_scaled(cluster: ControlPlane, namespace: str) -> None:
    """`kubectl scale` and an autoscaler use the subresource, with the labels of the Pods."""
    body = create(cluster.api, namespace, deployed())
    at = path(body, namespace, "example")
    cluster.api.patch(f"{at}/status", {"status": {"replicas": 1, "selector": "pointsman.dev/provider=example"}})
    cluster.kubectl("-n", namespace, "scale", "--replicas=3", "lmp/example")
    scale = cluster.api.get(f"{at}/scale")
    assert scale["spec"]["replicas"] == 3
    assert scale["status"] == {"replicas": 1, "selector": "pointsman.dev/provider=example"}
    assert cluster.api.get(at)["spec"]["deploy"]["replicas"] == 3


@pytest.mark.parametrize("body", [provider(), route()], ids=lambda body: body["kind"])
def test_status_is_a_subresource(cluster: ControlPlane, namespace: str, body: Json) -> None:
    """Writing the spec leaves it alone, writing it leaves spec and generation alone, and it is checked too."""
    at = path(body, namespace, "example")
    stored = create(cluster.api, namespace, body | {"status": {"observedGeneration": 9}})
    assert "status" not in stored
    changed = cluster.api.patch(f"{at}/status", {"status": _status(), "spec": {"suspend": True, "modelName": "other"}})
    assert changed["status"] == _status()
    assert (changed["spec"], changed["metadata"]["generation"]) == (stored["spec"], 1)
    with pytest.raises(ApiError, match=r"status\.conditions\[0\]\.status"):
        cluster.api.patch(f"{at}/status", {"status": _status(state="Maybe")})


def test_kubectl_get_shows_what_matters(cluster: ControlPlane, namespace: str) -> None:
    """Both kinds by the category, with their columns."""
    for body in (provider(), route()):
        create(cluster.api, namespace, body)
        cluster.api.patch(f"{path(body, namespace, 'example')}/status", {"status": _status()})
    for kind in ("lmp", "lmr", "pointsman"):
        shown = cluster.kubectl("-n", namespace, "get", kind)
        assert shown.count("AllWell") == (2 if kind == "pointsman" else 1)
    [header, row] = cluster.kubectl("-n", namespace, "get", "lmp").splitlines()
    assert header.split() == ["NAME", "TYPE", "LOCATION", "MODELS", "READY", "REASON", "AGE"]
    assert row.split()[:2] == ["example", "LMStudio"]
    [header, row] = cluster.kubectl("-n", namespace, "get", "lmr").splitlines()
    assert header.split() == ["NAME", "MODEL", "ACTIVE", "HEALTHY", "PROGRAMMED", "READY", "REASON", "AGE"]
    assert "well indeed" in cluster.kubectl("-n", namespace, "get", "lmr", "-o", "wide")


def test_kubectl_explains(cluster: ControlPlane) -> None:
    """Descriptions are in the schema."""
    assert "Tried in this order" in cluster.kubectl("explain", "modelroute.spec.fallbacks")
    assert "With or without a final /v1" in cluster.kubectl("explain", "lmp.spec.endpoint.baseUrl")


def test_server_side_apply_merges_models_by_id(cluster: ControlPlane, namespace: str) -> None:
    """Two managers may each state a model of their own."""
    for manager, model in (("a", "one"), ("b", "two")):
        body = provider(models=[{"id": model}])
        cluster.api.apply(path(body, namespace, "example"), body, manager=manager)
    stored = cluster.api.get(path(provider(), namespace, "example"))
    assert [model["id"] for model in stored["spec"]["models"]] == ["one", "two"]


def _taken(api: Api, at: str, body: Json) -> bool:
    try:
        api.post(at, body)
    except ApiError:
        return False
    return True


def _sound(body: Json) -> bool:
    schema = provider_crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return not list(problems(schema, body))


def _status(state: str = "True") -> Json:
    condition = {
        "type": "Ready", "status": state, "observedGeneration": 1, "lastTransitionTime": "2026-11-21T00:00:00Z",
        "reason": "AllWell", "message": "well indeed",
    }  # fmt: skip
    return {"observedGeneration": 1, "conditions": [condition]}


def _within(part: Any, whole: Any) -> bool:
    """Whether `whole` holds all of `part`; lists item by item."""
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(key in whole and _within(part[key], whole[key]) for key in part)
    if isinstance(part, list):
        return len(part) == len(whole) and all(_within(a, b) for a, b in zip(part, whole, strict=True))
    return bool(part == whole)
