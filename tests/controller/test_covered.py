"""When an object needs no write, and when it does."""

from __future__ import annotations

import base64
import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.controller.covered import APPLIED, covered, is_applied, stamped

LEAVES = st.one_of(st.text(min_size=1, max_size=4), st.integers(1, 9), st.just(True))
BODIES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.dictionaries(st.text("abcd", min_size=1, max_size=2), inner, min_size=1, max_size=3),
        st.lists(inner, min_size=1, max_size=3),
    ),
    max_leaves=8,
)


def deployment(**spec: Any) -> dict[str, Any]:
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a", "namespace": "n"}, "spec": spec}


@given(BODIES)
def test_everything_covers_itself(body: Any) -> None:
    """And what the API server filled in beside it does no harm."""
    assert covered(body, copy.deepcopy(body))
    assert covered({"a": body}, {"a": body, "default": {"filled": "in"}})


@given(BODIES, LEAVES)
def test_a_changed_leaf_is_noticed(body: Any, other: Any) -> None:
    """Wherever it is: somebody changed what is ours."""
    changed = _with_first_leaf(copy.deepcopy(body), other)
    assert covered(body, changed) == (body == changed)


def test_an_applied_object_needs_no_write() -> None:
    """Neither as a PATCH answers it nor as a LIST shows it, which leaves out the kind."""
    body = stamped(deployment(replicas=1))
    answer = copy.deepcopy(body)
    answer["metadata"] |= {"uid": "u", "resourceVersion": "5", "generation": 1}
    answer["spec"]["progressDeadlineSeconds"] = 600
    assert is_applied(body, answer)
    assert is_applied(body, {key: value for key, value in answer.items() if key not in {"apiVersion", "kind"}})
    assert not is_applied(body, None)


def test_a_field_that_is_set_no_more_needs_a_write() -> None:
    """Only an apply removes it, and nothing but the hash tells that it was ours."""
    before = stamped(deployment(replicas=1, paused=True))
    assert covered(deployment(replicas=1), before)
    assert not is_applied(stamped(deployment(replicas=1)), before)


def test_a_removed_hash_needs_a_write() -> None:
    """Then nobody knows what was applied."""
    body = stamped(deployment(replicas=1))
    stored = copy.deepcopy(body)
    del stored["metadata"]["annotations"][APPLIED]
    assert not is_applied(body, stored)


@pytest.mark.parametrize(
    ("desired", "stored", "same"),
    [
        ({"limits": {"cpu": "1000m"}}, {"limits": {"cpu": "1"}}, True),
        ({"limits": {"nvidia.com/gpu": 2}}, {"limits": {"nvidia.com/gpu": "2"}}, True),
        ({"limits": {"memory": "1024Mi"}}, {"limits": {"memory": "1Gi"}}, True),
        ({"limits": {"memory": "1025Mi"}}, {"limits": {"memory": "1Gi"}}, False),
        ({"limits": {"memory": "nonsense"}}, {"limits": {"memory": "1Gi"}}, False),
        ({"args": ["1000m"]}, {"args": ["1"]}, False),
    ],
)
def test_quantities_are_compared_by_what_they_mean(desired: Any, stored: Any, same: bool) -> None:
    """The API server writes them in its own form; elsewhere a text is a text."""
    assert covered(desired, stored) is same


@pytest.mark.parametrize(
    ("desired", "stored", "same"),
    [
        ({"value": ""}, {}, True),
        ({"hostNetwork": False}, {}, True),
        ({"emptyDir": {}}, {"emptyDir": {}}, True),
        ({"automountServiceAccountToken": False}, {}, False),  # absent means true
        ({"replicas": 0}, {}, False),  # absent means one
    ],
)
def test_what_the_api_server_leaves_out(desired: Any, stored: Any, same: bool) -> None:
    """Empty values it drops; false and zero only where they mean nothing else than absent."""
    assert covered(desired, stored) is same


def test_lists_that_others_add_to() -> None:
    """By name where items have one; else in full and in order."""
    ours = {"containers": [{"name": "a", "image": "x"}]}
    assert covered(ours, {"containers": [{"name": "injected"}, {"name": "a", "image": "x", "tty": True}]})
    assert not covered(ours, {"containers": [{"name": "injected"}]})
    assert not covered({"args": ["a"]}, {"args": ["a", "b"]})
    assert not covered({"args": ["a", "b"]}, {"args": ["b", "a"]})


def test_a_secret_is_compared_as_it_is_stored() -> None:
    """Texts become data; and nothing made of a value is written beside it."""
    body = stamped({"kind": "Secret", "metadata": {"name": "s"}, "stringData": {"a": "key"}})
    assert body["data"] == {"a": base64.b64encode(b"key").decode()}
    assert "stringData" not in body
    other = stamped({"kind": "Secret", "metadata": {"name": "s"}, "stringData": {"a": "another"}})
    assert body["metadata"]["annotations"] == other["metadata"]["annotations"]
    assert not is_applied(other, body)
    fewer = stamped({"kind": "Secret", "metadata": {"name": "s"}, "stringData": {}})
    assert not is_applied(fewer, body), "a key that is ours no more has to go"


def _with_first_leaf(body: Any, other: Any) -> Any:
    if isinstance(body, dict):
        key = next(iter(body))
        return body | {key: _with_first_leaf(body[key], other)}
    if isinstance(body, list):
        return [_with_first_leaf(body[0], other), *body[1:]]
    return other


def test_items_of_one_name_are_compared_one_by_one() -> None:
    """A volume that is mounted twice has two mounts of its name."""
    mounts = [{"name": "v", "mountPath": "/a"}, {"name": "v", "mountPath": "/b"}]
    assert covered({"volumeMounts": mounts}, {"volumeMounts": mounts})
    assert not covered({"volumeMounts": mounts}, {"volumeMounts": mounts[:1]})
