"""Servers that we run: how each kind is asked and read, one file a kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pointsman.engines import llamacpp, sglang, vllm
from pointsman.names import ProviderType

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pointsman.served import Kind

ALL: Final[Mapping[ProviderType, Kind]] = {
    ProviderType.VLLM: vllm.KIND,
    ProviderType.SGLANG: sglang.KIND,
    ProviderType.LLAMACPP: llamacpp.KIND,
}
