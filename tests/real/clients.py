"""The clients that vLLM's images bring for the hub and for S3, in an environment of their own, and what runs in it."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pointsman.api.deploy import Deploy
from pointsman.engines import vllm_prefetch
from testbed.venvs import venv

NEW = ("huggingface_hub==2.4.0", "boto3==1.44.5")  # as vLLM 0.32 has
OLD = ("huggingface_hub==0.36.0", "boto3==1.40.0")  # of images two years older
PAUSE = 0.05  # seconds, instead of two


def python(pins: tuple[str, ...]) -> Path:
    return venv("prefetch-clients", pins) / "bin" / "python"


def prefetch(
    interpreter: Path,
    deploy: Deploy,
    home: Path,
    secrets: Mapping[str, str] | None = None,
    *,
    tries: int = 4,
    before: tuple[str, ...] = (),
) -> subprocess.CompletedProcess[str]:
    """The Job's own command and environment, with the folders of its volumes below `home`."""
    _, _, program, plan = (word.replace("$$", "$") for word in vllm_prefetch.command(deploy))
    hurried = json.loads(moved(plan, home)) | {"pause": PAUSE, "tries": tries}
    return subprocess.run(
        [*before, str(interpreter), "-c", program, json.dumps(hurried)],
        env=environment(vllm_prefetch.env(deploy), home, secrets or {}),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def environment(entries: list[dict[str, Any]], home: Path, secrets: Mapping[str, str]) -> dict[str, str]:
    """As the kubelet would set it; a reference's value is one of `secrets`, and one that is optional may be absent."""
    plain = {each["name"]: moved(each.get("value", ""), home) for each in entries if "valueFrom" not in each}
    asked = {each["name"] for each in entries if "valueFrom" in each}
    needed = {
        each["name"] for each in entries if not each.get("valueFrom", {}).get("secretKeyRef", {}).get("optional", True)
    }
    assert needed <= set(secrets), f"no value for {needed - set(secrets)}"
    assert set(secrets) <= asked, f"nobody asks for {set(secrets) - asked}"
    return {"PATH": os.environ["PATH"]} | plain | dict(secrets)


_FOLDERS = re.compile(r"(?<![\w.])(?=/(?:cache|home/pointsman|etc/pointsman|models|adapters)(?:/|$))")


def moved(text: str, home: Path) -> str:
    """The container's folders, wherever they stand in it, below `home`."""
    return _FOLDERS.sub(str(home), text)
