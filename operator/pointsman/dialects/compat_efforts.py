"""How much to reason, as servers want to be told: seven ways to write it, and labels of their own for how much."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pointsman.dialects.compat import value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pointsman.dialects.compat import Draft, Record

_ORDER: Final = ("minimal", "low", "medium", "high", "xhigh", "max")
_OFF: Final = ("none", "off")
_SAID: Final = ("reasoning_effort", "reasoning", "thinking", "enable_thinking", "chat_template_kwargs")
"""The fields in which a client may say it, the first that does counts."""
_SWITCHES: Final = {"enabled": True, "adaptive": True, "auto": True, "disabled": False}


def level(compat: Mapping[str, Any], effort: str) -> str | None:
    """A server's own label for an effort; None: it has none that comes near.

    The map's label counts, and is kept to those that are stated: where it is none of them, the next lower is taken,
    or the lowest. Not to reason at all has no neighbour.
    """
    labels = compat.get("reasoningEffortMap")
    stated = labels if isinstance(labels, dict) else {}
    names = _OFF if effort in _OFF else (effort,)
    label = next((str(stated[name]) for name in names if name in stated), effort)
    supported = compat.get("supportedReasoningEfforts")
    if not isinstance(supported, list) or label in supported:
        return label
    if label in _OFF:
        return next((other for other in _OFF if other in supported), None)
    return _nearest(label, [each for each in supported if isinstance(each, str) and each not in _OFF])


def _nearest(label: str, supported: list[str]) -> str | None:
    known = [each for each in _ORDER if each in supported]
    if label not in _ORDER or not known:
        return supported[0] if supported else None
    below = [each for each in known if _ORDER.index(each) <= _ORDER.index(label)]
    return below[-1] if below else known[0]


def shape_chat(draft: Draft) -> None:
    """Write what a chat request says of reasoning in the way of the model's `thinkingFormat`.

    Where it says nothing, nothing is written. What the way has no room for is named.
    """
    form = draft.compat.get("thinkingFormat")
    if form is None:
        _relabel(draft)
        return
    asked, on, effort = _read(draft.fields)
    if on is None:
        return
    if form == "openai" and not on:
        effort = effort or "none"  # its one way to say so
    label = level(draft.compat, effort) if effort else None
    if draft.compat.get("supportsReasoningEffort") is False:
        label = None
    _remove(draft.fields)
    told = _write(draft, form, on, label)
    if not told and (form == "openai" or (effort and on)):
        draft.lose(asked)


def _relabel(draft: Draft) -> None:
    effort = value(draft.fields.get("reasoning_effort"))
    if not isinstance(effort, str) or not effort:
        return
    label = level(draft.compat, effort)
    if label is None or draft.compat.get("supportsReasoningEffort") is False:
        draft.drop("reasoning_effort")
    elif label != effort:
        draft.fields["reasoning_effort"] = label


def _read(fields: Record) -> tuple[str, bool | None, str]:
    """The field that says it, whether to reason (None: nothing is said), and how much ("": not said)."""
    for name in _SAID:
        said = value(fields.get(name))
        if isinstance(said, str) and said:
            return name, said not in _OFF, said
        if isinstance(said, bool):
            return name, said, ""
        if isinstance(said, dict):
            on, effort = _switch(said)
            if on is not None:
                return name, on, effort
    return "", None, ""


def _switch(said: Record) -> tuple[bool | None, str]:
    effort = said.get("effort")
    if isinstance(effort, str) and effort:
        return effort not in _OFF, effort
    for key in ("enabled", "enable_thinking"):
        if isinstance(said.get(key), bool):
            return said[key], ""
    if isinstance(said.get("max_tokens"), int):
        return said["max_tokens"] > 0, ""
    return _SWITCHES.get(str(said.get("type"))), ""


def _remove(fields: Record) -> None:
    for name in _SAID:
        if name != "chat_template_kwargs":
            fields.pop(name, None)
        elif isinstance(others := value(fields.get(name)), dict):
            fields[name] = {key: each for key, each in others.items() if key != "enable_thinking"}
            if not fields[name]:
                del fields[name]


def _write(draft: Draft, form: str, on: bool, label: str | None) -> bool:
    """Write it; whether that says how much."""
    fields, leveled = draft.fields, draft.compat.get("supportsReasoningEffort") is True
    if form == "openai":
        if label:
            fields["reasoning_effort"] = label
        return label is not None
    if form == "openrouter":
        fields["reasoning"] = {"effort": label} if label else {"enabled": on}
        return label is not None
    if form == "qwen":
        fields["enable_thinking"] = on
        return False
    if form == "qwen-chat-template":
        fields["chat_template_kwargs"] = {**(draft.fields.get("chat_template_kwargs") or {}), "enable_thinking": on}
        return False
    if form == "together":
        fields["reasoning"] = {"enabled": on}
    else:  # deepseek, zai
        fields["thinking"] = {"type": "enabled" if on else "disabled"}
    if form == "zai" or not (on and leveled and label):
        return False
    fields["reasoning_effort"] = label
    return True


def shape_responses(draft: Draft) -> None:
    """The same labels in a Responses request's `reasoning`."""
    reasoning = draft.record("reasoning")
    effort = value(reasoning.get("effort")) if reasoning is not None else None
    if reasoning is None or not isinstance(effort, str) or not effort:
        return
    label = level(draft.compat, effort)
    if label is None or draft.compat.get("supportsReasoningEffort") is False:
        del reasoning["effort"]
        draft.lose("reasoning.effort")
        if not reasoning:
            del draft.fields["reasoning"]
    elif label != effort:
        reasoning["effort"] = label
