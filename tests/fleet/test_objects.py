"""Objects from YAML files, as strictly as a cluster takes them."""

from __future__ import annotations

import base64
import contextlib
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pointsman.fleet.objects import ObjectError, Objects, build_world, read_bodies, read_files
from pointsman.names import Mode

PROVIDER = """
apiVersion: pointsman.dev/v1alpha1
kind: ModelProvider
metadata: {name: lmstudio}
spec:
  type: LMStudio
  endpoint:
    baseUrl: http://127.0.0.1:1234/v1
    credentials: {secretRef: {name: keys, key: lmstudio}}
"""
ROUTE = """
apiVersion: pointsman.dev/v1alpha1
kind: ModelRoute
metadata: {name: assistant}
spec:
  modelName: assistant
  primary: {provider: lmstudio, model: m}
  policy: {failover: {"on": [Timeout]}, timeouts: {firstToken: 10s}}
"""
SECRET = """
apiVersion: v1
kind: Secret
metadata: {name: keys}
data: {lmstudio: c2stMQ==}
stringData: {other: sk-2}
"""


def read(*texts: str) -> Objects:
    return read_files({"objects.yaml": "---".join(texts)})


def refusal(*texts: str) -> str:
    with pytest.raises(ObjectError) as caught:
        read(*texts)
    return str(caught.value)


def test_objects_become_a_world() -> None:
    """Providers and routes by name, Secrets by (name, key) and decoded."""
    world = build_world(read(PROVIDER, ROUTE, SECRET), gateway_url="http://gw")
    assert (world.namespace, world.mode, world.gateway_url) == ("default", Mode.MERGE, "http://gw")
    assert world.secrets == {("keys", "lmstudio"): "sk-1", ("keys", "other"): "sk-2"}
    provider, route = world.providers["lmstudio"].spec, world.routes["assistant"].spec
    assert provider is not None
    assert provider.endpoint is not None
    assert provider.endpoint.base_url == "http://127.0.0.1:1234/v1"
    assert route is not None
    assert route.primary.provider == "lmstudio"


def test_a_bare_on_is_no_truth_value() -> None:
    """What YAML 1.1 takes for `true` stays the field's name."""
    assert read(ROUTE.replace('"on"', "on")).routes["default", "assistant"]["spec"]["policy"]["failover"] == {
        "on": ["Timeout"]
    }


def test_lists_are_opened() -> None:
    """As `kubectl get -o yaml` prints them, with status and managed fields."""
    exported = yaml.safe_load(PROVIDER) | {"status": {"anything": 1}}
    exported["metadata"] |= {"creationTimestamp": "2026-11-21T00:00:00Z", "uid": "u", "generation": 3}
    text = yaml.safe_dump({"apiVersion": "v1", "kind": "List", "items": [exported, yaml.safe_load(ROUTE)]})
    objects = read(text)
    assert set(objects.providers) == {("default", "lmstudio")}
    assert set(objects.routes) == {("default", "assistant")}


def test_a_namespaces_annotation_chooses_the_mode() -> None:
    """It wins over the default that the caller gives."""
    namespace = (
        "\napiVersion: v1\nkind: Namespace\nmetadata: {name: team, annotations: {pointsman.dev/mode: Replace}}\n"
    )
    provider = PROVIDER.replace("{name: lmstudio}", "{name: lmstudio, namespace: team}")
    assert build_world(read(namespace, provider)).mode is Mode.REPLACE
    assert "annotations" in refusal(namespace.replace("Replace", "replace"))


def test_two_namespaces_need_a_choice() -> None:
    """A World is one namespace; which are there is said."""
    objects = read(PROVIDER, PROVIDER.replace("{name: lmstudio}", "{name: lmstudio, namespace: team}"))
    with pytest.raises(ObjectError, match=r"2 namespaces \(default, team\): choose one"):
        build_world(objects)
    assert set(build_world(objects, "team").providers) == {"lmstudio"}


def test_other_kinds_are_named_and_left_alone() -> None:
    """A manifest for a whole cluster can be read."""
    objects = read(PROVIDER, "\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\n")
    [warning] = objects.warnings
    assert warning.startswith("objects.yaml, document 2, line 11: Deployment d is left alone")


