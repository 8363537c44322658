"""OpenClaw, the agent whose configuration the operator renders."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from testbed import agents, nodejs

VERSION: Final = "2026.9.6"  # unpinned, npm gives an empty package to older Nodes


def package() -> Path:
    """Where it is, 647 MB; fetched on the first call."""
    return nodejs.npm_package("openclaw", VERSION)


class OpenClaw:
    """One in a home of its own. State: its configuration and sessions, in `folder`."""

    def __init__(self, folder: Path, config: dict[str, Any]) -> None:
        self._folder, self._config = folder, folder / "openclaw.json"
        self.workspace = folder / "workspace"
        for one in (folder / "home", self.workspace):
            one.mkdir(parents=True, exist_ok=True)
        defaults = config.setdefault("agents", {}).setdefault("defaults", {})
        defaults["workspace"] = str(self.workspace)
        self._config.write_text(json.dumps(config, indent=1))

    async def validate(self) -> agents.Ran:
        """`config validate`."""
        return await self._run("config", "validate")

    async def infer(self, model: str, prompt: str) -> agents.Ran:
        """`infer model run`: one request without tools."""
        return await self._run("infer", "model", "run", "--local", "--model", model, "--prompt", prompt, "--json")

    async def turn(self, model: str, session: str, message: str) -> agents.Ran:
        """`agent`: a whole turn, with the long prompt and a dozen tools."""
        return await self._run(
            "agent", "--local", "--model", model, "--session-id", session, "--message", message, "--json"
        )

    async def _run(self, *arguments: str) -> agents.Ran:
        program = package() / "node_modules" / "openclaw" / "openclaw.mjs"
        environment = {
            "HOME": str(self._folder / "home"),
            "OPENCLAW_CONFIG_PATH": str(self._config),
            "OPENCLAW_STATE_DIR": str(self._folder / "state"),
        }
        return await agents.run([str(nodejs.node()), str(program), *arguments], self.workspace, environment)
