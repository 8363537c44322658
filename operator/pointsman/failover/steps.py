"""What the shell tells the failover machine, and what the machine tells the shell to do. Plain data."""

from __future__ import annotations

from math import inf
from typing import Final

import msgspec

from pointsman.exchange import Failure
from pointsman.failover.choose import Candidate


class Answered(msgspec.Struct, frozen=True, gc=False):
    """A good status and headers came."""


class Spoke(msgspec.Struct, frozen=True, gc=False):
    """The first real output came: text, reasoning, a refusal, a whole tool call."""


class Whole(msgspec.Struct, frozen=True, gc=False):
    """An answer that was not streamed is all there, and is one."""


class Finished(msgspec.Struct, frozen=True, gc=False):
    """The stream came to its proper end."""


class Broke(msgspec.Struct, frozen=True, gc=False):
    """The attempt failed: no connection, a bad status, a cut, a deadline; or it could not be made (Busy).

    `resumable`: what the client has been sent is known, and can be compared with another target's answer.
    """

    failure: Failure
    resumable: bool = False


class Rejoined(msgspec.Struct, frozen=True, gc=False):
    """The target that takes the answer up has come to where it broke off."""


class Due(msgspec.Struct, frozen=True, gc=False):
    """The time of a Wait has come, or what it waited for."""


class Slow(msgspec.Struct, frozen=True, gc=False):
    """The time of a Try's hedge has come, and there is no output yet."""


class Overtook(msgspec.Struct, frozen=True, gc=False):
    """The hedge is faster: it spoke, or is whole."""

    event: Spoke | Whole


class RivalBroke(msgspec.Struct, frozen=True, gc=False):
    """The hedge failed; the first attempt goes on."""

    failure: Failure


class Stop(msgspec.Struct, frozen=True, gc=False):
    """The gateway ends, and so must an answer that the client is reading."""

    failure: Failure


class Left(msgspec.Struct, frozen=True, gc=False):
    """The client has gone."""


class Try(msgspec.Struct, frozen=True, gc=False):
    """Send the request to a target. Its first output, or all of it if not streamed, must be here at `by` at the latest.

    `hedge_at`: when to say that it is slow; inf: never.
    """

    candidate: Candidate
    by: float
    hedge_at: float = inf


class Wait(msgspec.Struct, frozen=True, gc=False):
    """Ask nobody until `until`, or until `candidate`, of which `failure` is known, can bear a request."""

    candidate: Candidate
    failure: Failure
    until: float


class Hedge(msgspec.Struct, frozen=True, gc=False):
    """Send the request to this target too, beside the one that is under way."""

    candidate: Candidate
    by: float


class Promote(msgspec.Struct, frozen=True, gc=False):
    """The first attempt is lost: the hedge is the attempt now."""


class Hold(msgspec.Struct, frozen=True, gc=False):
    """Keep what comes; send nothing."""


class Commit(msgspec.Struct, frozen=True, gc=False):
    """Send what is held, and pass on what comes. A pause of `stall` seconds is a failure, as is the time `end_by`."""

    stall: float
    end_by: float


class Rejoin(msgspec.Struct, frozen=True, gc=False):
    """Pass on what comes from now on: the client has all that came before. As `Commit`, without a head."""

    stall: float
    end_by: float


class Deliver(msgspec.Struct, frozen=True, gc=False):
    """Send the whole answer."""


class Close(msgspec.Struct, frozen=True, gc=False):
    """Nothing more is to be done: end the answer properly, or drop the attempt if the client has gone."""


class Fail(msgspec.Struct, frozen=True, gc=False):
    """Tell the client; `committed`: inside the answer that it is reading. The run's attempts say why."""

    committed: bool


Event = Answered | Spoke | Whole | Finished | Broke | Rejoined | Due | Slow | Overtook | RivalBroke | Stop | Left
Command = Try | Wait | Hedge | Promote | Hold | Commit | Rejoin | Deliver | Close | Fail

ANSWERED: Final = Answered()
SPOKE: Final = Spoke()
WHOLE: Final = Whole()
FINISHED: Final = Finished()
REJOINED: Final = Rejoined()
DUE: Final = Due()
SLOW: Final = Slow()
LEFT: Final = Left()
HOLD: Final = Hold()
DELIVER: Final = Deliver()
CLOSE: Final = Close()
PROMOTE: Final = Promote()
