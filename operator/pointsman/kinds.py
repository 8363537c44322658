"""The kinds of servers, ours and others', under one roof."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pointsman import engines, vendors

if TYPE_CHECKING:
    from pointsman.names import ProviderType
    from pointsman.served import Kind


def kind(of: ProviderType) -> Kind:
    """How servers of a type are asked and spoken to."""
    return engines.ALL[of] if of in engines.ALL else vendors.ALL[of]
