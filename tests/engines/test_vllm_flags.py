"""What may not stand in `extraArgs`."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.deploys import deploy
from pointsman.engines import vllm_container, vllm_flags


def refused(*words: str, **fields: Any) -> list[str]:
    engine = fields.pop("engine", {}) | {"extraArgs": list(words)}
    return list(vllm_container.refusals(deploy(engine=engine, **fields)))


@pytest.mark.parametrize(
    "word",
    [
        *("--port", "--port=1", "--por", "--served_model_name", "-tp", "-tp=2", "--api-key=x", "--model", "--config=f"),
        *(
            "-tp2",
            "-t",
            "-n2",
            "-n",
            "-r=1",
            "-h",
            "--help=all",
            "--nnodes",
            "-dpl",
            "--lora_modules",
            "--no-enable-lora",
        ),
        *(
            "--enable-lora",
            "--tokens-only",
            "--download_dir=/x",
            "--hf-token",
            "--prefill-context-parallel-size",
            "-pcp",
        ),
        *("--data-parallel-rank=1", "--data-par", "--uds", "--ssl", "--config.x", "--headless", "--grpc", "-dph"),
    ],
)
def test_flags_that_the_operator_owns_are_refused_by_name(word: str) -> None:
    """Also with underscores, shortened as argparse allows, negated, or as a short flag with its value."""
    (refusal,) = refused(word)
    assert refusal.startswith("spec.deploy.engine.extraArgs: -")
    assert repr(word) in refusal


@pytest.mark.parametrize(
    "word",
    [
        *("--model-impl=transformers", "--port-range", "7", "--seed", "-O3", "--", "--hf-x.port", "-", "-1", "-dcp=2"),
        *(
            "--quantization-config",
            "-cc",
            "--chat-template-content-format=string",
            "--api-server-count=4",
            "--config-format",
        ),
        *("--tokenizer", "port", "--revision-of-nothing", "--max-loras-x", "-q=awq", "-ep", "--middleware=a.b"),
    ],
)
def test_other_flags_and_values_pass(word: str) -> None:
    """What only begins like an owned flag is somebody else's."""
    assert not refused(word)


@pytest.mark.parametrize("word", ["", " "])
def test_an_empty_word_is_refused(word: str) -> None:
    """VLLM would read it as one more model."""
    (refusal,) = refused(word)
    assert "empty word" in refusal


@pytest.mark.parametrize(
    ("engine", "word", "field"),
    [
        ({"maxModelLen": 8}, "--max-model-len=9", "spec.deploy.engine.maxModelLen"),
        ({"maxModelLen": 8}, "--max_model_len", "spec.deploy.engine.maxModelLen"),
        ({"maxModelLen": 8}, "--max-model", "spec.deploy.engine.maxModelLen"),
        ({"quantization": "awq"}, "-q", "spec.deploy.engine.quantization"),
        ({"quantization": "awq"}, "-qfp8", "spec.deploy.engine.quantization"),
        ({"gpuMemoryUtilization": 0.5}, "--device-memory-utilization=1", "spec.deploy.engine.gpuMemoryUtilization"),
        ({"enablePrefixCaching": True}, "--no-enable-prefix-caching", "spec.deploy.engine.enablePrefixCaching"),
        ({"trustRemoteCode": True}, "--no-trust-remote-code", "spec.deploy.engine.trustRemoteCode"),
        ({"chatTemplateRef": {"name": "a", "key": "b"}}, "--chat-template=x", "spec.deploy.engine.chatTemplateRef"),
    ],
)
def test_what_is_stated_both_ways_is_refused_with_both_names(engine: dict[str, Any], word: str, field: str) -> None:
    """Which one wins would depend on their order."""
    (refusal,) = refused(word, engine=engine)
    assert repr(word) in refusal
    assert field in refusal
    assert not refused(word)


def test_what_belongs_to_several_nodes_is_refused_there_alone() -> None:
    """A node without an HTTP server ends at once when it is told how many of them to start."""
    several = {"gpus": 2, "parallelism": {"nodes": 2}}
    assert refused("--api-server-count=2", **several)
    assert refused("--distributed-executor-backend=ray", **several)
    assert not refused("--distributed-executor-backend=ray")


@pytest.mark.parametrize(
    "word",
    [
        *(
            " --port=9",
            "--Port=9",
            "\u2014port=9",
            "\u2013-seed=1",
            "\u2212n",
            " seed",
            "7 ",
            "--seed 7",
            "--seed=7\n",
            "\t--seed",
        ),
        *("--SEED", "-O 3"),
    ],
)
def test_what_vllm_would_take_for_something_else_is_refused(word: str) -> None:
    """It would find no flag in it, and end at once; or the operator's own would go through."""
    (refusal,) = refused(word)
    assert refusal.startswith(f"spec.deploy.engine.extraArgs: {word!r} ")


@pytest.mark.parametrize(
    "word", ['{"a": 1}\n', '--hf-overrides={ "A": 1}', "two words", "--compilation-config.Mode=3", "-O.X=3", "7"]
)
def test_values_may_have_space_and_capitals(word: str) -> None:
    """JSON from a YAML block ends with a line break; keys of JSON are theirs."""
    assert not refused(word)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("dtype", "fp 16"), ("dtype", "fp16"), ("dtype", "Half"), ("quantization", " awq"), ("kvCacheDtype", "fp 8")),
        *(("loadFormat", "a\nb"), ("toolCallParser", "hermes "), ("reasoningParser", "--x")),
    ],
)
def test_values_that_vllm_does_not_know_are_refused(field: str, value: str) -> None:
    """With the field; of data types, with those that there are."""
    (refusal,) = refused(engine={field: value})
    assert refusal.startswith(f"spec.deploy.engine.{field}: {value!r} ")


@pytest.mark.parametrize(
    ("field", "value", "since"), [("reasoningParser", "qwen3", "0.7"), ("toolCallParser", "hermes", "0.6")]
)
def test_a_field_that_the_version_does_not_know_is_refused(field: str, value: str, since: str) -> None:
    """The engine would end at once; an untold version is taken to know it."""
    (old,) = refused(engine={field: value, "version": "0.5"})
    assert old.startswith(f"spec.deploy.engine.{field}: vLLM has it since {since}, spec.deploy.engine.version 0.5 is")
    assert not refused(engine={field: value, "version": since})
    assert not refused(engine={field: value}, image="acme/llm:0.5")


def test_the_tag_of_an_old_image_is_named() -> None:
    """As where the version is known from."""
    (refusal,) = refused(engine={"reasoningParser": "qwen3"}, image="vllm/vllm-openai:v0.6.6")
    assert "vllm/vllm-openai:v0.6.6 is older" in refusal


@given(st.sampled_from(sorted(vllm_flags._OWNED)), st.data())
def test_no_spelling_of_an_owned_flag_passes(flag: str, data: st.DataObject) -> None:
    """Any beginning of it, dashes or underscores, with a value, a key, or alone."""
    word = flag[: data.draw(st.integers(3, len(flag)))]
    word = "".join(data.draw(st.sampled_from("-_")) if at > 1 and each == "-" else each for at, each in enumerate(word))
    word += data.draw(st.sampled_from(["", "=1", "=", ".key=1"]))
    assert vllm_flags.owned(word)
    assert len(refused(word)) == 1


@given(st.text(max_size=20))
def test_any_word_is_judged_without_raising(word: str) -> None:
    """Words come from strangers."""
    assert isinstance(vllm_flags.owned(word), str)
