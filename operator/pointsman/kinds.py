"""The kinds of servers, ours and others', under one roof."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pointsman import engines, vendors

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pointsman.names import ProviderType
    from pointsman.served import Kind

ALL: Final[Mapping[ProviderType, Kind]] = {**engines.ALL, **vendors.ALL}
_NAMED: Final[Mapping[str, Kind]] = {str(name): each for name, each in ALL.items()}


def kind(of: ProviderType) -> Kind:
    """How servers of a type are asked and spoken to."""
    return ALL[of]


def named(name: str) -> Kind | None:
    """The same by the type's name, as a routing table has it; None: a newer release's."""
    return _NAMED.get(name)
