"""What the Job is told to fetch."""

from __future__ import annotations

import json
from typing import Any

import pytest

from engines.deploys import deploy
from pointsman.api.deploy import Deploy
from pointsman.engines import vllm_container, vllm_prefetch

CACHE = {"claimName": "weights"}
EVERYTHING = {
    "adapters": [{"name": "a", "source": "hf://o/a", "revision": "v2"}, {"name": "b", "source": "pvc://c/b"}],
    "tokenSecretRef": {"name": "hub"},
    "endpointUrl": "https://hub.local",
    "revision": "main",
}


def items(one: Deploy) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(vllm_prefetch.command(one)[3])["items"]
    return found


def test_the_command_is_pythons_with_the_program_and_what_to_fetch() -> None:
    """The folders are those where the engine looks; what is mounted is not fetched."""
    one = deploy("s3://abc/m", model=EVERYTHING | {"revision": None}, cache=CACHE)
    assert vllm_prefetch.command(one)[:2] == ["python3", "-c"]
    s3, hub = items(one)
    assert (s3["bucket"], s3["key"], s3["folder"]) == ("abc", "m", vllm_container.model(one))
    adapter = (one.model.adapters or [])[0]
    assert (hub["repo"], hub["revision"], hub["folder"]) == ("o/a", "v2", vllm_container.adapter_path(one, adapter))


def test_the_program_is_python_and_kubernetes_leaves_it_as_it_is() -> None:
    """$(NAME) would be replaced, $$ becomes $."""
    program = vllm_prefetch.command(deploy(cache=CACHE))[2]
    assert "$(" not in program.replace("$$", "")
    compile(program.replace("$$", "$"), "program", "exec")


@pytest.mark.parametrize(
    ("load_format", "everything"),
    [(None, False), ("auto", False), ("safetensors", False), ("pt", True), ("gguf", True)],
)
def test_what_lies_beside_safetensors_is_fetched_where_it_is_read(load_format: str | None, everything: bool) -> None:
    """Most repositories hold their weights twice."""
    (item,) = items(deploy(engine={"loadFormat": load_format}, cache=CACHE))
    assert item["everything"] is everything


def test_token_mirror_and_proxies_reach_the_job() -> None:
    """And the same cache as the engine's; vLLM's own settings do not."""
    stated = {
        "HTTPS_PROXY": "http://p",
        "REQUESTS_CA_BUNDLE": "/ca.pem",
        "VLLM_LOGGING_LEVEL": "DEBUG",
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
    }
    engine = {"env": [{"name": name, "value": value} for name, value in stated.items()]}
    one = deploy(model=EVERYTHING, engine=engine, cache=CACHE)
    env = {each["name"]: each for each in vllm_prefetch.env(one)}
    assert env["HF_TOKEN"]["valueFrom"] == {"secretKeyRef": {"name": "hub", "key": "token"}}
    assert env["HF_ENDPOINT"]["value"] == "https://hub.local"
    assert env["HTTPS_PROXY"]["value"] == "http://p"
    assert env["REQUESTS_CA_BUNDLE"]["value"] == "/ca.pem"
    assert "TRANSFORMERS_OFFLINE" not in env
    assert "VLLM_LOGGING_LEVEL" not in env
    assert env["HF_HUB_OFFLINE"]["value"] == "0"
    engines = {each["name"]: each for each in vllm_container.env(one, "qwen")}
    assert env["HF_HOME"] == engines["HF_HOME"]
    assert "HF_TOKEN" not in engines


def test_the_digest_is_of_what_is_fetched_and_of_nothing_else() -> None:
    """Another revision, mirror or adapter is another Job; a new length or image is not."""
    same = [deploy(cache=CACHE), deploy(cache=CACHE, image="x:v1.2.3", engine={"maxModelLen": 5}, replicas=3)]
    other = [
        deploy(cache=CACHE, model=model)
        for model in ({"revision": "v1"}, {"endpointUrl": "https://h"}, {"adapters": EVERYTHING["adapters"]})
    ]
    digests = [vllm_prefetch.digest(each) for each in (*same, *other)]
    assert digests[0] == digests[1]
    assert len(set(digests)) == 4
    assert all(len(each) == 8 and int(each, 16) >= 0 for each in digests)


@pytest.mark.parametrize("source", ["hf://o/m", "s3://abc/m", "pvc://c/m"])
def test_another_cache_is_another_job(source: str) -> None:
    """Engines that start from an empty cache, offline, would never start. What a claim grows to is the same claim."""
    adapters = {"adapters": [{"name": "a", "source": "hf://o/a"}]}
    caches = [
        {"claimName": "weights"},
        {"claimName": "other"},
        {"size": "1Gi"},
        {"size": "1Gi", "storageClassName": "fast"},
        {"size": "1Gi", "accessModes": ["ReadWriteMany"]},
    ]
    digests = {vllm_prefetch.digest(deploy(source, model=adapters, cache=each)) for each in caches}
    assert len(digests) == len(caches)
    grown = deploy(source, model=adapters, cache={"size": "9Gi"}, replicas=2)
    assert vllm_prefetch.digest(grown) in digests
