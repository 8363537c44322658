"""OpenAI itself: the list has ids alone, and is answered to valid keys only."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from pointsman import modellist
from pointsman.names import Dialect, Way
from pointsman.served import Finding, Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pointsman.served import Answer


def read(answers: Mapping[str, Answer]) -> Finding:
    found = modellist.read(answers, modellist.named)
    return replace(found, credentials_valid=True) if found.ok else found


KIND: Final = Kind(
    read=read,
    api=(Dialect.RESPONSES, Dialect.CHAT),
    native=True,
    hosted=True,
    way=Way.REPLAY,
    base_url="https://api.openai.com",
)
