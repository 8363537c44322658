"""What of `spec.deploy` reaches vLLM's container: names, environment, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from engines.deploys import deploy
from pointsman.api.deploy import Deploy
from pointsman.engines import vllm_container

CACHE = {"claimName": "weights"}


def variables(one: Deploy) -> dict[str, Any]:
    """Name -> value, or where it comes from."""
    return {
        each["name"]: each.get("value") or each.get("valueFrom", {}).get("secretKeyRef")
        for each in vllm_container.env(one, "qwen")
    }


def test_the_environment_is_quiet_writable_and_the_users_word_wins() -> None:
    """No usage reports, every cache on a writable folder, the token by reference; empty values are left out."""
    one = deploy(
        model={"tokenSecretRef": {"name": "hub", "key": "t"}, "endpointUrl": "https://hub.local"},
        engine={"env": [{"name": "HF_HOME", "value": "/mnt"}, {"name": "EMPTY", "value": ""}]},
    )
    env = variables(one)
    assert env["VLLM_NO_USAGE_STATS"] == env["DO_NOT_TRACK"] == "1"
    assert env["HF_TOKEN"] == {"name": "hub", "key": "t"}
    assert env["HF_ENDPOINT"] == "https://hub.local"
    assert env["HF_HOME"] == "/mnt"
    assert {"name": "EMPTY"} in vllm_container.env(one, "qwen")
    folders = ("HOME", "XDG_CACHE_HOME", "VLLM_CACHE_ROOT", "TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR")
    assert all(env[name].startswith(("/cache", vllm_container.HOME)) for name in folders)


def test_the_key_is_the_providers_entry_or_the_one_that_is_stated() -> None:
    """Never in the arguments, where everybody who may read a Pod reads it."""
    assert variables(deploy())["VLLM_API_KEY"] == {"name": "pointsman-engine-keys", "key": "qwen"}
    own = variables(deploy(apiKeyRef={"name": "mine", "key": "k"}))
    assert own["VLLM_API_KEY"] == {"name": "mine", "key": "k"}


def test_after_a_prefetch_the_engine_is_offline_and_has_no_token() -> None:
    """What is in the cache needs no hub; a token that is not there cannot leak."""
    env = variables(deploy(model={"tokenSecretRef": {"name": "hub"}, "endpointUrl": "https://h"}, cache=CACHE))
    assert env["HF_HUB_OFFLINE"] == env["TRANSFORMERS_OFFLINE"] == "1"
    assert not env.keys() & {"HF_TOKEN", "HF_ENDPOINT"}


def test_an_engine_that_streams_from_s3_has_the_servers_address_and_keys() -> None:
    """By the names that both boto3 and Run:ai's streamer read; a session's token and a region may be absent."""
    model = {"endpointUrl": "http://minio:9000", "credentialsRef": {"name": "keys"}}
    env = variables(deploy("s3://models/qwen", model=model))
    assert env["AWS_ENDPOINT_URL"] == "http://minio:9000"
    assert env["AWS_SECRET_ACCESS_KEY"] == {"name": "keys", "key": "AWS_SECRET_ACCESS_KEY"}
    assert env["AWS_SESSION_TOKEN"] == {"name": "keys", "key": "AWS_SESSION_TOKEN", "optional": True}
    assert "HF_ENDPOINT" not in env
    fetched = variables(deploy("s3://models/qwen", model=model, cache=CACHE))
    assert not any(name.startswith("AWS_") for name in fetched)


def test_the_address_is_of_the_store_that_the_adapters_alone_come_from() -> None:
    """A mounted model asks nobody."""
    model = {"endpointUrl": "http://minio:9000", "adapters": [{"name": "a", "source": "s3://b/a"}]}
    assert vllm_container.access(deploy("pvc://claim/m", model=model)).keys() >= {"AWS_ENDPOINT_URL"}


def test_adapters_at_run_time_need_a_switch() -> None:
    """Without it vLLM has no endpoint for them."""
    assert variables(deploy(model={"adapterLoading": "AtRuntime"}))["VLLM_ALLOW_RUNTIME_LORA_UPDATING"] == "True"
    assert "VLLM_ALLOW_RUNTIME_LORA_UPDATING" not in variables(deploy())


def test_compiled_kernels_are_kept_apart_for_what_they_depend_on() -> None:
    """In the cache if there is one; another type or another number of GPUs is another folder, another length is not."""
    kept = {
        variables(deploy(cache=CACHE, **more))["VLLM_CACHE_ROOT"]
        for more in (
            {},
            {"engine": {"dtype": "half"}},
            {"gpus": 2},
            {"image": "x:v1.0.0"},
            {"engine": {"maxNumSeqs": 9}},
        )
    }
    assert len(kept) == 4
    assert all(root.startswith("/cache/compile/") for root in kept)
    for cache in (None, {**CACHE, "compileCache": False}):
        assert variables(deploy(cache=cache))["VLLM_CACHE_ROOT"].startswith(vllm_container.HOME)


@pytest.mark.parametrize(
    "name", ["VLLM_SERVER_DEV_MODE", "VLLM_API_KEY", "VLLM_PORT", "VLLM_ALLOW_RUNTIME_LORA_UPDATING"]
)
def test_environment_that_the_operator_owns_is_refused(name: str) -> None:
    """One opens endpoints that run code, the others take the server away from the gateway."""
    (refusal,) = vllm_container.refusals(deploy(engine={"env": [{"name": name, "value": "1"}]}))
    assert name in refusal


def test_where_the_cache_is_cannot_be_said_twice() -> None:
    """The Job would fill one folder, and the engine look into another, offline."""
    engine = {"env": [{"name": "HF_HOME", "value": "/mnt"}]}
    (refusal,) = vllm_container.refusals(deploy(engine=engine, cache=CACHE))
    assert refusal.startswith("spec.deploy.engine.env: HF_HOME ")
    assert not list(vllm_container.refusals(deploy(engine=engine)))


def test_a_rank_without_kernels_is_refused_with_the_next_that_has_them() -> None:
    """VLLM would end at once."""
    model = {"adapters": [{"name": "a", "source": "hf://o/a"}]}
    (refusal,) = vllm_container.refusals(deploy(model=model, engine={"maxLoraRank": 24}))
    assert refusal.endswith("write 32")


def test_settings_for_adapters_without_adapters_are_refused() -> None:
    """They would do nothing."""
    (refusal,) = vllm_container.refusals(deploy(engine={"maxLoras": 2}))
    assert refusal.startswith("spec.deploy.engine.maxLoras: there are no adapters")


def test_names_of_the_model_and_of_its_adapters() -> None:
    """Apart: adapters come and go."""
    one = deploy(model={"adapters": [{"name": "a", "source": "hf://o/a"}]})
    assert vllm_container.served_names(one) == ("Qwen/Qwen3-32B",)
    assert vllm_container.adapter_names(one) == ("a",)
