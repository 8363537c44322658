"""vLLM takes up an answer that broke off elsewhere: it is asked for the rest, and generates nothing else."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from dialects.answers import read
from gateway.conftest import chain, provider
from gateway.process import gateway_process
from pointsman import dialects
from pointsman.names import Dialect
from pointsman.sse import Frame
from real.asking import ASKED, PATIENT, ask, broken_off
from testbed.tinymodel import LONG
from testbed.vllm import VllmServer

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]
every = pytest.mark.parametrize("dialect", list(Dialect))
cuts = pytest.mark.parametrize("cut", [1, 2, 99, 1000, 1990, 2001])
TOKENS = 2003  # with the one that ends it


def begun(dialect: Dialect, stream: list[Frame], tokens: int) -> tuple[list[Frame], int, int]:
    """The frames that tell that many tokens at least, how many they tell, and in how many pieces.

    A busy vLLM puts several tokens into one event.
    """
    text, pieces = "", 0
    for i, frame in enumerate(stream):
        event = json.loads(frame.data) if frame.data.startswith(b"{") else {}
        said = dialects.ALL[dialect].said(event) if event else None
        for _, piece in said.texts if said else ():
            text, pieces = text + piece, pieces + bool(piece)
        if (told := len(re.findall(r":|\w+", text))) >= tokens:
            return stream[: i + 1], told, pieces
    raise AssertionError(f"the answer is shorter: {text[-50:]!r}")


@every
@cuts
async def test_the_answer_is_whole(
    tmp_path: Path, vllm: VllmServer, answers: dict[Dialect, list[Frame]], dialect: Dialect, cut: int
) -> None:
    """The whole text once, in the client's dialect, with the usage of all of it; of vLLM only the rest is asked."""
    whole = read(dialect, b"".join(frame.raw for frame in answers[dialect]))
    assert whole.usage
    sent, told, pieces = begun(dialect, answers[dialect], cut)
    before = vllm.metric("generation_tokens_total")
    async with broken_off(sent) as url:
        table = chain(
            provider("first", url, "tiny", type="VLLM"),
            provider("vllm", vllm.base_url, "tiny", type="VLLM"),
            policy=PATIENT,
        )
        async with gateway_process(tmp_path, table) as gateway:
            there = f"http://127.0.0.1:{gateway.port}"
            stream = await ask(there, dialect, "assistant", ASKED[dialect])
    answer = read(dialect, b"".join(frame.raw for frame in stream))
    assert (answer.text, answer.stop) == (LONG, whole.stop)
    generated = vllm.metric("generation_tokens_total") - before
    print(f"{dialect} cut at {told} in {pieces}: {generated:.0f} generated, usage {answer.usage} of {whole.usage}")
    assert generated == TOKENS - told
    # What was told before is counted in pieces.
    assert answer.usage == (whole.usage[0] + told - pieces, whole.usage[1] - told + pieces)
