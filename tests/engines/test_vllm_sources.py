"""Where models come from."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.deploys import deploy
from pointsman.engines import vllm_container, vllm_sources
from pointsman.engines.vllm_sources import Source

CACHE = {"size": "100Gi"}


@pytest.mark.parametrize(
    ("text", "source", "given_to_vllm", "name"),
    [
        ("hf://Qwen/Qwen3-32B", ("hf", "Qwen/Qwen3-32B", ""), "Qwen/Qwen3-32B", "Qwen/Qwen3-32B"),
        ("hf://gpt2", ("hf", "gpt2", ""), "gpt2", "gpt2"),
        ("pvc://weights/llama-3/8b", ("pvc", "weights", "llama-3/8b"), "/models/llama-3/8b", "8b"),
        ("pvc://weights", ("pvc", "weights", ""), "/models", "weights"),
        ("s3://models/team/qwen/", ("s3", "models", "team/qwen"), "s3://models/team/qwen", "qwen"),
        ("oci://ghcr.io:5000/acme/phi:1.0", ("oci", "ghcr.io:5000/acme/phi:1.0", ""), "/models", "phi"),
        ("oci://acme/phi@sha256:" + "0" * 64, ("oci", "acme/phi@sha256:" + "0" * 64, ""), "/models", "phi"),
    ],
)
def test_each_scheme_is_read_and_becomes_what_vllm_is_given(
    text: str, source: tuple[str, str, str], given_to_vllm: str, name: str
) -> None:
    """And clients have a name to ask for that is no path."""
    assert vllm_sources.parse(text) == Source(*source)
    assert vllm_container.model(deploy(text)) == given_to_vllm
    assert vllm_container.served_names(deploy(text)) == (name,)
    assert not list(vllm_container.refusals(deploy(text)))


def test_the_folder_in_an_image_is_the_models() -> None:
    """And gives it its name."""
    one = deploy("oci://acme/models:1", model={"path": "/weights/phi/"})
    assert vllm_container.model(one) == "/models/weights/phi"
    assert vllm_container.served_names(one) == ("phi",)


def test_s3_is_a_folder_of_the_cache_once_it_is_fetched() -> None:
    """One for each address, the same for each engine."""
    first, again, other = (vllm_container.model(deploy(f"s3://b/{key}", cache=CACHE)) for key in ("m", "m/", "n"))
    assert first == again != other
    assert first.startswith("/cache/s3/")


@pytest.mark.parametrize(
    ("source", "cache", "fetched"),
    [
        ("hf://a/b", CACHE, True),
        ("s3://abc/d", {"claimName": "x"}, True),
        ("hf://a/b", None, False),
        ("hf://a/b", {**CACHE, "prefetch": False}, False),
        ("hf://a/b", {"hostPath": "/data"}, False),
        ("pvc://a/b", CACHE, False),
    ],
)
def test_one_job_fetches_into_a_claim_alone(source: str, cache: dict[str, Any] | None, fetched: bool) -> None:
    """Of a folder on each node it would fill one."""
    assert vllm_container.prefetches(deploy(source, cache=cache)) is fetched


def test_an_adapter_is_a_folder_wherever_it_comes_from() -> None:
    """Its claim or image is mounted once, also when the model is in it; a fetched one is told by its revision."""
    sources = ["hf://o/a", "s3://abc/d", "pvc://weights/a", "pvc://other/a", "oci://acme/a:1"]
    adapters = [{"name": str(at), "source": each} for at, each in enumerate(sources)]
    one = deploy("pvc://weights/m", model={"adapters": adapters}, cache=CACHE)
    paths = [vllm_container.adapter_path(one, each) for each in one.model.adapters or ()]
    assert [path.rpartition("/")[0] for path in paths[:2]] == ["/cache/adapters", "/cache/s3"]
    mounts = dict(vllm_sources.mounts(one))
    assert next(iter(mounts)) == vllm_container.MODEL_DIR
    assert paths[2] == "/models/a"
    assert [path.removesuffix("/a") in mounts for path in paths[3:]] == [True, True]
    assert len(mounts) == 3
    pinned = deploy(model={"adapters": [{"name": "0", "source": "hf://o/a", "revision": "v2"}]}, cache=CACHE)
    assert vllm_container.adapter_path(pinned, (pinned.model.adapters or [])[0]) != paths[0]


@pytest.mark.parametrize(
    ("source", "model", "path", "remedy"),
    [
        *(
            (each, {}, "source", "write hf://ORG/NAME")
            for each in ("hf://--port", "hf://a/b/c", "hf://a b/c", "hf://Ä/b")
        ),
        *((each, {}, "source", "write hf://ORG/NAME") for each in ("hf:///x", "hf://org/")),
        ("hf://o/n@v1", {}, "source", "'v1' into the field revision"),
        ("hf://o/n", {"revision": "--x"}, "revision", "letters, digits"),
        ("hf://o/n", {"revision": "a/../b"}, "revision", "letters, digits"),
        ("hf://o/n", {"path": "x"}, "path", "remove it"),
        ("hf://o/n", {"credentialsRef": {"name": "k"}}, "credentialsRef", "tokenSecretRef"),
        ("hf://o/n", {"endpointUrl": "hub.local"}, "endpointUrl", "http"),
        ("pvc://claim/m", {"endpointUrl": "https://hub.local"}, "endpointUrl", "remove it"),
        ("oci://acme/phi:1", {"tokenSecretRef": {"name": "hub"}}, "tokenSecretRef", "remove it"),
        ("pvc://claim/m", {"tokenSecretRef": {"name": "hub"}}, "tokenSecretRef", "remove it"),
        ("hf://o/n", {"endpointUrl": "https://me:pw@hub.local"}, "endpointUrl", "without user"),
        ("hf://o/n", {"servedNames": ["--trust-remote-code"]}, "servedNames", "begin it with"),
        ("pvc:///m", {}, "source", "write pvc://CLAIM/PATH"),
        ("pvc://Claim/m", {}, "source", "write pvc://CLAIM/PATH"),
        ("pvc://claim/../m", {}, "source", "without . and .."),
        ("pvc://claim/a//b", {}, "source", "double slashes"),
        ("pvc://claim/a b", {}, "source", "remove spaces"),
        ("pvc://claim/m", {"revision": "v1"}, "revision", "name the version in the source"),
        ("s3://bucket", {}, "source", "write s3://BUCKET/FOLDER"),
        ("s3://B/x", {}, "source", "write s3://BUCKET/FOLDER"),
        ("s3://bucket/../x", {}, "source", "without . and .."),
        ("oci://ghcr.io/Acme/Phi:1", {}, "source", "in lower case"),
        ("oci://ghcr.io/acme/phi:1 2", {}, "source", "write oci://REGISTRY/NAME:TAG"),
        ("oci://acme/phi", {"path": "../etc"}, "path", "without . and .."),
        (
            "hf://o/n",
            {"adapters": [{"name": "a", "source": "s3://abc/d"}]},
            "adapters[0].source",
            "add spec.deploy.cache",
        ),
        (
            *("hf://o/n", {"adapters": [{"name": "a", "source": "hf://o/a", "revision": "1"}]}),
            *("adapters[0].revision", "add spec.deploy.cache"),
        ),
        ("hf://o/n", {"adapters": [{"name": "o/n", "source": "hf://o/a"}]}, "adapters[0].name", "rename it"),
        ("hf://o/n", {"adapters": [{"name": "a", "source": "pvc://C"}]}, "adapters[0].source", "write pvc://"),
    ],
)
def test_what_cannot_work_is_refused_with_path_and_remedy(
    source: str, model: dict[str, Any], path: str, remedy: str
) -> None:
    """Before a Pod is made that could only fail."""
    (refusal,) = vllm_container.refusals(deploy(source, model=model))
    assert refusal.startswith(f"spec.deploy.model.{path}: ")
    assert remedy in refusal


@pytest.mark.parametrize(
    "fields", [{"image": "vllm/vllm-openai:v0.6.3"}, {"engine": {"loadFormat": "safetensors"}}], ids=["old", "format"]
)
def test_s3_without_a_cache_needs_the_streamer(fields: dict[str, Any]) -> None:
    """With a cache any image and any format will do."""
    (refusal,) = vllm_container.refusals(deploy("s3://bucket/m", **fields))
    assert "cache" in refusal
    assert not list(vllm_container.refusals(deploy("s3://bucket/m", cache=CACHE, **fields)))


@pytest.mark.parametrize(
    "fields",
    [
        {"model": {"adapters": [{"name": "a", "source": "hf://o/a"}]}},
        {"engine": {"extraArgs": ["--tokenizer=o/n"]}},
    ],
)
def test_weights_of_a_claim_need_the_hubs_token_for_what_else_is_there(fields: dict[str, Any]) -> None:
    """An adapter, or what a word of extraArgs names, may be the hub's."""
    access = {"tokenSecretRef": {"name": "hub"}, "endpointUrl": "https://hub.local"}
    one = deploy("pvc://claim/m", **fields | {"model": fields.get("model", {}) | access})
    assert not list(vllm_container.refusals(one))


@given(st.text(max_size=30), st.sampled_from(["hf://", "pvc://", "s3://", "oci://", ""]))
def test_any_text_is_read_without_raising(text: str, scheme: str) -> None:
    """And what is mounted never leads out of its folder unrefused."""
    if len(scheme + text) < 6:
        return
    one = deploy(scheme + text)
    refusals = list(vllm_container.refusals(one))
    assert refusals or ".." not in vllm_container.model(one).split("/")
