"""Names that more than one part must spell alike."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.names import ProviderType, handed_on, synonym

NAMES = st.text("ab:/.", max_size=10) | st.text(max_size=6).map(lambda name: name + ":latest")


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("qwen3", "qwen3:latest"),
        ("qwen3:latest", "qwen3"),
        ("qwen3:8b", ""),
        ("hf.example:5000/team/qwen3", "hf.example:5000/team/qwen3:latest"),
        ("hf.example:5000/team/qwen3:latest", "hf.example:5000/team/qwen3"),
    ],
)
def test_a_model_of_ollama_without_a_tag_is_its_latest(name: str, other: str) -> None:
    """A colon before the last slash is a port's."""
    assert synonym(ProviderType.OLLAMA, name) == synonym("Ollama", name) == other


@given(NAMES, st.sampled_from(ProviderType))
def test_names_come_in_pairs_or_alone(name: str, of: ProviderType) -> None:
    """The other name of the other name is the name; only Ollama's models have two."""
    other = synonym(of, name)
    assert other != name or not name
    assert not other or (of is ProviderType.OLLAMA and synonym(of, other) == name)


@pytest.mark.parametrize(
    ("name", "handed"),
    [
        ("gpt-oss:120b-cloud", True), ("glm-4.6:cloud", True), ("a/b:Cloud", True), ("x:latest:cloud", True),
        ("gpt-oss:20b", False), ("word-cloud", False), ("word-cloud:latest", False), ("cloud", False),
        ("m:mycloud", False), ("host:1-cloud/m", False),
    ],
)  # fmt: skip
def test_a_tag_tells_of_ollamas_cloud(name: str, handed: bool) -> None:
    """As Ollama reads it: the last tag alone, and only at Ollama."""
    assert handed_on(ProviderType.OLLAMA, name) is handed
    assert not handed_on(ProviderType.VLLM, name)
