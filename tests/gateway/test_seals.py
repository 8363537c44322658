"""What was thought in earlier turns, and a target that refuses to take it back: it is asked again without."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.conftest import Start, chain, provider
from gateway.fakeupstream import ACTS, TEXT, Answer, FakeUpstream
from pointsman.dialects import seals
from pointsman.names import Dialect
from pointsman.neutral import Seal

STREAM = pytest.mark.parametrize("stream", [True, False])
SAID = {
    "messages": (400, "messages.1.content.0: Invalid `signature` in `thinking` block"),
    "responses": (400, "The encrypted content gAAA...DQ== could not be verified."),
}
THOUGHTS = {"messages": "thinking", "responses": "reasoning"}
BOTH = pytest.mark.parametrize("dialect", list(SAID))


def conversation(dialect: str, sealed: str) -> dict[str, Any]:
    """One with a thought in it."""
    if dialect == "messages":
        thought = {"type": "thinking", "thinking": "hm", "signature": sealed}
        said = [thought, {"type": "text", "text": "so"}]
        turns = [("user", "hi"), ("assistant", said), ("user", "and?")]
        return {"messages": [{"role": role, "content": content} for role, content in turns]}
    thought = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": sealed}
    return {"input": [{"role": "user", "content": "hi"}, thought, {"role": "assistant", "content": "so"},
                      {"role": "user", "content": "and?"}]}  # fmt: skip


async def _sealed(answer: Answer) -> bool:
    """Takes no thoughts back."""
    if f'"type": "{THOUGHTS[answer.dialect]}"' in json.dumps(answer.seen.body):
        return await answer.error(*SAID[answer.dialect], "invalid_request_error")
    return await (answer.stream() if answer.streamed else answer.answer())


ACTS["sealed"] = _sealed


@BOTH
@STREAM
async def test_it_is_asked_again_without_them(start: Start, upstream: FakeUpstream, dialect: str, stream: bool) -> None:
    """Once, and the header names what it was not told."""
    gateway = await start(chain(provider("a", upstream, "sealed")))
    reply = await gateway.ask(dialect, stream=stream, **conversation(dialect, "gAAA"))
    assert (reply.status, reply.text) == (200, TEXT)
    assert f"dropped={THOUGHTS[dialect]}" in reply.decision
    assert len(upstream.seen) == 2
    assert "so" in json.dumps(upstream.seen[1].body)


@BOTH
async def test_what_it_refuses_otherwise_is_told(start: Start, upstream: FakeUpstream, dialect: str) -> None:
    """Nothing is asked again for another reason."""
    gateway = await start(chain(provider("a", upstream, "wrong")))
    assert (await gateway.ask(dialect, **conversation(dialect, "gAAA"))).status == 400
    assert len(upstream.seen) == 1


@BOTH
async def test_without_thoughts_there_is_nothing_to_leave_out(
    start: Start, upstream: FakeUpstream, dialect: str
) -> None:
    """The refusal is told."""
    ACTS["never"] = lambda answer: answer.error(*SAID[answer.dialect], "invalid_request_error")
    gateway = await start(chain(provider("a", upstream, "never")))
    assert (await gateway.ask(dialect)).status == 400
    assert len(upstream.seen) == 1


async def test_its_own_seal_comes_back_to_it(start: Start, upstream: FakeUpstream) -> None:
    """Packed by this gateway for a client of any dialect, unpacked for its maker; another is not shown it."""
    own = {"id": "rs_1", "encrypted_content": "gAAA", "summary": []}
    packed = seals.write(Dialect.RESPONSES, Seal(Dialect.RESPONSES, own, "a"))
    for name, shown in (("a", True), ("b", False)):
        gateway = await start(chain(provider(name, upstream)))
        assert (await gateway.ask("responses", **conversation("responses", packed))).status == 200
        assert ("gAAA" in json.dumps(upstream.seen[-1].body)) is shown
        assert "pm1." not in json.dumps(upstream.seen[-1].body)
