"""What models' names tell of their strength."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.fleet.strength import billions, bits, weakness


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("Qwen/Qwen3-0.6B", 0.6),
        ("qwen3:8b", 8),
        ("llama3.2:1b-instruct-q2_K", 1),
        ("meta-llama/Llama-3.1-8B-Instruct", 8),
        ("Qwen/Qwen3-30B-A3B", 30),
        ("mistralai/Mixtral-8x7B-Instruct-v0.1", 56),
        ("google/gemma-3n-E4B-it", 4),
        ("google/gemma-3-270m", 0.27),
        ("Qwen/Qwen2.5-14B-Instruct-1M", 14),
        ("openai/gpt-oss-120b", 120),
        ("moonshotai/Kimi-K2-1T", 1000),
        ("microsoft/Phi-3-mini-128k-instruct", 3.8),
        ("microsoft/Phi-3.5-mini-instruct", 3.8),
        ("phi3:mini", 3.8),
        ("microsoft/phi-2", 2.7),
        ("TinyLlama/TinyLlama-Chat-v1.0", 1.1),
        ("ibm-granite/granite-4.0-h-micro", 3),
    ],
)
def test_parameters_are_read_from_names(name: str, size: float) -> None:
    """As makers write them: of a mixture all experts count."""
    assert billions(name) == pytest.approx(size)


@pytest.mark.parametrize(
    "name",
    [
        "gpt-5-mini",
        "microsoft/phi-4",
        "microsoft/Phi-3-medium-128k-instruct",
        "o3-mini",
        "claude-sonnet-4-6",
        "my-local-model",
        "text-1M",
        "bge-m3",
        "model-4bit",
        "v1.5",
        "a3b",
        "",
    ],
)
def test_what_is_no_size_is_none(name: str) -> None:
    """Versions, contexts and active parameters are not taken for a size."""
    assert billions(name) == 0


@pytest.mark.parametrize(
    ("name", "width"),
    [
        ("llama3.1:70b-instruct-q2_K", 2),
        ("qwen3-32b-Q3_K_M.gguf", 3),
        ("bartowski/x-IQ2_XXS", 2),
        ("unsloth/x-UD-Q4_K_XL", 4),
        ("mlx-community/Qwen3-32B-4bit", 4),
        ("lmstudio/x-3-bit", 3),
        ("Qwen/Qwen3-32B-AWQ", 4),
        ("TheBloke/x-GPTQ", 4),
        ("Qwen/Qwen2.5-72B-Instruct-GPTQ-Int4", 4),
        ("Qwen/Qwen2.5-72B-Instruct-GPTQ-Int8", 8),
        ("RedHatAI/Qwen3-32B-quantized.w4a16", 4),
        ("nvidia/Llama-3.3-70B-Instruct-NVFP4", 4),
        ("nvidia/DeepSeek-R1-FP4", 4),
        ("modelopt_fp4", 4),
        ("x-bnb-nf4", 4),
        ("RedHatAI/Qwen3-32B-w4a16", 4),
        ("turboderp/x-3.5bpw", 3.5),
        ("x-q8_0", 8),
        ("x-fp8", 0),
        ("openai/gpt-oss-20b-mxfp4", 0),
        ("Qwen/Qwen3-32B", 0),
        ("quality-4", 0),
    ],
)
def test_bits_are_read_from_names(name: str, width: float) -> None:
    """Of llama.cpp, MLX, AWQ, GPTQ, compressed-tensors and ExLlama."""
    assert bits(name) == pytest.approx(width)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("qwen3:8b", "8 billion parameters"),
        ("llama3.2:1b-q2_K", "1 billion parameters, quantized to 2 bits"),
        ("Qwen/Qwen3-32B-AWQ", "quantized to 4 bits"),
        ("Qwen/Qwen3-32B", ""),
        ("x-70b-q8_0", ""),
        ("gpt-5-mini", ""),
    ],
)
def test_weak_is_small_or_heavily_quantized(name: str, said: str) -> None:
    """What the name does not tell is not guessed."""
    assert weakness(name) == said


@given(st.text(max_size=300))
def test_any_name_is_read(name: str) -> None:
    """Nothing raises, and the text stays short."""
    assert len(weakness(name)) < 80
