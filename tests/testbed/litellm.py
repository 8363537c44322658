"""A real LiteLLM proxy, from a virtual environment of its own that is kept in the cache (576 MB).

`python -m testbed.litellm` puts it there. It starts in some twenty seconds.
"""

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from testbed import venvs
from testbed.serverprocess import ServerProcess

# Without prisma a missing key is answered with 500, without prometheus-client /metrics is not there.
PINS: Final = ("litellm[proxy]==1.106.2", "prometheus-client==0.25.0", "prisma==0.15.0")
KEY: Final = "sk-litellm-key"
_NAME: Final = "litellm"


def prepare() -> Path:
    """The environment that it runs in; installed on the first call."""
    return venvs.venv(_NAME, PINS)


def installed() -> Path | None:
    """The environment, None: `prepare` was never called."""
    return venvs.installed(_NAME, PINS)


class LiteLlm(ServerProcess):
    """A proxy that asks for KEY. `models` maps the name that it serves to LiteLLM's parameters of the backend.

    With `cooldowns`, as it comes: one client's 404 from a backend takes that backend from everybody for five seconds.
    """

    health = "/health/readiness"
    patience = 180.0

    def __init__(self, models: Mapping[str, Mapping[str, Any]], *, cooldowns: bool = False) -> None:
        super().__init__()
        listed = [{"model_name": name, "litellm_params": dict(each)} for name, each in models.items()]
        settings: dict[str, Any] = {
            "model_list": listed,
            "general_settings": {"master_key": KEY},
            "litellm_settings": {"telemetry": False, "num_retries": 0},
            "router_settings": {"disable_cooldowns": not cooldowns, "num_retries": 0},
        }
        self._settings = tempfile.NamedTemporaryFile("w", prefix="litellm-", suffix=".yaml")  # noqa: SIM115
        json.dump(settings, self._settings)  # which is YAML too
        self._settings.flush()

    def command(self) -> Sequence[str]:
        fixed = ["--host", "127.0.0.1", "--port", str(self.port), "--config", self._settings.name]
        return ["nice", str(prepare() / "bin" / "litellm"), *fixed, "--telemetry", "False"]

    def variables(self) -> Mapping[str, str]:
        # The map of costs is otherwise fetched from the Internet at the start.
        return {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_TELEMETRY": "False", "DISABLE_ADMIN_UI": "True"}

    def close(self) -> None:
        super().close()
        self._settings.close()


def backend(url: str, model: str = "tiny", provider: str = "openai") -> dict[str, Any]:
    """A backend in LiteLLM's words; `provider` is one of its own: openai, hosted_vllm, ollama, anthropic."""
    return {"model": f"{provider}/{model}", "api_base": f"{url}/v1", "api_key": "none"}


if __name__ == "__main__":
    print(prepare())
