"""Claude Code, Anthropic's agent, which speaks Messages."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Final

from testbed import agents, nodejs

VERSION: Final = "2.1.329"
_ARCHITECTURES: Final = {"x86_64": "x64", "aarch64": "arm64"}
_QUIET: Final = {
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "DISABLE_TELEMETRY": "1", "DISABLE_ERROR_REPORTING": "1",
    "DISABLE_AUTOUPDATER": "1", "DISABLE_BUG_COMMAND": "1", "CLAUDE_CODE_MAX_RETRIES": "0", "IS_SANDBOX": "1",
    "API_TIMEOUT_MS": "60000",
}  # fmt: skip


def package() -> Path:
    """Where it is, 361 MB; fetched on the first call."""
    return nodejs.npm_package("@anthropic-ai/claude-code", VERSION)


def program() -> Path:
    """The binary, which the package's install script, which is not run, would put in its place."""
    machine = f"claude-code-linux-{_ARCHITECTURES.get(platform.machine(), platform.machine())}"
    return package() / "node_modules" / "@anthropic-ai" / machine / "claude"


async def ask(folder: Path, url: str, model: str, prompt: str) -> agents.Ran:
    """`claude -p` in `folder / "work"`, where it may read."""
    home, work = folder / "home", folder / "work"
    for one in (home, work):
        one.mkdir(parents=True, exist_ok=True)
    names = ("ANTHROPIC_MODEL", "ANTHROPIC_SMALL_FAST_MODEL", "ANTHROPIC_DEFAULT_HAIKU_MODEL")
    environment = {
        "HOME": str(home), "ANTHROPIC_BASE_URL": url, "ANTHROPIC_AUTH_TOKEN": "x", **_QUIET,
        **dict.fromkeys(names, model),
    }  # fmt: skip
    return await agents.run(
        [str(program()), "-p", "--output-format", "json", "--model", model, prompt], work, environment
    )
