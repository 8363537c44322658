"""`compat` in Responses: instructions, roles, tools, labels of efforts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pointsman.dialects import compat_efforts, compat_tools
from pointsman.dialects.compat import apply, no_temperature, no_tools, value

if TYPE_CHECKING:
    from pointsman.dialects.compat import Draft

_EFFORTS: Final = ("supportedReasoningEfforts", "reasoningEffortMap", "supportsReasoningEffort")


def shape(draft: Draft) -> None:
    """A request as the model's server takes it."""
    apply(draft, _RULES)
    if not draft.compat.keys().isdisjoint(_EFFORTS):
        compat_efforts.shape_responses(draft)


def _developer(draft: Draft, stated: Any) -> None:
    """`supportsDeveloperRole: false`: what the developer says is said by the system."""
    if stated is False:
        for item in draft.records("input"):
            if value(item.get("role")) == "developer":
                item["role"] = "system"


def _no_instructions(draft: Draft, stated: Any) -> None:
    """`supportsInstructions: false`: they stand at the head of the input, as the system's words."""
    instructions = value(draft.fields.get("instructions"))
    if stated is not False or not isinstance(instructions, str):
        return
    given = value(draft.fields.get("input"))
    items = [{"role": "user", "content": given}] if isinstance(given, str) else draft.records("input")
    if not items and given not in (None, []):
        return  # it cannot be read: the target will say what is wrong with it
    del draft.fields["instructions"]
    if instructions:
        draft.fields["input"] = [{"role": "system", "content": instructions}, *items]


_RULES: Final = (
    ("supportsTools", no_tools),
    ("supportsTemperature", no_temperature),
    ("supportsInstructions", _no_instructions),
    ("supportsDeveloperRole", _developer),
    ("supportsStrictMode", compat_tools.no_strict("parameters")),
    ("toolSchemaProfile", compat_tools.profile("parameters")),
    ("unsupportedToolSchemaKeywords", compat_tools.without("parameters")),
)
