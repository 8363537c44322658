"""An answer that broke off, and the stream of the target that takes it up, as one answer for the client.

`Joint` is fed the frames of the new stream and gives the frames that the client gets. What was sent already is held
back; the rest comes under the ids, indexes and numbers that the client knows, and the ends speak of the whole answer.
Where reasoning alone was sent, a target that reasons otherwise answers all the same: its answer follows what the client
has of the first one's reasoning, and its own reasoning, with all that seals it, is left out. Where text was sent, the
target may reason otherwise, or at all, if its text begins with what was sent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from pointsman import dialects
from pointsman.dialects.chat import rest as rest_chat
from pointsman.dialects.messages import rest as rest_messages
from pointsman.dialects.replay import DIVERGED, Replay
from pointsman.dialects.responses import rest as rest_responses
from pointsman.dialects.rest import STOP, Answer, Heard, carried
from pointsman.dialects.seam import Seam
from pointsman.dialects.told import Json, decode, unreadable
from pointsman.exchange import Failure
from pointsman.names import Dialect, Way

if TYPE_CHECKING:
    from pointsman.dialects.rest import Reader, Rest
    from pointsman.dialects.resume import Step
    from pointsman.dialects.told import Told
    from pointsman.sse import Frame

RESTS: Final[dict[Dialect, type[Rest]]] = {
    Dialect.CHAT: rest_chat.Rest,
    Dialect.RESPONSES: rest_responses.Rest,
    Dialect.MESSAGES: rest_messages.Rest,
}
READERS: Final[dict[Dialect, type[Reader]]] = {
    Dialect.CHAT: rest_chat.Reader,
    Dialect.RESPONSES: rest_responses.Reader,
    Dialect.MESSAGES: rest_messages.Reader,
}
_LAST: Final = {
    Dialect.CHAT: b"data: [DONE]\n\n",
    Dialect.MESSAGES: b'event: message_stop\ndata: {"type":"message_stop"}\n\n',
}


ANSWERS: Final[dict[Dialect, type[Answer]]] = {
    Dialect.CHAT: rest_chat.Answer,
    Dialect.RESPONSES: rest_responses.Answer,
    Dialect.MESSAGES: rest_messages.Answer,
}
_STRANGE: Final = (AttributeError, TypeError, KeyError, ValueError, IndexError)


def rest_after(home: Dialect, told: Told) -> Rest | None:
    """What writes the rest of an answer; None: it cannot be gone on from. `told` must be folded."""
    try:
        return RESTS[home].after(told)
    except _STRANGE:
        return None  # events that are put together as none of the dialect's are


def answer_after(home: Dialect, told: Told) -> Answer | None:
    """What passes on another answer after reasoning; None: more than that was told. `told` must be folded."""
    try:
        return ANSWERS[home].after(told)
    except _STRANGE:
        return None


class Joint:
    """One answer out of two streams. State: that of the one way in which this target takes it up."""

    def __init__(self, home: Dialect, told: Told, step: Step) -> None:
        """`told` must not grow before `caught_up`. ValueError: a step to go on from what cannot be gone on from."""
        self._way = Continued(home, told, step) if step.prefix else Asked(home, told, step)

    @property
    def caught_up(self) -> bool:
        """Everything that was sent before has been accounted for: what comes may be passed on."""
        return self._way.caught_up

    def feed(self, frame: Frame) -> bytes | Failure:
        """A frame of the step's dialect in; frames of the client's out, maybe none."""
        return self._way.feed(frame)

    def close(self) -> bytes | Failure:
        """The stream came to its proper end: what completes the answer, where it has not been given yet."""
        return self._way.close()


class Replayed:
    """A replay, which ends as every answer of its dialect does even if the target forgets to. State: whether it has."""

    def __init__(self, home: Dialect, told: Told) -> None:
        self._replay = Replay(dialects.ALL[home], told)
        self._last = _LAST.get(home, b"")

    @property
    def caught_up(self) -> bool:
        return self._replay.caught_up

    def feed(self, frame: Frame) -> bytes | Failure:
        if frame.data == b"[DONE]" or b'"message_stop"' in frame.data:
            self._last = b""
        return self._replay.feed(frame)

    def close(self) -> bytes | Failure:
        closed, last = self._replay.close(), self._last
        self._last = b""
        return closed + last if isinstance(closed, bytes) else closed


class Asked:
    """The same request again: a replay, or where the target reasons otherwise, its own answer without that.

    State: what of the replay is held while it may turn out to differ, and whether it has.
    """

    def __init__(self, home: Dialect, told: Told, step: Step) -> None:
        self._way: Replayed | Answered | Continued = Replayed(home, told)
        self._other = _otherwise(home, told, step)
        self._held: list[Frame] = []

    @property
    def caught_up(self) -> bool:
        return self._way.caught_up

    def feed(self, frame: Frame) -> bytes | Failure:
        passed = self._way.feed(frame)
        if self._other is None:
            return passed
        self._held.append(frame)
        if isinstance(passed, Failure):
            return self._turn()
        if self._way.caught_up:
            self._other, self._held = None, []
        return passed

    def close(self) -> bytes | Failure:
        closed = self._way.close()
        if self._other is None or isinstance(closed, bytes):
            return closed
        passed, closed = self._turn(), self._way.close()
        if isinstance(passed, Failure) or isinstance(closed, Failure):
            return DIVERGED
        return passed + closed

    def _turn(self) -> bytes | Failure:
        assert self._other is not None  # noqa: S101 - asked before
        self._way, self._other = self._other, None
        held, self._held = self._held, []
        passed = [self._way.feed(frame) for frame in held]
        whole = [one for one in passed if isinstance(one, bytes)]
        return b"".join(whole) if len(whole) == len(passed) else DIVERGED


class Answered:
    """The target's own answer, after reasoning that it does not share. State: whether it has ended."""

    caught_up: Final = True  # nothing that was told is to come again

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._ended = False

    def feed(self, frame: Frame) -> bytes | Failure:
        if self._ended:
            return b""
        event = decode(frame)
        if event is None:
            return DIVERGED if unreadable(frame) else self.close() if frame.data == b"[DONE]" else b""
        self._ended = event.get("type") == "message_stop"
        try:
            passed = self._answer.feed(event)
        except _STRANGE:
            return DIVERGED
        return DIVERGED if passed is None else passed

    def close(self) -> bytes | Failure:
        if self._ended:
            return b""
        self._ended = True
        closed = self._answer.close()
        return DIVERGED if closed is None else closed


