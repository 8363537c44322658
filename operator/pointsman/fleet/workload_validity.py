"""What of `spec.deploy` Kubernetes would take for something else than it says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pointsman.engines.vllm_parallelism import nodes
from pointsman.fleet.quantity import canonical

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pointsman.api.deploy import Deploy


def refusals(deploy: Deploy) -> Iterator[str]:
    """Path, reason and how to mend it; nothing when it is sound. What is no quantity is told of elsewhere."""
    if _is_nothing(deploy.shared_memory_size):
        yield "spec.deploy.sharedMemorySize: 0 would be no bound at all: state a size, such as 8Gi, or remove it"
    stated = deploy.rollout.strategy if deploy.rollout else None
    if stated == "Recreate" and nodes(deploy) > 1:
        yield (
            "spec.deploy.rollout.strategy: replicas of several nodes (spec.deploy.parallelism.nodes) are replaced one "
            "after another, the old one first, and Recreate is not known there: remove it"
        )


def _is_nothing(quantity: int | str | None) -> bool:
    try:
        return quantity is not None and canonical(quantity) == "0"
    except ValueError:
        return False
