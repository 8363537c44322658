"""vLLM's command line and environment."""

from __future__ import annotations

from typing import Any

import pytest

from pointsman.api.deploy import Deploy
from pointsman.engines import vllm_container


def deploy(source: str = "hf://Qwen/Qwen3-32B", **fields: Any) -> Deploy:
    model = {"source": source} | fields.pop("model", {})
    return Deploy.model_validate({"model": model, **fields})


def test_a_bare_deploy_names_model_host_and_port() -> None:
    """The model comes first, the served names next; they end before the first flag of ours."""
    words = vllm_container.args(deploy())
    assert words[:5] == ["Qwen/Qwen3-32B", "--served-model-name", "Qwen/Qwen3-32B", "--host=0.0.0.0", "--port=8000"]
    assert not any(word.startswith("--tensor-parallel-size") for word in words)


def test_tensor_parallelism_follows_the_gpus() -> None:
    """All GPUs of a replica work on one model, unless said otherwise."""
    assert "--tensor-parallel-size=4" in vllm_container.args(deploy(gpus=4))
    assert "--tensor-parallel-size=2" in vllm_container.args(deploy(gpus=4, parallelism={"tensor": 2}))


def test_every_typed_setting_becomes_its_flag_and_extra_args_come_last() -> None:
    """Typed settings come in a fixed order, the user's own words after everything of ours."""
    engine = {
        "maxModelLen": 8192, "dtype": "bfloat16", "quantization": "awq", "kvCacheDtype": "fp8",
        "gpuMemoryUtilization": 0.9, "maxNumSeqs": 16, "enablePrefixCaching": False, "toolCallParser": "hermes",
        "reasoningParser": "qwen3", "trustRemoteCode": True, "extraArgs": ["--seed", "7"],
    }  # fmt: skip
    words = vllm_container.args(deploy(engine=engine, model={"revision": "main", "servedNames": ["a", "b"]}))
    assert words[1:4] == ["--served-model-name", "a", "b"]
    assert "--revision=main" in words
    assert words[-13:] == [
        "--max-model-len=8192", "--dtype=bfloat16", "--quantization=awq", "--kv-cache-dtype=fp8",
        "--gpu-memory-utilization=0.9", "--max-num-seqs=16", "--tool-call-parser=hermes", "--reasoning-parser=qwen3",
        "--no-enable-prefix-caching", "--enable-auto-tool-choice", "--trust-remote-code", "--seed", "7",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("image", "has"),
    [
        (None, True),
        ("vllm/vllm-openai:v0.17.1", False),
        ("vllm/vllm-openai:v0.18.0", True),
        ("registry.local:5000/vllm", True),
        ("mirror/vllm-openai:v0.11.0-cu128", False),
        ("vllm/vllm-openai@sha256:0123", True),
    ],
)
def test_flags_are_held_back_from_images_that_do_not_know_them(image: str | None, has: bool) -> None:
    """An old image would end at once on --shutdown-timeout; an untold version is taken to be new."""
    words = vllm_container.args(deploy(image=image))
    assert any(word.startswith("--shutdown-timeout") for word in words) is has


@pytest.mark.parametrize(
    "word",
    ["--port", "--port=1", "--por", "--served_model_name", "-tp", "-tp=2", "--api-key=x", "--model", "--config=f"],
)
def test_flags_that_the_operator_owns_are_refused_by_name(word: str) -> None:
    """Also with underscores, shortened as argparse allows, or as a short flag."""
    (refusal,) = vllm_container.refusals(deploy(engine={"extraArgs": [word]}))
    assert refusal.startswith("spec.deploy.engine.extraArgs: -")
    assert repr(word) in refusal


@pytest.mark.parametrize(
    "word", ["--model-impl=transformers", "--port-range", "7", "--seed", "-O3", "--", "--hf-x.port"]
)
def test_other_flags_and_values_pass(word: str) -> None:
    """What only begins like an owned flag is somebody else's."""
    assert not list(vllm_container.refusals(deploy(engine={"extraArgs": [word]})))


@pytest.mark.parametrize("source", ["hf://--port", "hf://a/b/c", "hf://a b/c", "hf:///x", "hf://org/", "hf://Ä/b"])
def test_a_source_that_names_no_model_of_the_hub_is_refused(source: str) -> None:
    """It would end up as another word on the command line."""
    (refusal,) = vllm_container.refusals(deploy(source))
    assert refusal.startswith("spec.deploy.model.source: ")


def test_a_served_name_cannot_be_a_flag() -> None:
    """Served names are bare words: one that begins with a dash would switch something on."""
    (refusal,) = vllm_container.refusals(deploy(model={"servedNames": ["--trust-remote-code"]}))
    assert refusal.startswith("spec.deploy.model.servedNames: ")


def test_more_tensor_parallelism_than_gpus_is_refused_but_not_on_cpus() -> None:
    """VLLM would wait for GPUs that it does not have; on CPUs the number means processes."""
    (refusal,) = vllm_container.refusals(deploy(gpus=1, parallelism={"tensor": 2}))
    assert refusal.startswith("spec.deploy.parallelism.tensor: 2 ")
    assert not list(vllm_container.refusals(deploy(gpus=0, parallelism={"tensor": 2})))


def test_the_environment_is_quiet_writable_and_the_users_word_wins() -> None:
    """No usage reports, every cache on a writable folder, the token by reference; empty values are left out."""
    env = {
        entry["name"]: entry
        for entry in vllm_container.env(
            deploy(
                model={"tokenSecretRef": {"name": "hub", "key": "t"}, "endpointUrl": "https://hub.local"},
                engine={"env": [{"name": "HF_HOME", "value": "/mnt"}, {"name": "EMPTY", "value": ""}]},
            )
        )
    }
    assert env["VLLM_NO_USAGE_STATS"]["value"] == env["DO_NOT_TRACK"]["value"] == "1"
    assert env["HF_TOKEN"] == {"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": {"name": "hub", "key": "t"}}}
    assert env["HF_ENDPOINT"]["value"] == "https://hub.local"
    assert env["HF_HOME"]["value"] == "/mnt"
    assert env["EMPTY"] == {"name": "EMPTY"}


@pytest.mark.parametrize("name", ["VLLM_SERVER_DEV_MODE", "VLLM_API_KEY", "VLLM_PORT"])
def test_environment_that_the_operator_owns_is_refused(name: str) -> None:
    """One opens endpoints that run code, the others take the server away from the gateway."""
    (refusal,) = vllm_container.refusals(deploy(engine={"env": [{"name": name, "value": "1"}]}))
    assert name in refusal
