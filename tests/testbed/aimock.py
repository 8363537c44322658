"""aimock: a stand-in for hosted vendors in all three dialects, in which the name of the model picks the fault.

OpenAI and Anthropic at `base_url`, OpenRouter at `base_url` + /api, with its own list of models, key and error shape.

    ok           answers ANSWER              tool      a call of get_weather with {"city": "Paris"}
    limited      429 with Retry-After: 7     broken    503
    cut          two chunks, then the end of the connection            reasons   some reasoning, then ANSWER
    slow         answers after a second      unpaid    402             forbidden  403
"""

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from testbed.nodejs import npm_package, script
from testbed.serverprocess import ServerProcess

PACKAGE: Final = ("@copilotkit/aimock", "1.43.0")
ANSWER: Final = "one two three four five six seven eight nine ten"
REASONING: Final = "Let me count."
KEY: Final = "aimock-key"
_BROKEN: Final = {"error": {"message": "The server is overloaded", "type": "server_error"}, "status": 503}
_LIMITED: Final = {
    "error": {"message": "Rate limit reached", "type": "rate_limit_error", "code": "rate_limit_exceeded"},
    "status": 429,
    "retryAfter": 7,
}
_UNPAID: Final = {"error": {"message": "Insufficient credits", "code": "402"}, "status": 402}
_FORBIDDEN: Final = {"error": {"message": "Your organization may not use it", "code": "403"}, "status": 403}
MODELS: Final[Mapping[str, Mapping[str, Any]]] = {
    "ok": {"response": {"content": ANSWER}},
    "tool": {"response": {"toolCalls": [{"name": "get_weather", "arguments": '{"city": "Paris"}'}]}},
    "limited": {"response": _LIMITED},
    "broken": {"response": _BROKEN},
    # Without a pause between chunks the connection ends before the first of them is out.
    "cut": {"response": {"content": ANSWER}, "truncateAfterChunks": 4, "latency": 30},
    "reasons": {"response": {"content": ANSWER, "reasoning": REASONING}},
    "slow": {"response": {"content": ANSWER}, "streamingProfile": {"ttft": 1000, "tps": 100}},
    "unpaid": {"response": _UNPAID},
    "forbidden": {"response": _FORBIDDEN},
}


def prepare() -> Path:
    """The package, 12 MB; fetched on the first call."""
    return npm_package(*PACKAGE)


class Aimock(ServerProcess):
    """Asks for KEY, as `Authorization: Bearer` or `x-api-key`. `chaos` maps a kind to its share of the requests.

    Kinds: drop (500), malformed, disconnect, ratelimit (429).
    """

    def __init__(self, *, chaos: Mapping[str, float] | None = None) -> None:
        super().__init__()
        self._chaos = [f"--chaos-{kind}={share}" for kind, share in (chaos or {}).items()]
        self._fixtures = tempfile.NamedTemporaryFile("w", prefix="aimock-", suffix=".json")  # noqa: SIM115
        json.dump({"fixtures": [{"match": {"model": name}, **each} for name, each in MODELS.items()]}, self._fixtures)
        self._fixtures.flush()

    def command(self) -> Sequence[str]:
        fixed = ["-p", str(self.port), "-f", self._fixtures.name, "-c", "8", "--log-level", "warn"]
        return [*script(prepare(), "llmock"), *fixed, *self._chaos]

    def variables(self) -> Mapping[str, str]:
        return {"AIMOCK_API_KEYS": KEY}

    def journal(self) -> list[dict[str, Any]]:
        """The requests that came, first to last."""
        answer = self.get("/__aimock/journal", headers={"authorization": f"Bearer {KEY}"}).raise_for_status().json()
        entries: list[dict[str, Any]] = answer if isinstance(answer, list) else answer["entries"]
        return entries

    def forget(self) -> None:
        """Empty the journal."""
        self.post("/__aimock/reset/journal", headers={"authorization": f"Bearer {KEY}"}).raise_for_status()

    def close(self) -> None:
        super().close()
        self._fixtures.close()
