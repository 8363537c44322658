"""How a request of another dialect asks a target to think, and what it must leave alone when it does.

Anthropic's older models take a budget of tokens, the newer ones an effort (`messages_models`). A budget is at least
1024 and less than `max_tokens`: one made of an effort is made smaller to fit, one that the client gave is not sent if
it does not. Thinking gives way to a tool that must be called, as Anthropic refuses both together, and to an earlier
turn that called tools without thinking, where the model is to go on from that. Anybody else's server gets the budget
and the effort, if the model is known to reason.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from pointsman.dialects import body as bodies
from pointsman.dialects import efforts
from pointsman.dialects.messages import models
from pointsman.dialects.messages.blocks import HOME, Object
from pointsman.neutral import Reasoning, Role, ToolCall, ToolMode, ToolResult

if TYPE_CHECKING:
    from pointsman.dialects.messages.models import Claude
    from pointsman.neutral import Part, Request, Thinking, Turn
    from pointsman.table import Model, Provider

_EFFORTS: Final = frozenset({"low", "medium", "high", "xhigh", "max"})


class Plan(msgspec.Struct, frozen=True):
    """`fields` of the body; whether the target thinks by them (`on`); whether the client's wish was left out."""

    fields: dict[str, Any] = {}
    on: bool = False
    dropped: bool = False


_NOTHING: Final = Plan()
_LEFT_OUT: Final = Plan(dropped=True)


def plan(request: Request, model: Model, provider: Provider, limit: int) -> Plan:
    """What is asked of the target; `limit`: the tokens of its whole answer."""
    claude, thinking = models.of(model, provider), request.thinking
    if not provider.native and not bodies.reasons(model):
        # What tells it how to reason is taken out of such a request (`body.fit`).
        return _LEFT_OUT if thinking is not None and _wanted(thinking) and not _off(thinking) else _NOTHING
    if claude is None:
        return _of_others(thinking, limit)
    forced = is_forced(request)
    if thinking is not None and _off(thinking):
        return _kept_from(claude)
    if thinking is not None and _wanted(thinking) and not forced:
        return _asked(claude, thinking, request, limit)
    wanted = thinking is not None and _wanted(thinking)
    if forced and claude.thinks_anyway and claude.off:
        return Plan({"thinking": {"type": claude.off}}, dropped=wanted)
    return _LEFT_OUT if wanted else _NOTHING


def is_forced(request: Request) -> bool:
    """Whether a tool must be called."""
    return bool(request.tools) and request.choice is not None and request.choice.mode in {
        ToolMode.REQUIRED, ToolMode.ONE,
    }  # fmt: skip


def _off(thinking: Thinking) -> bool:
    return thinking.enabled is False or thinking.effort == "none"


def _wanted(thinking: Thinking) -> bool:
    return bool(thinking.effort or thinking.budget or thinking.enabled or thinking.adaptive)


def _kept_from(claude: Claude) -> Plan:
    if not claude.thinks_anyway:
        return _NOTHING
    if claude.off:
        return Plan({"thinking": {"type": claude.off}})
    return Plan({"output_config": {"effort": "low"}}, on=True, dropped=True)


def _asked(claude: Claude, thinking: Thinking, request: Request, limit: int) -> Plan:
    if claude.adaptive:
        return _adaptive(claude, thinking)
    budget = _budget(thinking, limit)
    if not claude.thinks or not budget or _goes_on_unthought(request.turns):
        return _LEFT_OUT
    return Plan({"thinking": {"type": "enabled", "budget_tokens": budget}}, on=True)


def _adaptive(claude: Claude, thinking: Thinking) -> Plan:
    asked: Object = {"type": "adaptive"}
    if claude.silent and thinking.shown is not False:
        asked["display"] = "summarized"
    fields: Object = {"thinking": asked}
    effort = claude.effort(thinking.effort) or efforts.effort(thinking.budget)
    if effort:
        fields["output_config"] = {"effort": effort}
    return Plan(fields, on=True)


def _of_others(thinking: Thinking | None, limit: int) -> Plan:
    if thinking is None or not (_off(thinking) or _wanted(thinking)):
        return _NOTHING
    if _off(thinking):
        return Plan({"thinking": {"type": "disabled"}})
    budget = _budget(thinking, limit)
    if not budget:
        return _LEFT_OUT
    fields: Object = {"thinking": {"type": "enabled", "budget_tokens": budget}}
    if thinking.effort in _EFFORTS:
        fields["output_config"] = {"effort": thinking.effort}
    return Plan(fields, on=True)


def _budget(thinking: Thinking, limit: int) -> int:
    """Tokens; 0: none fit."""
    budget = thinking.budget
    if budget is None:
        budget = min(efforts.budget(thinking.effort), limit // 2)
    return budget if efforts.LEAST <= budget < limit else 0


def _goes_on_unthought(turns: tuple[Turn, ...]) -> bool:
    """Whether results are given to calls of a turn that does not begin with thoughts that can be shown."""
    answered = False
    parts: list[Part] = []
    for turn in reversed(turns):
        if turn.role is Role.ASSISTANT:
            parts[:0] = turn.parts
        elif parts:
            break
        else:
            answered = answered or any(isinstance(part, ToolResult) for part in turn.parts)
    if not answered or not any(isinstance(part, ToolCall) for part in parts):
        return False
    shown = [part for part in parts if not isinstance(part, Reasoning) or _can_be_shown(part)]
    return not isinstance(shown[0], Reasoning)


def _can_be_shown(part: Reasoning) -> bool:
    return part.seal is not None and part.seal.home is HOME
