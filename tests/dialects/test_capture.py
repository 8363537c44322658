"""What a client is sent of an answer that is kept: the gateway's own id in every event that has one, all else as is."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.dialects import capture, stored
from pointsman.dialects.capture import Capture
from pointsman.dialects.stored import Items, Turn
from pointsman.sse import frames

OWN = "resp_ours"
FIRST = Turn((), Items(b""))
LATER = Turn((), Items(b""), "resp_before")


def event(kind: str, **more: Any) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), json.dumps({"type": kind, **more}).encode())


def response(status: str, **more: Any) -> dict[str, Any]:
    return {"id": "resp_7", "object": "response", "status": status, "output": [], **more}


STREAM = (
    event("response.created", response=response("in_progress")),
    event("response.output_text.delta", item_id="m", delta='say "response" and response.completed'),
    b": keep-alive\n\n",
    event("response.completed", response=response("completed", output=[{"type": "message", "id": "m"}])),
)


@given(st.lists(st.integers(0, len(STREAM)), max_size=4), st.booleans())
def test_the_response_goes_by_the_gateways_id(cuts: list[int], named: bool) -> None:
    """Wherever the stream is cut into runs; with the id that the request went on from."""
    followed = Capture(OWN, LATER if named else FIRST)
    edges = sorted({0, *cuts, len(STREAM)})
    sent = b"".join(followed.feed(b"".join(STREAM[a:b])) for a, b in pairwise(edges))
    events = [json.loads(frame.data) for frame in frames(sent) if frame.data]
    shown = [each["response"] for each in events if "response" in each]
    assert [each["id"] for each in shown] == [OWN, OWN]
    assert [each.get("previous_response_id") for each in shown] == ["resp_before" if named else None] * 2
    assert [frame.event for frame in frames(sent)] == [frame.event for frame in frames(b"".join(STREAM))]
    assert json.loads(followed.response) == shown[-1]


def test_all_other_frames_pass_byte_for_byte() -> None:
    """Text may speak of responses as it likes."""
    sent = Capture(OWN, FIRST).feed(b"".join(STREAM))
    assert STREAM[1] in sent
    assert STREAM[2] in sent
    assert Capture(OWN, FIRST).feed(STREAM[1]) is STREAM[1]


def test_servers_that_name_no_events_are_followed_too() -> None:
    """LiteLLM sends the data alone, and a [DONE]."""
    followed = Capture(OWN, FIRST)
    bare = b"".join(b"data: %b\n\n" % frame.data for frame in frames(STREAM[0] + STREAM[3])) + b"data: [DONE]\n\n"
    sent = followed.feed(bare)
    assert sent.count(b"event:") == 0
    assert sent.endswith(b"data: [DONE]\n\n")
    assert json.loads(followed.response)["id"] == OWN


@pytest.mark.parametrize("kind", ["response.failed", "response.in_progress", "response.created"])
def test_only_what_is_finished_is_kept(kind: str) -> None:
    """A failed answer has the id, and cannot be gone on from."""
    followed = Capture(OWN, FIRST)
    assert OWN.encode() in followed.feed(event(kind, response=response("failed")))
    assert followed.response == b""


def test_an_answer_cut_by_its_limit_is_kept() -> None:
    """It is one, and clients go on from it."""
    followed = Capture(OWN, FIRST)
    followed.feed(event("response.incomplete", response=response("incomplete")))
    assert json.loads(followed.response)["status"] == "incomplete"


def test_a_whole_answer_is_renamed_and_kept() -> None:
    """All its other fields stay, in their order."""
    followed = Capture(OWN, LATER)
    body = json.dumps(response("completed", metadata={"a": 1})).encode()
    found = json.loads(followed.whole(body))
    expected = response("completed", metadata={"a": 1}, previous_response_id="resp_before", store=True)
    assert found == {**expected, "id": OWN}
    assert json.loads(followed.response) == found


def test_without_an_id_of_its_own_an_answer_keeps_its() -> None:
    """A request with store: false goes on from a response, and is not gone on from."""
    followed = Capture("", LATER)
    found = json.loads(followed.whole(json.dumps(response("completed")).encode()))
    assert (found["id"], found["previous_response_id"]) == ("resp_7", "resp_before")


def test_what_is_too_large_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is bounded for each answer too."""
    monkeypatch.setattr(capture, "LIMIT", 50)
    followed = Capture(OWN, FIRST)
    assert OWN.encode() in followed.whole(json.dumps(response("completed")).encode())
    assert followed.response == b""


@given(st.binary(max_size=80).filter(lambda run: b"}" not in run))
def test_no_bytes_break_it_and_none_are_lost(run: bytes) -> None:
    """What is no event passes as it came."""
    for odd in (run, b'{"response"' + run, b'data: {"response": ' + run + b"\n\n", b'"response"\r\n\r\n' + run):
        assert Capture(OWN, FIRST).feed(odd) == odd
    assert isinstance(Capture(OWN, FIRST).whole(run), bytes)


def test_entries_come_of_what_was_sent() -> None:
    """The next turn begins with the items of the answer as the client has them."""
    followed = Capture(OWN, FIRST)
    followed.feed(b"".join(STREAM))
    entry = stored.taken(FIRST, followed.response)
    assert entry is not None
    assert json.loads(entry.output.text) == {"type": "message", "id": "m"}
