"""What must hold of a case: functions from a case to complaints. How an answer came about is not its business."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from typing import Any, Final

from wall.answers import ARGUMENTS, OTHER, TEXT, TOOL, big, pieces
from wall.cases import PROMPT_TOKENS, Asked, Case
from wall.faults import NOWHERE
from wall.frames import CHAT, MESSAGES, RESPONSES
from wall.journal import Attempt

Check = Callable[[Case], Iterable[str]]
_FINISH: Final = {
    CHAT: ("stop", "tool_calls"),
    RESPONSES: ("completed", "completed"),
    MESSAGES: ("end_turn", "tool_use"),
}
TEXTS: Final = {"": TEXT, "other": OTHER, "short": "".join(pieces(TEXT)[:12]), "none": ""}
_HIDDEN: Final = {401, 402, 403}  # never the client's, when they are an upstream's


def judge(case: Case) -> list[str]:
    """All complaints, each once; none: the case is passed."""
    said = [*case.scenario.check(case), *calm(case), *met(case)]
    return list(dict.fromkeys(said)) if case.asked else ["nothing was asked"]


def all_of(*checks: Check) -> Check:
    return lambda case: (text for check in checks for text in check(case))


def by_form(streamed: Check, whole_form: Check) -> Check:
    return lambda case: (streamed if case.form.streamed else whole_form)(case)


# What the client saw


def whole(which: str = "", *, call: bool = False) -> Check:
    """Every answer is the right one, whole, once, with one end, in the dialect's grammar."""
    return lambda case: (text for asked in case.asked for text in _whole(case, asked, which, call=call))


def _whole(case: Case, asked: Asked, which: str, *, call: bool) -> Iterator[str]:
    received, reading = asked.received, asked.reading
    if received.trouble:
        yield received.trouble
        return
    if received.status != 200:
        yield f"status {received.status}: {received.body[:160].decode('utf-8', 'replace')}"
        return
    if not received.ended:
        yield "the body is cut off"
    if reading.error is not None:
        yield f"an error in the answer: {json.dumps(reading.error)[:160]}"
    yield from reading.troubles
    yield from _text(reading.text, "".join(big()) if which == "big" else TEXTS[which])
    yield from _calls(reading.calls, call=call)
    yield from _end(case, asked, call=call)


def _text(said: str, due: str) -> Iterator[str]:
    if said == due:
        return
    shared = next((at for at, (one, other) in enumerate(zip(said, due, strict=False)) if one != other), None)
    if shared is None:
        kind = f"truncated after {len(said)} of {len(due)}" if len(said) < len(due) else "goes on after its end"
    else:
        kind = f"differs from character {shared}: {said[max(shared - 20, 0) : shared + 30]!r}"
    yield f"the text {kind}"


def _calls(calls: list[tuple[str, str]], *, call: bool) -> Iterator[str]:
    if len(calls) != int(call):
        yield f"{len(calls)} tool calls instead of {int(call)}"
    for name, arguments in calls:
        try:
            if name != TOOL or json.loads(arguments) != ARGUMENTS:
                yield f"a wrong tool call: {name}({arguments})"
        except ValueError:
            yield f"half a tool call: {name}({arguments})"


def _end(case: Case, asked: Asked, *, call: bool) -> Iterator[str]:
    reading = asked.reading
    if case.form.streamed and len(reading.terminals) != 1:
        yield f"{len(reading.terminals)} terminal events"
    due = _FINISH[case.form.dialect][int(call)]
    if reading.finish != due:
        yield f"finished as {reading.finish or 'nothing'}, not {due}"
    if reading.usage is None or min(reading.usage) < 1:
        yield f"usage is {reading.usage}"


def broken(case: Case) -> Iterator[str]:
    """A part of the answer, then the dialect's own error, and nothing that a client could take for an end."""
    for asked in case.asked:
        received, reading = asked.received, asked.reading
        if received.status != 200:
            yield f"status {received.status} instead of a stream that ends with an error"
            continue
        if received.trouble:
            yield received.trouble
        if reading.error is None:
            yield "no error in the stream"
        if reading.terminals or reading.finish:
            yield f"a part is presented as whole: {[*reading.terminals, reading.finish]}"
        if not reading.text or not TEXT.startswith(reading.text):
            yield f"the text is not a part of the answer: ...{reading.text[-60:]!r}"
        yield from reading.troubles


def refused(status: int, code: str) -> Check:
    """The dialect's own error document with that status and code; 429 and 503 say when to come again."""
    return lambda case: (text for asked in case.asked for text in _refused(case, asked, status, code))


def _refused(case: Case, asked: Asked, status: int, code: str) -> Iterator[str]:
    received = asked.received
    body = received.body.decode("utf-8", "replace")
    if received.trouble or received.status != status:
        yield f"status {received.status} instead of {status}: {received.trouble or body[:160]}"
        return
    if code.lower() not in body.lower().replace(" ", "_"):
        yield f"{code} is not said: {body[:200]}"
    yield from _error_shape(case, body)
    wait = received.fields.get("retry-after", "")
    if status in {429, 503} and not (wait.isdigit() and int(wait) >= 1):
        yield f"Retry-After is {wait!r}"


