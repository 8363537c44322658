"""`pointsman up` over a real vLLM whose engine sleeps, hangs, or is merely busy."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from local.test_stalled import OBJECTS
from local.test_up import Up
from testbed.vllm import VllmServer
from testbed.waiting import until

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]
WITHIN = 15.0  # seconds: what the documentation promises
SIX_PROBES = 30.0


@pytest.fixture
def up(tmp_path: Path, vllm: VllmServer) -> Iterator[Up]:
    """Running, with vLLM up."""
    path = tmp_path / "objects.yaml"
    path.write_text(OBJECTS.format(url=vllm.base_url))
    running = Up(path)
    try:
        until(lambda: ups(running) == 1, 30, what="Up")
        yield running
    finally:
        running.stop()


def ups(up: Up) -> int:
    return up.said.read_text().count("Up       1 models")


def found_out(up: Up, reason: str) -> None:
    """Wait until the reason is told, and say how long that took."""
    began = time.monotonic()
    until(lambda: f"Down     {reason}: " in up.said.read_text(), 60, what=f"{reason} in {up.said.read_text()}")
    took = time.monotonic() - began
    print(f"{reason} found out after {took:.1f} s")
    assert took < WITHIN


def back(up: Up) -> None:
    began = time.monotonic()
    until(lambda: ups(up) == 2, 60, what="Up again")
    print(f"Up again after {time.monotonic() - began:.1f} s")


def test_an_engine_put_to_sleep_is_found_out(up: Up, vllm: VllmServer) -> None:
    """/health and /v1/models are 200 all the time, and chats wait for ever."""
    vllm.post("/sleep?level=1")
    try:
        found_out(up, "Asleep")
        assert vllm.healthy()
    finally:
        vllm.post("/wake_up")
    back(up)
    assert up.ask("one").status_code == 200


@pytest.mark.parametrize("busy", [False, True], ids=["idle", "answering"])
def test_an_engine_that_hangs_is_found_out(up: Up, vllm: VllmServer, busy: bool) -> None:
    """Whether or not it was at work when it stopped."""
    with Endless(vllm, tokens=4000 if busy else 0):
        vllm.signal_engine(signal.SIGSTOP)
        try:
            found_out(up, "EngineStalled")
            assert vllm.healthy()
        finally:
            vllm.signal_engine(signal.SIGCONT)
        back(up)


def test_an_engine_at_work_is_not_judged_dead(up: Up, vllm: VllmServer) -> None:
    """Eight answers fill all its places for half a minute and eight wait, with the probe's request behind them."""
    began = time.monotonic()
    with Endless(vllm, tokens=8000, times=16):
        until(lambda: time.monotonic() - began > SIX_PROBES or "Down" in up.said.read_text(), 60)
        running, waiting = vllm.metric("num_requests_running"), vllm.metric("num_requests_waiting")
    print(f"after {time.monotonic() - began:.0f} s: {running:.0f} running, {waiting:.0f} waiting")
    assert running
    assert "Down" not in up.said.read_text()


class Endless:
    """Answers that do not end by themselves, under way while this lasts."""

    def __init__(self, vllm: VllmServer, tokens: int, times: int = 1) -> None:
        self._vllm, self._tokens, self._left = vllm, tokens, threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(times if tokens else 0)]

    def __enter__(self) -> None:
        for thread in self._threads:
            thread.start()
        if self._threads:
            until(lambda: self._vllm.metric("num_requests_running") > 0, what="an answer under way")

    def __exit__(self, *_: object) -> None:
        self._left.set()
        for thread in self._threads:
            thread.join()

    def _ask(self) -> None:
        said = [{"role": "user", "content": "Count."}]
        asked = {"model": "tiny", "messages": said, "max_tokens": self._tokens, "ignore_eos": True, "stream": True}
        url = f"{self._vllm.base_url}/v1/chat/completions"
        with (
            httpx.Client(trust_env=False, timeout=120) as client,
            client.stream("POST", url, json=asked) as reply,
        ):
            for _ in reply.iter_raw():
                if self._left.is_set():
                    return
