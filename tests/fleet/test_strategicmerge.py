"""The strategic merge patch, checked against Kubernetes' own."""

from __future__ import annotations

import json
import subprocess
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pointsman.fleet.strategicmerge import MERGE_KEYS, PatchError, faults, merge
from pointsman.fleet.workload_metadata import pruned
from testbed import tools

Json = dict[str, Any]

TEMPLATE: Json = {
    "metadata": {"labels": {"app.kubernetes.io/name": "vllm"}, "annotations": {"a": "1"}},
    "spec": {
        "nodeSelector": {"zone": "a"},
        "tolerations": [{"key": "gpu", "operator": "Exists"}],
        "securityContext": {"runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [
            {
                "name": "vllm",
                "image": "vllm",
                "args": ["m", "--port=8000"],
                "env": [
                    {"name": "A", "value": "1"},
                    {"name": "B", "value": "2"},
                    {"name": "C", "value": "3"},
                    {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
                ],
                "startupProbe": {"httpGet": {"path": "/health", "port": "http"}, "periodSeconds": 5},
                "lifecycle": {"preStop": {"sleep": {"seconds": 15}}},
                "ports": [{"name": "http", "containerPort": 8000, "protocol": "TCP"}],
                "resources": {"limits": {"cpu": "1"}, "requests": {"cpu": "1"}},
                "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}, {"name": "shm", "mountPath": "/dev/shm"}],
            },
            {"name": "second", "image": "other"},
        ],
        "volumes": [{"name": "tmp", "emptyDir": {}}, {"name": "shm", "emptyDir": {"medium": "Memory"}}],
        "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"}],
    },
}


def kubectl_patched(patch: Json) -> Json:
    """The Pod template as `kubectl patch --local` leaves it: no API server is asked."""
    selector = {"matchLabels": {"app.kubernetes.io/name": "vllm"}}
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}}
    body |= {"spec": {"selector": selector, "template": TEMPLATE}}
    words = ["patch", "--local", "--type=strategic", "--output=json", "--filename=-"]
    words.append(f"--patch={json.dumps({'spec': {'template': patch}})}")
    run = subprocess.run(
        [str(tools.kubectl()), *words], input=json.dumps(body), capture_output=True, text=True, check=False
    )
    if run.returncode:
        raise ValueError(run.stderr)
    template: Json = json.loads(run.stdout)["spec"]["template"]
    return template


def typed(node: Any) -> Any:
    """Without what Kubernetes' types leave out, or write where nothing is.

    Directives in an item that is new to its list: kubectl lets them through, ours takes them for nothing.
    """
    if isinstance(node, list):
        return [typed(each) for each in node if not (isinstance(each, dict) and "$patch" in each)]
    if not isinstance(node, dict):
        return node
    if "$patch" in node:
        return {}
    shown = {key: typed(value) for key, value in pruned(node).items()}
    return {key: value for key, value in shown.items() if value not in ({}, None, []) or key == "emptyDir"}


def same(patch: Json) -> None:
    before = deepcopy((TEMPLATE, patch))
    ours = typed(merge(TEMPLATE, patch))
    assert (TEMPLATE, patch) == before
    assert ours == typed(kubectl_patched(patch))


