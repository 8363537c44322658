"""The tuning knobs of a request of another dialect in Messages: how many tokens, how they are drawn, where to stop.

Anthropic's API has no temperature above 1, none beside a `top_p` and none while the model thinks; its newer models take
none of the three. What does not fit is left out, or made to fit, and named. Seeds and penalties have no field at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pointsman.dialects.messages import models

if TYPE_CHECKING:
    from pointsman.dialects.messages.blocks import Object
    from pointsman.dialects.messages.models import Claude
    from pointsman.dialects.messages.thinking import Plan
    from pointsman.neutral import Request
    from pointsman.table import Model, Provider

USUAL: Final = 8192  # tokens of an answer where nobody says how many
_SAMPLING: Final[dict[str, Any]] = {"temperature": 1, "top_p": 1, "top_k": 0}
"""Where Messages takes it at all, with the value that changes nothing."""
_UNKNOWN: Final[dict[str, Any]] = {
    "seed": None, "presence_penalty": 0, "frequency_penalty": 0, "min_p": 0, "repetition_penalty": 1,
}  # fmt: skip
_USER: Final = 256  # characters of `metadata.user_id`


def limit(request: Request, model: Model) -> int:
    """The tokens that an answer may have: what the client says, but no more than the model has."""
    if request.max_tokens is not None:
        return min(request.max_tokens, model.max_tokens or request.max_tokens)
    most = model.max_tokens or USUAL
    # A server that counts the prompt in refuses an answer that takes up all of its window.
    return min(most, model.context_window // 2 or most)


def write(request: Request, model: Model, provider: Provider, plan: Plan) -> tuple[Object, list[str]]:
    """The fields, and which of the request's are not in them as they were asked for (by their neutral names)."""
    claude = models.of(model, provider)
    fields, dropped = _sampling(request, claude, thinks=plan.on)
    dropped += [name for name, idle in _UNKNOWN.items() if getattr(request, name) not in {None, idle}]
    # Anthropic refuses a stop sequence of white space alone.
    stop = [word for word in request.stop if word.strip() or claude is None]
    if stop:
        fields["stop_sequences"] = stop
    if len(stop) < len(request.stop):
        dropped.append("stop")
    if provider.native and 0 < len(request.user) <= _USER:
        fields["metadata"] = {"user_id": request.user}
    elif request.user:
        dropped.append("user")
    if plan.dropped:
        dropped.append("thinking")
    return fields, dropped


def _sampling(request: Request, claude: Claude | None, thinks: bool) -> tuple[Object, list[str]]:
    said = {name: value for name in _SAMPLING if (value := getattr(request, name)) is not None}
    if claude is None:
        return said, []
    asked = {name for name, value in said.items() if value != _SAMPLING[name]}
    if thinks or not claude.samples:
        return {}, sorted(asked)
    dropped = []
    if claude.one_of_two and "temperature" in said and "top_p" in said:
        # The one that changes nothing goes first.
        said.pop("top_p" if "top_p" not in asked or "temperature" in asked else "temperature")
        dropped = ["top_p"] if {"top_p", "temperature"} <= asked else []
    if said.get("temperature", 0) > 1:
        said["temperature"] = 1
        dropped.append("temperature")
    return said, dropped
