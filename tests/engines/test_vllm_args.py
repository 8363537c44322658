"""vLLM's command line."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from engines.deploys import deploy
from pointsman.api.deploy import Deploy, Engine
from pointsman.engines import vllm_container

ENGINE: dict[str, Any] = {
    "maxModelLen": 8192, "dtype": "bfloat16", "quantization": "awq", "kvCacheDtype": "fp8",
    "gpuMemoryUtilization": 0.9, "maxNumSeqs": 16, "enablePrefixCaching": False, "toolCallParser": "hermes",
    "reasoningParser": "qwen3", "loadFormat": "safetensors", "maxLoras": 2, "maxLoraRank": 32,
    "chatTemplateRef": {"name": "templates", "key": "chat.jinja"}, "trustRemoteCode": True, "version": "0.11",
}  # fmt: skip
LORA = {"adapters": [{"name": "sql, v=2", "source": "hf://org/sql"}]}


def test_a_bare_deploy_names_model_host_and_port() -> None:
    """The model comes first, the served names next; they end before the first flag of ours."""
    words = vllm_container.args(deploy())
    assert words[:5] == ["Qwen/Qwen3-32B", "--served-model-name", "Qwen/Qwen3-32B", "--host=0.0.0.0", "--port=8000"]
    assert not any(word.startswith("--tensor-parallel-size") for word in words)


def test_every_typed_setting_becomes_its_flag_and_extra_args_come_last() -> None:
    """Typed settings come in a fixed order, the user's own words after everything of ours."""
    engine = ENGINE | {"extraArgs": ["--seed", "7"]}
    words = vllm_container.args(deploy(engine=engine, model={"revision": "main", "servedNames": ["a", "b"], **LORA}))
    assert words[1:4] == ["--served-model-name", "a", "b"]
    assert "--revision=main" in words
    assert words[-17:] == [
        "--max-model-len=8192", "--dtype=bfloat16", "--quantization=awq", "--kv-cache-dtype=fp8",
        "--gpu-memory-utilization=0.9", "--max-num-seqs=16", "--load-format=safetensors", "--max-loras=2",
        "--max-lora-rank=32", "--tool-call-parser=hermes", "--reasoning-parser=qwen3",
        "--chat-template=/etc/pointsman/chat-template/template.jinja",
        "--no-enable-prefix-caching", "--enable-auto-tool-choice", "--trust-remote-code", "--seed", "7",
    ]  # fmt: skip


def test_no_typed_setting_is_forgotten() -> None:
    """A field of the engine that is new, and reaches neither arguments nor environment, fails here."""
    elsewhere = {"extra_args", "env", "env_from"}
    stated = Engine.model_validate(ENGINE)
    assert stated.model_fields_set | elsewhere == set(Engine.model_fields)
    for field in stated.model_fields_set:
        without = stated.model_copy(update={field: Engine.model_fields[field].default})
        one = deploy(model=LORA)
        words = [vllm_container.args(one.model_copy(update={"engine": engine})) for engine in (stated, without)]
        assert words[0] != words[1], field


@pytest.mark.parametrize(
    ("image", "shutdown", "access_log"),
    [
        (None, True, True),
        ("vllm/vllm-openai:v0.15.1", False, False),
        ("vllm/vllm-openai:v0.17.1", False, True),
        ("vllm/vllm-openai:v0.18.0", True, True),
        ("registry.local:5000/vllm", False, False),
        ("registry.local:5000/vllm-openai", True, True),
        ("vllm/vllm-openai:nightly-x86_64", True, True),
        ("vllm/vllm-openai:gptoss", False, False),
        ("nvcr.io/nvidia/vllm:25.09-py3", False, False),
        ("registry.redhat.io/rhaiis/vllm-cuda-rhel9:3.2.1", False, False),
        ("rocm/vllm:rocm6.4.1_ubuntu22.04_py3.12_pytorch_2.7.0_vllm0.8.3_20250410", False, False),
        ("rocm/vllm:rocm7.0.0_ubuntu_22.04_vllm_0.17.1", False, True),
        ("public.ecr.aws/q9t5s3a7/vllm-cpu-release-repo:v0.17.0", False, True),
        ("mirror/vllm-openai:v0.11.0-cu128", False, False),
        ("vllm/vllm-openai:v0.17.0@sha256:" + "0" * 64, False, True),
        ("vllm/vllm-openai@sha256:0123", True, True),
    ],
)
def test_flags_are_held_back_from_images_that_do_not_know_them(
    image: str | None, shutdown: bool, access_log: bool
) -> None:
    """An old image would end at once on --shutdown-timeout; only vLLM's own without a version is taken to be new."""
    words = vllm_container.args(deploy(image=image))
    assert any(word.startswith("--shutdown-timeout") for word in words) is shutdown
    assert any(word.startswith("--disable-access-log") for word in words) is access_log


