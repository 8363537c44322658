"""Which of a provider's replicas a request goes to: the least busy one, or the one that knows the prompt's head.

A server that has read a prompt's beginning before need not read it again. Rendezvous hashing sends prompts that begin
alike to the same replica, in every gateway process, and moves only its own ones when a replica goes.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

REFUSED_FOR: Final = 5.0  # seconds for which a replica that refused or stalled is not asked when there are others
SPREAD: Final = 2  # requests, and
SLACK: Final = 1.25  # times the least busy one's: how much busier the replica may be that knows the prompt's head
_WORD: Final = (1 << 64) - 1
_ODD: Final = 0x9E3779B97F4A7C15  # 2^64 / golden ratio: spreads what differs in few bits over all of them


class Replica(Protocol):
    """What the choice depends on: requests under way, when it last refused or stalled, and what `seed` gave."""

    busy: int
    refused: float
    seed: int


R = TypeVar("R", bound=Replica)


def seed(host: str, port: int) -> int:
    """A replica's number, the same in every process."""
    return zlib.crc32(f"{host}:{port}".encode()) * _ODD & _WORD


def pick(replicas: Sequence[R], now: float, affinity: int, turn: int) -> R:
    """One of the replicas. `affinity` is a number of the prompt's head, 0: none; `turn` goes up by one each time."""
    well = [replica for replica in replicas if now - replica.refused >= REFUSED_FOR]
    # Where all have refused, the one whose refusal is the oldest is the likeliest to be back.
    places = well or [min(replicas, key=lambda replica: replica.refused)]
    least = min(replica.busy for replica in places)
    if affinity:
        near = [replica for replica in places if replica.busy <= least * SLACK + SPREAD]
        return max(near, key=lambda replica: _weight(replica.seed, affinity))
    idle = [replica for replica in places if replica.busy == least]
    return idle[turn % len(idle)]


def _weight(number: int, affinity: int) -> int:
    mixed = ((affinity ^ number) * _ODD) & _WORD
    return ((mixed ^ mixed >> 32) * _ODD) & _WORD
