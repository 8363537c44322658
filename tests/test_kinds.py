"""Every type of server has its kind."""

from __future__ import annotations

import pytest

from pointsman.kinds import kind
from pointsman.names import ProviderType


@pytest.mark.parametrize("of", list(ProviderType))
def test_every_type_is_known(of: ProviderType) -> None:
    """What the CRD accepts can be probed and spoken to."""
    assert kind(of).paths
    assert kind(of).api
