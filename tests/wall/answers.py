"""What the wall says: one text of sixty words, another one, one tool call, a text of 8 MiB; and what each costs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

TEXT: Final = (
    "Every morning the pointsman walks along the yard, oils the heavy levers, and looks over the dømte rails "
    "towards the über-long sidings. When a line is blocked, he sets the points so that the 列車 takes another "
    "open track; nobody on board 🚂 notices more than a sway. By evening each wagon has arrived, "
    "and the ledger shows no loss."
)
OTHER: Final = TEXT.replace("pointsman walks along", "signalman strolls across").replace("evening", "nightfall")
BIG_SIZE: Final = 8 * 1024 * 1024  # bytes
BIG_PIECE: Final = 16 * 1024
TOOL: Final = "set_points"
ARGUMENTS: Final[dict[str, Any]] = {"track": 4, "line": "nørth siding", "switches": ["a", "b", "ü"], "locked": True}
ARGUMENT_PIECES: Final = (
    '{"tra',
    'ck": 4, "line": "nø',
    'rth siding", "swit',
    'ches": ["a", "b", "ü"],',
    ' "locked": true}',
)


def pieces(text: str) -> tuple[str, ...]:
    """A text in words, each with the space that follows it; joined they are the text."""
    return tuple(re.findall(r"\s*\S+\s?", text))


def big() -> tuple[str, ...]:
    """8 MiB in pieces of 16 KiB, each told apart by its number."""
    return tuple(f"{number:08d} ".ljust(BIG_PIECE, "x") for number in range(BIG_SIZE // BIG_PIECE))


@dataclass(frozen=True)
class Answer:
    """What is to be said by a model, and what the prompt cost."""

    model: str
    words: tuple[str, ...]
    call: bool = False
    prompt_tokens: int = 0

    @property
    def text(self) -> str:
        return "".join(self.words)

    @property
    def tokens(self) -> int:
        return len(self.words) + (len(ARGUMENT_PIECES) if self.call else 0)


def prompt_tokens(body: dict[str, Any]) -> int:
    """A word is a token, in whatever dialect the request is."""
    return sum(len(text.split()) for text in _texts(body.get("messages", body.get("input", ""))))


def prefill(body: dict[str, Any]) -> str | None:
    """The text of an assistant's message at the end of a request, None when it ends with another."""
    turns = body.get("messages", body.get("input", ""))
    last = turns[-1] if isinstance(turns, list) and turns else None
    if not isinstance(last, dict) or last.get("role") != "assistant":
        return None
    return "".join(_texts(last.get("content") or ""))


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, list):
        return [text for part in value for text in _texts(part)]
    if isinstance(value, dict):
        return _texts(value.get("content") or value.get("text") or "")
    return []
