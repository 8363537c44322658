"""The reason behind what vLLM says when it ends: the first entry that fits."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from pointsman.engines.saying import say
from pointsman.engines.vllm_sayings_memory import GPU, MEMORY
from pointsman.engines.vllm_sayings_settings import PACKAGES, REFUSED, SETTINGS, path
from pointsman.engines.vllm_sayings_source import SOURCE
from pointsman.engines.vllm_sayings_spec import SPEC

if TYPE_CHECKING:
    from collections.abc import Iterator


DIED: Final = "EngineDied"


class Found(NamedTuple):
    reason: str
    message: str
    fits: int = 0  # tokens
    vague: int = 0  # as in Saying


_ENGINE: Final = (
    say(
        DIED,
        r"EngineDeadError|EngineCore encountered (?:an issue|a fatal error)|Engine loop has died"
        r"|Background loop has errored"
        r"|Engine background task failed",
        "the engine's process died while it served",
    ),
)

# What is at fault in the engine's own death stands in the same text, further up.
ALL: Final = (*MEMORY, *SETTINGS, *SPEC, *GPU, *SOURCE, *PACKAGES, *REFUSED)
SOURCES: Final = frozenset(saying.reason for saying in SOURCE)
_STARTING: Final = re.compile(r"Engine core initialization failed|Engine process failed to start", re.IGNORECASE)


def first(text: str) -> Found | None:
    """The first entry that fits `text`, which is one line; None: none does."""
    return next(_fitting(text), None)


def _fitting(text: str) -> Iterator[Found]:
    sayings = ALL if _STARTING.search(text) else (*ALL, *_ENGINE)
    for saying in sayings:
        if match := saying.pattern.search(text):
            groups = {name: value or "" for name, value in match.groupdict().items()}
            groups |= {"field": path(groups.get("field", ""))}
            message = saying.message.format(**groups).strip(" :").removesuffix(", it has")
            yield Found(saying.reason, message, _tokens(groups.get("fits", "")), saying.vague)


def _tokens(text: str) -> int:
    return int(text.replace(",", "")[:9] or 0)