def _error_shape(case: Case, body: str) -> Iterator[str]:
    try:
        document: Any = json.loads(body)
        error = document["error"]
        ok = isinstance(error["message"], str) and isinstance(error["type"], str)
        if case.form.dialect == MESSAGES:
            ok = ok and document["type"] == "error"
    except (ValueError, KeyError, TypeError):
        ok = False
    if not ok:
        yield f"not an error of the dialect: {body[:160]}"


def never_of_a_key(case: Case) -> Iterator[str]:
    """An upstream's 401, 402 or 403 is not the client's."""
    for asked in case.asked:
        if asked.received.status in _HIDDEN:
            yield f"the client got {asked.received.status}"


def within(seconds: float) -> Check:
    return lambda case: (
        f"took {asked.received.seconds:.1f} s, more than {seconds:g}"
        for asked in case.asked
        if asked.received.seconds > seconds
    )


def first_token(seconds: float) -> Check:
    """The first real output comes in time."""

    def check(case: Case) -> Iterator[str]:
        for asked in case.asked:
            first = asked.reading.first_output or asked.received.closed
            if first - asked.received.asked > seconds:
                yield f"the first token came after {first - asked.received.asked:.1f} s, more than {seconds:g}"

    return check


def accounted(place: int) -> Check:
    """The answer names the model that gave it, and tells what it cost."""

    def check(case: Case) -> Iterator[str]:
        for asked in case.asked:
            due = case.scenario.chain[place]
            if asked.reading.model != due:
                yield f"response.model is {asked.reading.model!r}, answered by {due!r}"
            if asked.reading.usage != (PROMPT_TOKENS, len(pieces(TEXT))):
                yield f"usage {asked.reading.usage} instead of {(PROMPT_TOKENS, len(pieces(TEXT)))}"

    return check


def told_of_all(case: Case) -> Iterator[str]:
    """After a rescue the usage is that of the whole answer, near enough: what was cut off told none."""
    for asked in case.asked:
        _, spent = asked.reading.usage or (0, 0)
        if abs(spent - len(pieces(TEXT))) > 10:
            yield f"usage tells {spent} tokens for an answer of {len(pieces(TEXT))}"


# What the wall saw


def met(case: Case) -> Iterator[str]:
    """The fault was met: a gateway that never asks the primary has not been tried."""
    nowhere = case.scenario.chain[0] in NOWHERE or 0 in case.scenario.outside
    if not nowhere and not case.place(0).attempts:
        yield "the primary was never asked"


def calm(case: Case) -> Iterator[str]:
    """At most six attempts a request, four in 3 s at one target, none before its Retry-After."""
    by_request: dict[str, list[Attempt]] = defaultdict(list)
    for attempt in case.attempts():
        by_request[attempt.request].append(attempt)
    for attempts in by_request.values():
        if len(attempts) > 6:
            yield f"{len(attempts)} attempts for one request"
        yield from _hammered(attempts)
    for at in range(len(case.scenario.chain)):
        attempts = case.place(at).attempts
        for before, after in pairwise(attempts):
            if before.fault == "status 429" and after.at - before.at < 1.8:
                yield f"asked again {after.at - before.at:.1f} s after Retry-After: 2"


def _hammered(attempts: list[Attempt]) -> Iterator[str]:
    for provider in {attempt.provider for attempt in attempts}:
        times = [attempt.at for attempt in attempts if attempt.provider == provider]
        if any(later - earlier < 3 for earlier, later in zip(times, times[4:], strict=False)):
            yield "more than 4 attempts in 3 s at one target"


def attempts(place: int, least: int, most: int) -> Check:
    """How often each request may come to a target of the chain."""

    def check(case: Case) -> Iterator[str]:
        for asked in case.asked:
            count = sum(attempt.request == asked.mark for attempt in case.place(place).attempts)
            if not least <= count <= most:
                yield f"{count} attempts at target {place + 1}, allowed are {least} to {most}"

    return check


def untouched(place: int) -> Check:
    """No request at all has come there."""
    return lambda case: ["a request went outside the fence"] if case.place(place).posts else []


def returned(seconds: float, outage: float) -> Check:
    """The primary answers again soon after it has recovered."""

    def check(case: Case) -> Iterator[str]:
        tried = case.place(0).attempts
        well = [attempt.at for attempt in tried if attempt.whole]
        if not tried or not well:
            yield "never back at the primary"
        elif well[0] - (tried[0].at + outage) > seconds:
            yield f"back at the primary {well[0] - tried[0].at - outage:.1f} s after it recovered"

    return check


def left_at_once(seconds: float) -> Check:
    """When the client leaves, the call to the target ends."""

    def check(case: Case) -> Iterator[str]:
        for attempt in case.attempts():
            left = case.asked[0].received.closed
            if not attempt.gone:
                yield "the target was not told that the client has left"
            elif attempt.gone - left > seconds:
                yield f"the target was told {attempt.gone - left:.1f} s after the client had left"

    return check