@pytest.mark.parametrize(("stated", "shutdown"), [("0.18", True), ("v0.17.1", False), ("0.9", False)])
def test_the_stated_version_decides_before_the_tag(stated: str, shutdown: bool) -> None:
    """Whoever builds an image of their own says what is in it."""
    for image in (None, "acme/llm:7.1", "vllm/vllm-openai:v0.11.0"):
        words = vllm_container.args(deploy(image=image, engine={"version": stated}))
        assert any(word.startswith("--shutdown-timeout") for word in words) is shutdown


@pytest.mark.parametrize(("tag", "needed"), [("v0.6.3", False), ("v0.8.5", True), ("v0.9.0", False)])
def test_a_reasoning_parser_needed_a_switch_once(tag: str, needed: bool) -> None:
    """0.7 and 0.8 ignore the parser without it, 0.10 does not know it."""
    words = vllm_container.args(deploy(image=f"a/vllm-openai:{tag}", engine={"reasoningParser": "qwen3"}))
    assert ("--enable-reasoning" in words) is needed


@pytest.mark.parametrize(("grace", "seconds"), [(None, 45), ("5m", 270), ("20s", 5), ("31s", 5), ("1m30.7s", 60)])
def test_answers_under_way_get_what_the_grace_period_leaves(grace: str | None, seconds: int) -> None:
    """The pause before the stop, and some time to go after it, are taken off."""
    assert f"--shutdown-timeout={seconds}" in vllm_container.args(deploy(terminationGracePeriod=grace))


def test_adapters_of_the_start_are_named_as_json_so_that_any_name_goes() -> None:
    """name=path would end at the first comma or equals sign."""
    words = vllm_container.args(deploy(model=LORA))
    at = words.index("--lora-modules")
    assert words[at - 1 : at + 2] == ["--enable-lora", "--lora-modules", '{"name":"sql, v=2","path":"org/sql"}']


def test_adapters_at_run_time_are_not_named() -> None:
    """They come by request; with several HTTP processes each would know others, so there is one."""
    model = {"adapterLoading": "AtRuntime", **LORA}
    words = vllm_container.args(deploy(model=model))
    assert "--enable-lora" in words
    assert not {"--lora-modules", "--api-server-count=1"} & set(words)
    assert "--api-server-count=1" in vllm_container.args(deploy(model=model, gpus=2, parallelism={"data": 2}))


def test_nodes_of_a_replica_meet_at_the_first() -> None:
    """The first serves, the others only compute; who is who, the LeaderWorkerSet says."""
    one = deploy(gpus=8, parallelism={"nodes": 2})
    first, other = vllm_container.args(one), vllm_container.worker_args(one)
    shared = {
        "--tensor-parallel-size=8",
        "--pipeline-parallel-size=2",
        "--nnodes=2",
        "--master-addr=$(LWS_LEADER_ADDRESS)",
    }
    assert shared <= set(first)
    assert set(first) - set(other) == {"--node-rank=0"}
    assert set(other) - set(first) == {"--node-rank=$(LWS_WORKER_INDEX)", "--headless"}