class Continued:
    """An answer that goes on. State: the seam, what the target said about its end, and whether that was passed on."""

    def __init__(self, home: Dialect, told: Told, step: Step) -> None:
        told.fold()
        rest = rest_after(home, told)
        if rest is None:
            raise ValueError("what was told cannot be gone on from: ask `steps` how to take it up")
        self._rest, self._reader = rest, READERS[step.dialect]()
        self._own = step.dialect is home
        self._seam = Seam("".join(rest.told), step.prefix, step.way)
        self._step = step
        self._stop = Heard()
        self._usage: Json | None = None
        self._spoke = self._reasoned = self._ended = False

    @property
    def caught_up(self) -> bool:
        return self._seam.joined

    def feed(self, frame: Frame) -> bytes | Failure:
        if self._ended:
            return b""
        if frame.data == b"[DONE]":
            return self.close()
        event = decode(frame)
        if event is None:
            return DIVERGED if unreadable(frame) else b""
        try:
            return self._hear(event)
        except _STRANGE:
            return DIVERGED  # an event that is put together as none of the dialect's is

    def close(self) -> bytes | Failure:
        if self._ended:
            return b""
        last = self._seam.end()
        # With reasoning alone the target may have taken the rest for that: such an answer is not known to be whole.
        if last is None or (self._reasoned and not self._spoke):
            return DIVERGED
        self._ended = True
        stop = self._stop
        usage = self._usage
        if usage is not None:
            step = self._step
            usage = carried(usage, 0 if self._seam.anew else step.tokens + step.reasoned, step.tokens)
        ending = Heard(stop=stop.stop or STOP, matched=stop.matched, detail=stop.detail, usage=usage)
        written = self._rest.text(last) if last else b""
        return DIVERGED if written is None else written + self._rest.end(ending, self._own)

    def _hear(self, event: Json) -> bytes | Failure:
        heard = self._reader.hear(event)
        if heard is None or not heard.well_formed() or (heard.call and not self._own):
            return DIVERGED
        self._reasoned = self._reasoned or heard.reasoning
        self._usage = heard.usage or self._usage
        if heard.stop:
            self._stop = heard
        written = self._text(heard.text) if heard.text else b""
        if heard.call and written is not None:
            written = self._call(written, event)
        if written is None:
            return DIVERGED
        if not heard.end:
            return written
        closed = self.close()
        return written + closed if isinstance(closed, bytes) else closed

    def _text(self, piece: str) -> bytes | None:
        self._spoke = True
        rest = self._seam.feed(piece)
        if not rest:
            return None if rest is None else b""
        return self._rest.text(rest)

    def _call(self, written: bytes, event: Json) -> bytes | None:
        self._spoke = True
        last = "" if self._seam.joined else self._seam.end()
        if last is None:
            return None
        text = self._rest.text(last) if last else b""
        return None if text is None else written + text + self._rest.call(event)


class Retold(Continued):
    """The whole answer again, of which the text must begin with what was told; what the target reasons is left out."""

    def __init__(self, home: Dialect, told: Told, step: Step) -> None:
        super().__init__(home, told, replace(step, home=home, way=Way.TRY, prefix=""))

    def _hear(self, event: Json) -> bytes | Failure:
        # The rest has no place for log probabilities, which the client has of each token so far.
        weighed = any(choice.get("logprobs") for choice in event.get("choices") or (event,))
        return DIVERGED if weighed else super()._hear(event)


def _otherwise(home: Dialect, told: Told, step: Step) -> Answered | Retold | None:
    """What takes the answer up from a target that does not reason as the first did; None: such a one cannot."""
    answer = answer_after(home, told)
    if answer is not None:
        return Answered(answer)
    return None if rest_after(home, told) is None else Retold(home, told, step)
