"""What the parts say to each other about one request."""

from __future__ import annotations

from pointsman.exchange import FailureKind
from pointsman.names import FailoverReason
from pointsman.table import Policy


def test_every_reason_that_a_policy_can_name_is_a_failure_that_happens() -> None:
    """The API's reasons, the table's default and the gateway's failures are spelt alike."""
    reasons = {reason.value for reason in FailoverReason}
    assert reasons <= {kind.value for kind in FailureKind}
    assert set(Policy().failover_on) == reasons