CASES: dict[str, Json] = {
    "nothing": {},
    "a label more": {"metadata": {"labels": {"team": "ml"}}},
    "a label less": {"metadata": {"annotations": {"a": None, "b": "2"}}},
    "a sidecar stands first": {"spec": {"containers": [{"name": "proxy", "image": "envoy", "command": None}]}},
    "a container merges by its name": {"spec": {"containers": [{"name": "vllm", "stdin": True}]}},
    "a container goes": {"spec": {"containers": [{"name": "second", "$patch": "delete"}]}},
    "what is not there can go": {"spec": {"containers": [{"name": "third", "$patch": "delete"}]}},
    "a list is replaced": {"spec": {"volumes": [{"$patch": "replace"}, {"name": "other", "emptyDir": {}}]}},
    "all of a list goes": {"spec": {"volumes": [{"$patch": "replace"}]}},
    "an atomic list is replaced": {"spec": {"tolerations": [{"key": "spot", "operator": "Exists"}]}},
    "words are replaced": {"spec": {"containers": [{"name": "vllm", "args": ["x"]}]}},
    "a map is replaced": {"spec": {"securityContext": {"$patch": "replace", "runAsUser": 5}}},
    "a map goes": {"spec": {"securityContext": {"$patch": "delete"}}},
    "a null goes deep": {"spec": {"securityContext": {"seccompProfile": None, "fsGroup": None}}},
    "what is new has no nulls": {"spec": {"dnsConfig": {"nameservers": ["1.1.1.1"], "searches": None}}},
    "the patch's order holds": {
        "spec": {"containers": [{"name": "vllm", "env": [{"name": "C", "value": "x"}, {"name": "A", "value": "y"}]}]}
    },
    "ports by number": {"spec": {"containers": [{"name": "vllm", "ports": [{"containerPort": 9, "name": "nine"}]}]}},
    "by path": {"spec": {"containers": [{"name": "vllm", "volumeMounts": [{"mountPath": "/tmp", "name": "x"}]}]}},
    "another source": {"spec": {"volumes": [{"name": "tmp", "emptyDir": None, "hostPath": {"path": "/t"}}]}},
    "constraints by key": {"spec": {"topologySpreadConstraints": [{"topologyKey": "zone", "maxSkew": 2}]}},
    "init containers are new": {"spec": {"initContainers": [{"name": "i", "image": "i", "env": [{"name": "A"}]}]}},
    "aliases by address": {"spec": {"hostAliases": [{"ip": "10.0.0.1", "hostnames": ["a"]}]}},
    "directives on what is not there": {"spec": {"dnsConfig": {"$patch": "replace", "nameservers": ["1.1.1.1"]}}},
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_it_is_kubernetes_own_merge(name: str) -> None:
    """What `kubectl patch --type=strategic` makes of the same template and the same patch."""
    same(CASES[name])


def of_vllm(**fields: Any) -> Json:
    return {"spec": {"containers": [{"name": "vllm", **fields}]}}


EXEC: Json = {"exec": {"command": ["true"]}}
REF: Json = {"configMapKeyRef": {"name": "c", "key": "k"}}
UNIONS: dict[str, tuple[Json, Json]] = {
    "a hook": (of_vllm(lifecycle={"preStop": EXEC}), of_vllm(lifecycle={"preStop": {**EXEC, "sleep": None}})),
    "a hook beside it": (of_vllm(lifecycle={"postStart": EXEC}), of_vllm(lifecycle={"postStart": EXEC})),
    "a probe": (
        of_vllm(startupProbe={**EXEC, "periodSeconds": 9}),
        of_vllm(startupProbe={**EXEC, "periodSeconds": 9, "httpGet": None}),
    ),
    "a probe's other fields": (of_vllm(startupProbe={"periodSeconds": 9}), of_vllm(startupProbe={"periodSeconds": 9})),
    "the same member merges": (
        of_vllm(startupProbe={"httpGet": {"path": "/other"}, "exec": None}),
        of_vllm(startupProbe={"httpGet": {"path": "/other"}}),
    ),
    "a volume": (
        {"spec": {"volumes": [{"name": "tmp", "hostPath": {"path": "/t"}}]}},
        {"spec": {"volumes": [{"name": "tmp", "hostPath": {"path": "/t"}, "emptyDir": None}]}},
    ),
    "the same volume merges": (
        {"spec": {"volumes": [{"name": "shm", "emptyDir": {"sizeLimit": "1Gi"}}]}},
        {"spec": {"volumes": [{"name": "shm", "emptyDir": {"sizeLimit": "1Gi"}}]}},
    ),
    "a value for a reference": (
        of_vllm(env=[{"name": "KEY", "value": "x"}]),
        of_vllm(env=[{"name": "KEY", "value": "x", "valueFrom": None}]),
    ),
    "a reference for a value": (
        of_vllm(env=[{"name": "A", "valueFrom": REF}]),
        of_vllm(env=[{"name": "A", "valueFrom": REF, "value": None}]),
    ),
    "another reference": (
        of_vllm(env=[{"name": "KEY", "valueFrom": REF}]),
        of_vllm(env=[{"name": "KEY", "valueFrom": {**REF, "secretKeyRef": None}}]),
    ),
}


@pytest.mark.parametrize("name", UNIONS)
def test_another_member_of_a_union_takes_the_place_of_ours(name: str) -> None:
    """As people mean it. kubectl has to be told that the other one goes, or the API server refuses the two."""
    patch, told = UNIONS[name]
    assert typed(merge(TEMPLATE, patch)) == typed(kubectl_patched(told))


NAMES = st.sampled_from(["A", "B", "C", "D"])
DIRECTIVES: st.SearchStrategy[Json] = st.sampled_from([{}, {}, {}, {"$patch": "delete"}])


def listed(key: str, names: st.SearchStrategy[Any], fields: Json) -> st.SearchStrategy[list[Json]]:
    item = st.builds(
        lambda name, more, directive: {key: name, **({} if directive else more), **directive},
        names,
        st.fixed_dictionaries({}, optional=fields),
        DIRECTIVES,
    )
    items = st.lists(item, max_size=4, unique_by=lambda each: each[key])
    return st.one_of(
        items,
        st.lists(item, max_size=2, unique_by=lambda each: each[key]).map(lambda some: [{"$patch": "replace"}, *some]),
    )


def maps(fields: Json) -> st.SearchStrategy[Json]:
    directive = st.sampled_from([{}, {}, {"$patch": "replace"}, {"$patch": "delete"}])
    return st.builds(lambda more, told: {**more, **told}, st.fixed_dictionaries({}, optional=fields), directive)


TEXTS = st.sampled_from(["x", "y", None])
SECURITY = {"runAsUser": st.sampled_from([1, None]), "seccompProfile": maps({"type": st.just("Unconfined")})}
CONTAINERS = listed(
    "name",
    st.sampled_from(["vllm", "second", "third", "fourth"]),
    {
        "image": TEXTS,
        "args": st.one_of(st.none(), st.lists(st.sampled_from("pq"), max_size=2)),
        "env": st.one_of(st.none(), listed("name", NAMES, {"value": TEXTS})),
        "ports": listed("containerPort", st.sampled_from([8000, 1, 2]), {"name": TEXTS}),
        "volumeMounts": listed("mountPath", st.sampled_from(["/tmp", "/dev/shm", "/x"]), {"name": TEXTS}),
        "resources": maps({"limits": maps({"cpu": st.sampled_from(["2", None]), "memory": st.just("1Gi")})}),
    },
)
PATCHES = st.fixed_dictionaries(
    {},
    optional={
        "metadata": st.fixed_dictionaries({}, optional={"annotations": maps({"a": TEXTS, "b": TEXTS})}),
        "spec": st.fixed_dictionaries(
            {},
            optional={
                "containers": CONTAINERS,
                "initContainers": st.lists(st.just({"name": "i", "image": "i"}), max_size=1),
                "volumes": listed(
                    "name",
                    st.sampled_from(["tmp", "shm", "x"]),
                    {"emptyDir": st.fixed_dictionaries({}, optional={"medium": TEXTS})},
                ),
                "tolerations": st.lists(st.fixed_dictionaries({"key": TEXTS}), max_size=2),
                "securityContext": st.one_of(st.none(), maps(SECURITY)),
                "nodeSelector": maps({"zone": TEXTS, "b": TEXTS}),
                "hostname": TEXTS,
            },
        ),
    },
)


@given(PATCHES)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_patch_merges_as_kubernetes_merges_it(patch: Json) -> None:
    """Many patches at random, with nulls and directives wherever they may stand."""
    same(patch)


@given(PATCHES)
def test_it_takes_any_patch_over_any_template(patch: Json) -> None:
    """Nothing changes that was given, and a patch that was merged changes nothing when it is merged again."""
    before = deepcopy(patch)
    assert isinstance(merge({}, patch), dict)
    assert isinstance(merge(merge(TEMPLATE, patch), patch), dict)
    assert patch == before


@pytest.mark.parametrize(
    ("patch", "told"),
    [
        ({"spec": {"containers": [{"image": "x"}]}}, r"podTemplate.spec.containers: each item needs name"),
        ({"spec": {"containers": ["vllm"]}}, "each item needs name"),
        ({"spec": {"containers": [{"name": {"a": 1}}]}}, "each item needs name"),
        ({"spec": {"containers": [{"name": "v", "ports": [{"name": "x"}]}]}}, r"containers.ports: .*containerPort"),
        ({"spec": {"volumes": [{"name": "a"}, {"name": "a"}]}}, "podTemplate.spec.volumes: a is there twice"),
        ({"spec": {"$patch": "merge"}}, "spec: .*replace or delete, not 'merge'"),
        ({"spec": {"volumes": [{"name": "a", "$retainKeys": ["name"]}]}}, r"spec.volumes: \$retainKeys is not taken"),
        ({"$setElementOrder/x": []}, r"podTemplate: \$setElementOrder/x is not taken"),
    ],
)  # fmt: skip
def test_what_is_no_patch_is_told_by_its_path(patch: Json, told: str) -> None:
    """Where it is, and what to write."""
    with pytest.raises(PatchError, match=told):
        merge(TEMPLATE, patch)


ANYTHING: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.sampled_from(["", "vllm", "replace", "delete", "x"])),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["$patch", "labels", "name", *(path.split(".")[-1] for path in MERGE_KEYS)]),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=20,
)  # fmt: skip


@given(st.dictionaries(st.sampled_from(["metadata", "spec", "$patch"]), ANYTHING))
def test_whatever_is_written_is_merged_or_refused(patch: Json) -> None:
    """Never another error: the object may come from anybody."""
    wrong = [str(fault) for fault in faults(patch)]
    if not wrong:
        assert isinstance(merge(TEMPLATE, patch), dict)
    assert all(fault.startswith("spec.deploy.podTemplate") for fault in wrong)
