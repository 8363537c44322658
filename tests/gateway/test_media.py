"""Sound, pictures and files go through to a target of the same dialect as they came."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.conftest import PATHS, Start, chain, provider, read_reply
from gateway.fakeupstream import FakeUpstream
from gateway.process import GatewayProcess, gateway_process
from pointsman.table import Model

DATA = "UklGRiQAAABXQVZF" * 2000
URL = f"data:image/png;base64,{DATA}"
ASKED: dict[str, dict[str, Any]] = {
    "completions": {
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "What is said, and seen?"},
                    {"type": "input_audio", "input_audio": {"data": DATA, "format": "wav"}},
                    {"type": "image_url", "image_url": {"url": URL, "detail": "low"}},
                    {"type": "file", "file": {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{DATA}"}},
                ],
            }
        ],
        "modalities": ["text", "audio"],
        "audio": {"voice": "alloy", "format": "mp3"},
    },
    "responses": {
        "input": [
            {
                "role": "user",
                "content": [
                    {"type": "input_text", "text": "What is said, and seen?"},
                    {"type": "input_audio", "input_audio": {"data": DATA, "format": "mp3"}},
                    {"type": "input_image", "image_url": URL, "detail": "auto"},
                    {"type": "input_file", "filename": "a.pdf", "file_data": DATA},
                    {"type": "input_file", "file_id": "file-1"},
                ],
            },
            {"type": "function_call_output", "call_id": "c", "output": [{"type": "input_image", "image_url": URL}]},
        ]
    },
    "messages": {
        "max_tokens": 10,
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "What is seen?"},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": DATA}},
                    {
                        "type": "document",
                        "title": "a",
                        "citations": {"enabled": True},
                        "source": {"type": "base64", "media_type": "application/pdf", "data": DATA},
                    },
                    {"type": "document", "source": {"type": "file", "file_id": "file_1"}},
                ],
            }
        ],
    },
}
EVERY = pytest.mark.parametrize("dialect", sorted(ASKED))
STREAMED = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])


async def _ask(gateway: GatewayProcess, dialect: str, **more: Any) -> int:
    reader, writer = await gateway.connect()
    body = json.dumps({"model": "assistant", **ASKED[dialect], **more}).encode()
    writer.write(
        b"POST %b HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (PATHS[dialect].encode(), len(body)) + body
    )
    return (await read_reply(reader)).status


@EVERY
@STREAMED
async def test_media_go_through_unchanged(tmp_path: Path, upstream: FakeUpstream, dialect: str, stream: bool) -> None:
    """In a real process, to a target of which nothing is said of media: every value as it came, but for the model."""
    async with gateway_process(tmp_path, chain(provider("a", upstream))) as gateway:
        assert await _ask(gateway, dialect, stream=stream) == 200
    assert upstream.seen[0].body == {**ASKED[dialect], "stream": stream, "model": "ok"}


@EVERY
async def test_they_go_past_a_target_that_takes_none(
    start: Start, upstream: FakeUpstream, second: FakeUpstream, dialect: str
) -> None:
    """A model known to take text alone is passed over; the next one is sent them unchanged."""
    blind = provider("a", upstream, models=(Model(id="ok", input=("text",)),))
    gateway = await start(chain(blind, provider("b", second)))
    reply = await gateway.ask(dialect, **ASKED[dialect])
    assert reply.status == 200
    assert "answered=b/ok" in reply.decision
    assert not upstream.seen
    assert second.seen[0].body == {**ASKED[dialect], "stream": False, "model": "ok"}
