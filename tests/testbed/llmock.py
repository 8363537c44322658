"""llmock: a stand-in for hosted vendors that breaks on demand and judges how its clients bear it.

Chat and Responses at `base_url`, Messages at `messages_url`. Any key and any model name will do.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from testbed.serverprocess import ServerProcess
from testbed.venvs import venv

PINS: Final = ("llmock==0.2.2",)


def prepare() -> Path:
    """The environment that it runs in, 66 MB; installed on the first call."""
    return venv("llmock", PINS)


class Llmock(ServerProcess):
    """`errors` maps a status to its share of the requests, `faults` a broken stream's kind to its share.

    Kinds: disconnect, truncate, stall, malformed. `window` in tokens: a longer prompt is refused.
    """

    def __init__(
        self, *, errors: Mapping[int, float] | None = None, faults: Mapping[str, float] | None = None, window: int = 0
    ) -> None:
        super().__init__()
        self._arguments = [f"--error-rate={status}={share}" for status, share in (errors or {}).items()]
        self._arguments += [f"--stream-fault={kind}={share}" for kind, share in (faults or {}).items()]
        self._arguments += [f"--context-window={window}"] if window else []

    @property
    def messages_url(self) -> str:
        return f"{self.base_url}/anthropic"

    def command(self) -> Sequence[str]:
        fixed = ["serve", "--host", "127.0.0.1", "--port", str(self.port), "--log-level", "warning"]
        return [str(prepare() / "bin" / "llmock"), *fixed, *self._arguments]

    def verdict(self) -> dict[str, Any]:
        """How it judges its clients: whether they waited as long as they were told, and did not storm it."""
        answer: dict[str, Any] = self.get("/_llmock/verdict").raise_for_status().json()
        return answer