def test_every_mistake_is_told_at_once_with_its_place() -> None:
    """File, document, line, object, path, and what to write instead."""
    said = refusal(PROVIDER.replace("baseUrl", "baseURL"), ROUTE.replace("10s", "ten"))
    assert said.splitlines() == [
        (
            "objects.yaml, document 1, line 8: ModelProvider lmstudio: spec.endpoint.baseURL: "
            "unknown field, did you mean baseUrl?"
        ),
        "objects.yaml, document 1, line 7: ModelProvider lmstudio: spec.endpoint.baseUrl: is required",
        (
            "objects.yaml, document 2, line 17: ModelRoute assistant: spec.policy.timeouts.firstToken: "
            r"'ten' does not match ^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$"
        ),
    ]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("v1alpha1", "v1beta1", "line 2: ModelProvider: apiVersion must be pointsman.dev/v1alpha1"),
        ("kind: ModelProvider", "kind: ModelProvidr", "line 3: unknown kind ModelProvidr, did you mean ModelProvider?"),
        ("{name: lmstudio}", "{}", "line 4: ModelProvider: metadata.name: is required"),
        ("{name: lmstudio}", "{name: a.b}", "metadata.name must hold no dots"),
        ("type: LMStudio", "type: LMstudio", "spec.type: must be one of VLLM, "),
        ("type: LMStudio", "type: LMstudio", "did you mean LMStudio?"),
        ("spec:\n", "spec:\n  suspend: 'yes'\n", "spec.suspend: must be true or false, not text"),
        ("spec:\n", "spec:\n  deploy: {model: {source: 'hf://a/b'}}\n", "exactly one of endpoint and deploy"),
        ("127.0.0.1:1234/v1", "u:p@127.0.0.1/v1", "must hold no user or password: use credentials.secretRef"),
        ("http://", "ftp://", "must be an http:// or https:// URL"),
        ("spec:\n", "spec:\n  api: [chat]\n", "spec.api[0]: must be one of openai-completions, "),
        ("spec:\n", "spec:\n  api: []\n", "spec.api: must have at least 1 items"),
        ("spec:\n", "spec:\n  models: [{id: a}, {id: a}]\n", "spec.models[1]: repeats a"),
        ("spec:\n", "spec:\n  models: [{id: a, contextWindow: 0}]\n", "models[0].contextWindow: must be at least 1"),
        ("spec:\n", "spec:\n  models: [{id: a, cost: {input: .nan}}]\n", "cost.input: must be a finite number"),
        ("spec:\n", "spec: 5\nx:\n", "spec: must be an object, not a whole number"),
    ],
)  # fmt: skip
def test_a_wrong_provider_is_refused(old: str, new: str, message: str) -> None:
    """As the API server would, with its messages where a CEL rule is broken."""
    assert message in refusal(PROVIDER.replace(old, new, 1))


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ("fallbacks: [{provider: lmstudio, model: m}]", "fallbacks must not repeat primary"),
        ("fallbacks: [{provider: a, model: m}, {provider: a, model: m}]", "fallbacks must not repeat a target"),
        ("aliases: [assistant]", "aliases must not repeat modelName"),
        ("aliases: [a, a]", "spec.aliases[1]: repeats a"),
        ("aliases: ['a  b']", "spec.aliases[0]: 'a  b' does not match"),
        ("fallback: []", "spec.fallback: unknown field, did you mean fallbacks?"),
    ],
)
def test_a_wrong_route_is_refused(part: str, message: str) -> None:
    """Likewise."""
    assert message in refusal(ROUTE + f"  {part}\n")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (SECRET.replace("c2stMQ==", "sk-1"), "Secret keys: data.lmstudio: is not text in base64: use stringData"),
        (SECRET.replace("c2stMQ==", base64.b64encode(b"\xff\xfe").decode()), "is not text in base64"),
        (SECRET.replace("sk-2", "5"), "Secret keys: stringData.other: must be text, not a whole number: write it in q"),
        (SECRET.replace("{lmstudio: c2stMQ==}", "[]"), "Secret keys: data: must be an object, not a list"),
        (PROVIDER + "---" + PROVIDER, "ModelProvider lmstudio is there already, in objects.yaml, document 1"),
        ("\n- 1\n", "objects.yaml, document 1, line 2: not a Kubernetes object: it has no kind"),
        ("a: [", "objects.yaml: line 1"),
    ],
)
def test_wrong_files_are_refused(text: str, message: str) -> None:
    """Secrets that cannot be decoded (never shown), twins, and what is no object."""
    said = refusal(text)
    assert message in said
    assert "sk-1" not in said


def test_bodies_are_read_alike() -> None:
    """Objects that were made, not written, get the same checks; the source stands for the place."""
    bodies = [yaml.safe_load(PROVIDER), yaml.safe_load(ROUTE)]
    assert read_bodies(bodies, "import").providers == read(PROVIDER).providers
    with pytest.raises(
        ObjectError, match=r"import: ModelProvider lmstudio: spec\.typ: unknown field, did you mean type"
    ):
        read_bodies([bodies[0] | {"spec": bodies[0]["spec"] | {"typ": 1}}], "import")


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["spec", "type", "name", "metadata"]), inner)
    ),
    max_leaves=6,
)


@given(st.sampled_from(["ModelProvider", "ModelRoute", "Secret", "Namespace", "List", "Pod"]), _JSON, _JSON)
def test_any_object_is_read_or_refused(kind: str, metadata: Any, spec: Any) -> None:
    """Never another exception, whatever stands in it."""
    version = "pointsman.dev/v1alpha1" if kind.startswith("Model") else "v1"
    body = {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec, "data": spec, "items": spec}
    with contextlib.suppress(ObjectError):
        assert build_world(read_files({"x": yaml.safe_dump(body)})).namespace
