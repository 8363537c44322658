"""Which models see or hear, by their names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.fleet.senses import takes_media


@pytest.mark.parametrize(
    "name",
    [
        *("google/gemma-3-27b-it", "google/gemma-3-12b-it", "google/gemma-3n-E4B-it", "google/gemma-4-31b-it"),
        *("RedHatAI/gemma-3-27b-it-quantized.w4a16", "google/medgemma-4b-it", "meta-llama/Llama-Guard-4-12B"),
        *("meta-llama/Llama-4-Scout-17B-16E-Instruct", "meta-llama/Llama-3.2-11B-Vision-Instruct"),
        *("mistralai/Mistral-Small-3.1-24B-Instruct-2503", "mistralai/Mistral-Small-3.2-24B-Instruct-2506"),
        *("mistralai/Pixtral-12B-2409", "mistralai/Magistral-Small-2509", "mistralai/Ministral-3-8B-Instruct-2512"),
        *("Qwen/Qwen2-VL-7B-Instruct", "Qwen/Qwen3-VL-235B-A22B", "Qwen/Qwen2.5-Omni-7B", "Qwen/Qwen3.5-27B"),
        *("Qwen/Qwen2-Audio-7B-Instruct", "fixie-ai/ultravox-v0_5-llama-3_1-8b", "mistralai/Voxtral-Small-24B-2507"),
        *("allenai/Molmo-7B-D-0924", "allenai/Molmo2-8B", "OpenGVLab/InternVL2_5-8B", "OpenGVLab/InternVL3-78B"),
        *("microsoft/Phi-4-multimodal-instruct", "microsoft/Phi-3.5-vision-instruct", "openbmb/MiniCPM-V-4_5"),
        *(
            "zai-org/GLM-4.5V",
            "zai-org/GLM-4.1V-9B-Thinking",
            "moonshotai/Kimi-VL-A3B-Instruct",
            "moonshotai/Kimi-K2.5",
        ),
        *(
            "deepseek-ai/deepseek-vl2",
            "deepseek-ai/DeepSeek-OCR",
            "llava-hf/llava-1.5-7b-hf",
            "HuggingFaceTB/SmolVLM2-2.2B",
        ),
    ],
)
def test_models_that_take_media(name: str) -> None:
    """Makers' names, of families that vLLM runs."""
    assert takes_media(f"hf://{name}")


@pytest.mark.parametrize(
    "name",
    [
        *(
            "Qwen/Qwen3-32B",
            "Qwen/Qwen2.5-Coder-32B-Instruct",
            "meta-llama/Llama-3.3-70B-Instruct",
            "google/gemma-2-27b-it",
        ),
        *("google/gemma-3-1b-it", "google/gemma-3-270m", "google/medgemma-27b-text-it", "microsoft/phi-4"),
        *(
            "mistralai/Mistral-Small-24B-Instruct-2501",
            "mistralai/Mistral-7B-Instruct-v0.3",
            "mistralai/Devstral-Small-2505",
        ),
        *(
            "mistralai/Ministral-8B-Instruct-2410",
            "moonshotai/Kimi-K2-Instruct",
            "zai-org/GLM-4.6",
            "openbmb/MiniCPM4-8B",
        ),
        *(
            "deepseek-ai/DeepSeek-V3.2",
            "openai/gpt-oss-120b",
            "microsoft/Phi-3-mini-128k-instruct",
            "CohereLabs/c4ai-command-r",
        ),
    ],
)
def test_models_that_read_alone(name: str) -> None:
    """A warning on them would be a false alarm."""
    assert not takes_media(f"hf://{name}")


@given(st.text(max_size=300))
def test_any_name_is_looked_at(name: str) -> None:
    """Nothing raises, and case does not matter."""
    assert takes_media(name) == takes_media(name.lower())
