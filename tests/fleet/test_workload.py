"""What is applied for a provider that runs here: the whole of it, and when it is another one."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from fleet.workloads import CASES, GOLDEN, beside, golden, objects, rendered
from fleet.worlds import Json
from pointsman.api.fields import seconds


@pytest.mark.parametrize("name", CASES)
def test_golden(name: str) -> None:
    """The whole of what is applied; after a wanted change: python -m fleet.regolden (PYTHONPATH=operator:tests)."""
    assert list(yaml.safe_load_all((GOLDEN / f"{name}.yaml").read_text())) == golden(name)


RECREATE = {"type": "Recreate"}
ONE_BY_ONE = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}
SURGE = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}


@pytest.mark.parametrize(
    ("deploy", "strategy"),
    [
        ({}, RECREATE),
        ({"replicas": 0}, RECREATE),
        ({"replicas": 2}, ONE_BY_ONE),
        ({"replicas": 2, "rollout": {"strategy": "Auto"}}, ONE_BY_ONE),
        ({"replicas": 2, "rollout": {"strategy": "Recreate"}}, RECREATE),
        ({"rollout": {"strategy": "RollingUpdate"}}, ONE_BY_ONE),
        ({"gpus": 0, "rollout": {"strategy": "RollingUpdate"}}, SURGE),
        ({"gpus": 0, "rollout": {"strategy": "RollingUpdate"}, "cache": {"size": 1}}, ONE_BY_ONE),
        ({"gpus": 0}, RECREATE),
        ({"replicas": 2, "cache": {"size": 1, "accessModes": ["ReadWriteOncePod"]}}, RECREATE),
    ],
)
def test_a_rollout_never_needs_a_spare_gpu(deploy: Json, strategy: Json) -> None:
    """One replica is replaced, several go one by one; only what needs neither GPU nor claim may surge."""
    assert rendered(**deploy).engine["spec"]["strategy"] == strategy


def test_suspended_means_no_replicas_and_the_rest_as_before() -> None:
    """So that resuming changes one number."""
    awake, asleep = rendered().engine, rendered(suspend=True).engine
    assert asleep["spec"].pop("replicas") == 0
    assert awake["spec"].pop("replicas") == 1
    assert asleep == awake


@given(st.integers(0, 64), st.sampled_from(sorted(CASES)))
def test_the_revision_is_that_of_the_pods_alone(count: int, name: str) -> None:
    """Scaling is no rollout: nothing of a Pod depends on how many there are."""
    few, many = rendered(now=1, **CASES[name]), rendered(now=count, **CASES[name])
    assert few.revision == many.revision
    assert many.engine["spec"].pop("replicas") == count
    assert few.engine["spec"].pop("replicas") == 1
    assert few.engine == many.engine


def test_another_pod_or_another_key_is_another_revision() -> None:
    """It is on the template, so that the live object tells which one runs."""
    made = rendered()
    notes = made.engine["spec"]["template"]["metadata"]["annotations"]
    assert notes["pointsman.dev/revision"] == made.revision
    others = [rendered(key="other"), rendered(gpus=2), rendered(engine={"extraArgs": ["--seed=1"]})]
    assert len({made.revision, *(each.revision for each in others)}) == 4
    assert rendered(key="").engine["spec"]["template"]["metadata"]["annotations"].keys() == {
        "pointsman.dev/revision",
        "kubectl.kubernetes.io/default-container",
    }


@pytest.mark.parametrize("timeout", [None, "1s", "90s", "3h", "10500ms"])
def test_the_startup_has_its_time_and_the_rollout_outlasts_it(timeout: str | None) -> None:
    """30 minutes unless said otherwise; the deadline of the Deployment is never the shorter one."""
    deployment = rendered(startupTimeout=timeout).engine["spec"]
    probe = deployment["template"]["spec"]["containers"][0]["startupProbe"]
    wanted = seconds(timeout or "30m")
    assert wanted <= probe["periodSeconds"] * probe["failureThreshold"] < wanted + 10
    assert deployment["progressDeadlineSeconds"] > probe["periodSeconds"] * probe["failureThreshold"]


@pytest.mark.parametrize("name", CASES)
def test_the_provider_owns_everything_and_holds_nothing_up(name: str) -> None:
    """Deleted with it; its own deletion waits for nothing."""
    for each in objects(rendered(**CASES[name])):
        (owner,) = each["metadata"]["ownerReferences"]
        assert owner["uid"] == "uid-qwen"
        assert (owner["controller"], owner["blockOwnerDeletion"]) == (True, False)


def test_a_group_of_pods_is_one_engine() -> None:
    """The leader alone answers; when one Pod goes, the whole group begins anew; its Pods reach each other."""
    made = rendered(**CASES["multi-node"])
    spec = made.engine["spec"]
    assert (made.engine["kind"], spec["replicas"]) == ("LeaderWorkerSet", 1)
    templates = spec["leaderWorkerTemplate"]
    assert (templates["size"], templates["restartPolicy"]) == (2, "RecreateGroupOnPodRestart")
    leader, follower = (templates[each]["spec"]["containers"][0] for each in ("leaderTemplate", "workerTemplate"))
    assert "readinessProbe" in leader
    assert not {"ports", "startupProbe", "readinessProbe", "livenessProbe"} & follower.keys()
    assert follower["args"] != leader["args"]
    assert follower["resources"] == leader["resources"]
    assert made.beside[0]["spec"]["selector"]["leaderworkerset.sigs.k8s.io/worker-index"] == "0"
    policy = beside("NetworkPolicy", **CASES["multi-node"])
    assert policy
    assert policy["spec"]["ingress"][1] == {"from": [{"podSelector": policy["spec"]["podSelector"]}]}


def rewritten(node: Any) -> list[Any]:
    """What the API server would leave out: nulls, empty texts and lists."""
    if isinstance(node, dict):
        return [value for value in node.values() if value in (None, "", [])] + [
            x for v in node.values() for x in rewritten(v)
        ]
    return [x for item in node for x in rewritten(item)] if isinstance(node, list) else []


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "gpus": st.integers(0, 8),
            "replicas": st.integers(0, 3),
            "tolerations": st.lists(st.sampled_from([{"key": "", "operator": "Exists"}, {"values": []}]), max_size=4),
            "affinity": st.sampled_from([{}, {"nodeAffinity": None}, {"podAffinity": {"x": [{"y": ""}]}}]),
            "topologySpreadConstraints": st.sampled_from([[], [{"topologyKey": "", "x": None}]]),
            "engine": st.sampled_from(
                [{}, {"env": [{"name": "A"}]}, {"env": [{"name": "A", "value": ""}], "envFrom": [{"prefix": ""}]}]
            ),
            "imagePullSecrets": st.just([]),
            "nodeSelector": st.just({}),
            "resources": st.just({}),
            "probes": st.sampled_from([{}, {"readiness": {}}]),
            "networkPolicy": st.sampled_from([{}, {"allowFrom": []}, {"allowFrom": [{"ipBlock": {"except": []}}]}]),
            "podTemplate": st.sampled_from(
                [{}, {"spec": {"hostname": "", "containers": [{"name": "vllm", "tty": None}]}}]
            ),
        },
    )
)
def test_nothing_is_applied_that_the_api_server_would_leave_out(deploy: Json) -> None:
    """Otherwise a settled cluster would never look settled."""
    for each in objects(rendered(**deploy)):
        assert rewritten(each) == []
