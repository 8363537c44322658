"""`pointsman up` and an engine that stops behind a server that goes on answering."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from local.test_up import Up
from prober.fakevllm import Engine, FakeVllm
from testbed.waiting import until

OBJECTS = """
apiVersion: pointsman.dev/v1alpha1
kind: ModelProvider
metadata: {{name: near}}
spec: {{type: VLLM, endpoint: {{baseUrl: "{url}/v1"}}}}
---
apiVersion: pointsman.dev/v1alpha1
kind: ModelRoute
metadata: {{name: one}}
spec: {{modelName: one, primary: {{provider: near, model: tiny}}, policy: {{context: {{warnBelow: 64000}}}}}}
"""


@pytest.mark.parametrize(("engine", "reason"), [(Engine.ASLEEP, "Asleep"), (Engine.HUNG, "EngineStalled")])
def test_an_engine_that_stops_is_found_out(tmp_path: Path, engine: Engine, reason: str) -> None:
    """With nothing set for it: /health and /v1/models are 200 all the time. A small window is warned of on the way."""
    with FakeVllm() as server:
        path = tmp_path / "objects.yaml"
        path.write_text(OBJECTS.format(url=server.base_url))
        up = Up(path)
        try:
            until(lambda: "Up       1 models" in up.said.read_text(), what="Up")
            until(lambda: "warning: route one" in up.said.read_text(), what="the warning")
            assert "near/tiny takes 32768 tokens, under 64000" in up.said.read_text()
            server.engine, began = engine, time.monotonic()
            until(lambda: f"Down     {reason}: " in up.said.read_text(), 60, what="Down")
            print(f"{reason} found out after {time.monotonic() - began:.1f} s")
            server.engine = Engine.AWAKE
            until(lambda: up.said.read_text().count("Up       1 models") == 2, 60, what="Up again")
        finally:
            up.stop()
