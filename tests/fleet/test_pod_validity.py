"""What the API server would refuse in `spec.deploy` is refused before, with its path and a remedy; nothing else is."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from engines.deploys import deploy
from fleet.pod_fields import BAD, GOOD, engine, template
from pointsman.fleet import deploy_validity

Json = dict[str, Any]


def refused(fields: Json) -> list[str]:
    return list(deploy_validity.refusals(deploy(**fields)))


@pytest.mark.parametrize("name", GOOD)
def test_sound_fields_pass(name: str) -> None:
    """Those that a real API server takes (tests/cluster/test_plan.py)."""
    assert refused(GOOD[name]) == []


@pytest.mark.parametrize(("path", "fields"), BAD, ids=lambda each: each if isinstance(each, str) else "")
def test_unsound_fields_are_refused_with_their_path(path: str, fields: Json) -> None:
    """Once, and each says what is wrong."""
    (refusal,) = refused(fields)
    where, _, why = refusal.partition(": ")
    assert where == f"spec.deploy.{path}"
    assert len(why) > 10


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"resources": {"limits": "1"}}, "one flat map"),
        ({"tolerations": [{"operator": "Exists", "efect": "NoSchedule"}]}, "did you mean effect?"),
        (template(labels={"a": 1}), "write it in quotes"),
        ({"image": "acme/Vllm-openai:v1"}, "lower case"),
        (engine(volumeMounts=[{"name": "a", "mountPath": "/a"}]), "only cache, home, shm, tmp"),
        (engine(livenessProbe={"exec": {}, "httpGet": {"port": 1}}), "exec and httpGet are there"),
    ],
)
def test_the_remedy_is_named(fields: Json, words: str) -> None:
    """Where it is not plain from the path."""
    (refusal,) = refused(fields)
    assert words in refusal


def test_followers_are_judged_too() -> None:
    """They have no probes of ours: half a probe is nothing to merge into."""
    fields = {"gpus": 2, "parallelism": {"nodes": 2}} | engine(readinessProbe={"periodSeconds": 3})
    assert [line.partition(": ")[0] for line in refused(fields)] == [
        "spec.deploy.podTemplate.spec.containers[vllm].readinessProbe"
    ]


WORDS = st.sampled_from(
    [
        *("spec", "metadata", "labels", "containers", "name", "vllm", "volumes", "volumeMounts", "env", "value", "key"),
        *("operator", "nodeAffinity", "podSelector", "ipBlock", "cidr", "except", "lifecycle", "preStop", "sleep", "a"),
        *("livenessProbe", "seconds", "valueFrom", "matchExpressions", "resources", "limits", "initContainers"),
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 99) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(WORDS, JSON, max_size=3)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "tolerations": st.lists(OBJECTS, max_size=2),
            "affinity": OBJECTS,
            "topologySpreadConstraints": st.lists(OBJECTS, max_size=2),
            "networkPolicy": st.fixed_dictionaries({"allowFrom": st.lists(OBJECTS, max_size=2)}),
            "podTemplate": OBJECTS | st.fixed_dictionaries({"spec": OBJECTS}),
            "resources": st.dictionaries(st.text(max_size=4), st.integers(-1, 3) | st.text(max_size=4), max_size=2),
            "image": st.text(max_size=8),
            "gpuResourceName": st.text(max_size=8),
        },
    )
)
def test_whatever_is_stated_is_judged_without_raising(fields: Json) -> None:
    """And each finding has a path."""
    try:
        one = deploy(**fields)
    except ValidationError:
        return
    assert all(line.startswith("spec.deploy.") for line in deploy_validity.refusals(one))
