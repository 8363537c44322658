"""What Anthropic's models take and refuse, by the generation in their names.

From Anthropic's pages on thinking, effort, structured outputs and on each model's news, as of November 2026:

    from 3.7     thinking with a budget of tokens
    from 4.1     an answer by a JSON Schema; either `temperature` or `top_p`, not both
    from 4.6     thinking as the model sees fit ("adaptive"), with an effort; no answer may be begun for it
    from 4.7     no budget any more, and neither temperature, top_p nor top_k; thoughts are told on request
    from 5       thinks unless it is told not to; Fable and Mythos always do
    from 5.5     no tool can be forced (Fable and Mythos: from 5.1); Opus always thinks, Sonnet can be kept from
                 thinking before its answer alone ("between_tools")

A name without a number is taken for the newest, which refuses most.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import msgspec

from pointsman.names import ProviderType

if TYPE_CHECKING:
    from pointsman.table import Model, Provider

_NAME: Final = re.compile(r"claude[-_.]?(?:([a-z]+)[-_.]?)?(?:(\d{1,2})(?:[-.](\d{1,2}))?(?!\d))?")
_NEWEST: Final = (99, 0)
_EVER: Final = frozenset({"fable", "mythos"})
"""Families whose models always think."""


class Claude(msgspec.Struct, frozen=True, gc=False):
    """A model of Anthropic's: "opus", "sonnet", "haiku", … or "" and its version."""

    family: str
    version: tuple[int, int]

    @property
    def thinks(self) -> bool:
        """Whether it can be asked to think."""
        return self.version >= (3, 7)

    @property
    def adaptive(self) -> bool:
        """Whether it thinks as it sees fit, with an effort, not with a budget."""
        return self.version >= (4, 6)

    @property
    def thinks_anyway(self) -> bool:
        """Whether it thinks where nothing is said of it."""
        return self.version >= (5, 0)

    @property
    def silent(self) -> bool:
        """Whether it tells nothing of its thoughts unless it is asked to."""
        return self.version >= (4, 7)

    @property
    def off(self) -> str:
        """The word that keeps it from thinking; "": nothing does."""
        if self.family in _EVER or (self.version >= (5, 5) and self.family not in {"sonnet", "haiku"}):
            return ""
        return "between_tools" if self.version >= (5, 5) and self.family == "sonnet" else "disabled"

    @property
    def samples(self) -> bool:
        """Whether temperature, top_p and top_k may be set."""
        return self.version < (4, 7)

    @property
    def one_of_two(self) -> bool:
        """Whether temperature and top_p may not be set both."""
        return self.version >= (4, 1)

    @property
    def schema(self) -> bool:
        """Whether its answer can be made to follow a JSON Schema."""
        return self.version >= (4, 1)

    @property
    def prefill(self) -> bool:
        """Whether it goes on from a last message of the assistant's."""
        return self.version < (4, 6)

    @property
    def forced(self) -> bool:
        """Whether it can be made to call a tool."""
        return self.version < ((5, 1) if self.family in _EVER else (5, 5))

    def effort(self, word: str) -> str:
        """The effort nearest to a neutral one that it knows; "": none was said."""
        if word == "minimal":
            return "low"
        return "high" if word == "xhigh" and self.version < (4, 7) else word


def of(model: Model, provider: Provider) -> Claude | None:
    """Which of Anthropic's models a target is, under whatever prefix; None: it is somebody else's."""
    name = _NAME.search(model.id.lower())
    if name is None:
        return Claude("", _NEWEST) if provider.native and provider.type == ProviderType.ANTHROPIC else None
    family, major, minor = name.groups()
    return Claude(family or "", (int(major), int(minor or 0)) if major else _NEWEST)