def test_s3_without_a_cache_is_streamed() -> None:
    """With one, it is a folder there, and any format will do."""
    assert "--load-format=runai_streamer" in vllm_container.args(deploy("s3://b/m"))
    stated = vllm_container.args(deploy("s3://b/m", engine={"loadFormat": "runai_streamer_sharded"}))
    assert [word for word in stated if "load-format" in word] == ["--load-format=runai_streamer_sharded"]
    assert not any("load-format" in word for word in vllm_container.args(deploy("s3://b/m", cache={"size": "1Gi"})))


def test_switching_prefix_caching_off_is_not_said_to_an_image_that_has_it_off() -> None:
    """Before 0.7 there was no flag for it."""
    engine = {"enablePrefixCaching": False}
    assert "--no-enable-prefix-caching" not in vllm_container.args(deploy(engine=engine | {"version": "0.6"}))
    assert "--no-enable-prefix-caching" in vllm_container.args(deploy(engine=engine | {"version": "0.7"}))


def test_a_name_cannot_make_kubernetes_put_a_secret_in() -> None:
    """$(NAME) would become the variable's value: the engine would tell its key to whoever asks for its models."""
    words = vllm_container.args(deploy(model={"servedNames": ["$(VLLM_API_KEY)"]}))
    assert words[2] == "$$(VLLM_API_KEY)"


TEXT = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S")), min_size=1, max_size=12)
ENGINES = st.fixed_dictionaries(
    {},
    optional={
        "maxModelLen": st.integers(1, 9999), "dtype": TEXT | st.just(""), "quantization": TEXT, "kvCacheDtype": TEXT,
        "gpuMemoryUtilization": st.floats(0.01, 1), "toolCallParser": TEXT, "loadFormat": TEXT | st.just(""),
        "enablePrefixCaching": st.booleans(), "extraArgs": st.lists(TEXT | st.just(""), max_size=3),
    },
)  # fmt: skip
SIZES = ("tensor", "data", "nodes")
SOUND = st.sampled_from(["hf://o/n", "pvc://claim/m", "s3://bucket/m", "oci://acme/phi:1"])
WILD = st.sampled_from(["hf://", "pvc://", "s3://", "oci://"]).flatmap(lambda scheme: TEXT.map(scheme.__add__))
DEPLOYS = st.fixed_dictionaries(
    {
        "model": st.fixed_dictionaries(
            {"source": SOUND | WILD},
            optional={
                "servedNames": st.lists(TEXT, min_size=1, max_size=3, unique=True), "revision": TEXT, "path": TEXT,
                "adapterLoading": st.sampled_from(["AtStart", "AtRuntime"]),
                "adapters": st.lists(
                    st.fixed_dictionaries({"name": TEXT, "source": SOUND}), max_size=2
                ),
            },
        ),
        "gpus": st.integers(0, 8),
    },
    optional={
        "engine": ENGINES, "cache": st.just({"size": "1Gi"}),
        "image": st.sampled_from(["vllm-openai:v0.6.1", "a/vllm-openai:v0.8.0", "a/vllm-cpu:v0.31.0", "a/b"]),
        "parallelism": st.fixed_dictionaries({}, optional=dict.fromkeys(SIZES, st.integers(1, 4))),
    },
)  # fmt: skip


@given(DEPLOYS)
def test_whatever_is_stated_the_words_are_whole_or_it_is_refused(stated: dict[str, Any]) -> None:
    """No empty word, ours begin with a flag but for model, names and adapters; a refusal has a path; nothing raises."""
    try:
        one = Deploy.model_validate(stated)
    except ValidationError:
        return
    refusals = list(vllm_container.refusals(one))
    assert all(refusal.startswith("spec.deploy.") for refusal in refusals)
    if refusals:
        return
    extra = len(one.engine.extra_args or ()) if one.engine else 0
    for words in (vllm_container.args(one), vllm_container.worker_args(one)):
        assert all(words)
        ours = words[: len(words) - extra]
        bare = [word for word in ours if not word.startswith("--")]
        loaded = one.model.adapters or () if one.model.adapter_loading != "AtRuntime" else ()
        assert len(bare) == 1 + len(vllm_container.served_names(one)) + len(loaded)
