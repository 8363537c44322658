"""Servers that others run: how each kind is asked and read, one file a kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pointsman.names import ProviderType
from pointsman.vendors import anthropic, compatible, litellm, lmstudio, ollama, openai, openrouter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pointsman.served import Kind

ALL: Final[Mapping[ProviderType, Kind]] = {
    ProviderType.LMSTUDIO: lmstudio.KIND,
    ProviderType.OLLAMA: ollama.KIND,
    ProviderType.LITELLM: litellm.KIND,
    ProviderType.OPENROUTER: openrouter.KIND,
    ProviderType.OPENAI: openai.KIND,
    ProviderType.ANTHROPIC: anthropic.KIND,
    ProviderType.OPENAI_COMPATIBLE: compatible.KIND,
}
