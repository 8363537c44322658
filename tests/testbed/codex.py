"""Codex, OpenAI's agent, which speaks Responses."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from testbed import agents, nodejs

VERSION: Final = "0.169.0"
_CONFIG: Final = """\
model_provider = "local"
model_context_window = 100000
check_for_update_on_startup = false
approval_policy = "never"
sandbox_mode = "danger-full-access"
web_search = "disabled"
[analytics]
enabled = false
[feedback]
enabled = false
[otel]
exporter = "none"
[history]
persistence = "none"
[features]
plugins = false
[model_providers.local]
name = "local"
base_url = "{url}/v1"
env_key = "LOCAL_KEY"
wire_api = "responses"
request_max_retries = 0
stream_max_retries = 0
stream_idle_timeout_ms = 60000
supports_websockets = false
"""


def package() -> Path:
    """Where it is, 404 MB; fetched on the first call."""
    return nodejs.npm_package("@openai/codex", VERSION)


async def execute(folder: Path, url: str, model: str, prompt: str) -> agents.Ran:
    """`codex exec` in `folder / "work"`. Its sandbox is off: what it runs is ours."""
    home, work = folder / "home", folder / "work"
    for one in (home, work):
        one.mkdir(parents=True, exist_ok=True)
    (home / "config.toml").write_text(_CONFIG.format(url=url))
    arguments = ["exec", "--skip-git-repo-check", "--json", "-m", model, prompt]
    environment = {"HOME": str(home), "CODEX_HOME": str(home), "LOCAL_KEY": "x", "RUST_LOG": "error"}
    return await agents.run([*nodejs.script(package(), "codex"), *arguments], work, environment)
