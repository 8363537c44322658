"""What a model is known to lack: of what the request has in it, and of what the route asks of all its targets.

A model of which nothing is said is believed to have everything: its server will say no, and the next is tried. There
are three words on that:

- a file may go to a model that takes images: OpenClaw's `input` has no word for files;
- nothing is ever said of parallel tool calls: who takes tools is believed to take several at a time;
- reasoning is a stated yes or no, and only models known to reason are told how to. So a route that requires it passes
  the others over, but for the vendor itself, whose requests are left as they are. A request that asks for it is no
  reason to: how to reason is a tuning knob, which is left out and named.

Where the route allows that (`dropTools`), a request with tools also goes to a model that takes none, without them. A
conversation in which tools were called goes to none such, with tools in the request or not: its template could make
nothing of the calls.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pointsman.dialects import body as bodies
from pointsman.exchange import AUDIO, CALLED, FILE, IMAGE, JSON_SCHEMA, PARALLEL_TOOLS, TOOLS
from pointsman.names import Capability

if TYPE_CHECKING:
    from pointsman.table import Model, Policy, Provider

_WORDS: Final = (
    (TOOLS, "tools", "the model takes no tools, and the request has some"),
    (PARALLEL_TOOLS, "parallel-tools", "the model takes no tools, and the request has several calls at a time"),
    (IMAGE, "image", "the model takes no images, and the request has some"),
    (AUDIO, "audio", "the model takes no sound, and the request has some"),
    (FILE, "file", "the model takes no files, and the request has some"),
    (JSON_SCHEMA, "json-schema", "the model keeps to no JSON schema, and the request has one"),
)
_REQUIRED: Final = {
    Capability.TOOLS: TOOLS,
    Capability.PARALLEL_TOOLS: PARALLEL_TOOLS,
    Capability.IMAGE: IMAGE,
    Capability.JSON_SCHEMA: JSON_SCHEMA,
}


def lacking(model: Model, provider: Provider, needs: int, policy: Policy) -> tuple[str, str] | None:
    """The reason and the message for passing a model over; None: nothing speaks against it.

    `needs` are bits of exchange's constants; a capability among those that the route requires which this release does
    not know is not looked at.
    """
    lacks = _lacks(model)
    missed = needs & lacks
    if lacks & TOOLS and needs & CALLED:
        return "tools", "the model takes no tools, and the conversation has calls of some in it"
    if policy.drop_tools:
        missed &= ~(TOOLS | PARALLEL_TOOLS)
    if missed:
        return next((word, message) for bit, word, message in _WORDS if missed & bit)
    for capability in policy.required:
        if capability == Capability.REASONING:
            missing = not provider.native and not bodies.reasons(model)
        else:
            missing = bool(lacks & _REQUIRED.get(capability, 0))  # type: ignore[call-overload]
        if missing:
            return f"capability-{capability}", f"the route requires {capability}, and the model is not known to have it"
    return None


def minds(model: Model) -> bool:
    """Whether it makes a difference to the model what the turns of a request have in them, its calls among it."""
    return bool(_lacks(model) & (IMAGE | AUDIO | FILE | TOOLS))


def _lacks(model: Model) -> int:
    compat, taken = model.compat, model.input
    lacks = TOOLS | PARALLEL_TOOLS if compat.get("supportsTools") is False else 0
    if compat.get("supportsJsonSchemaResponseFormat") is False:
        lacks |= JSON_SCHEMA
    if taken:
        lacks |= 0 if "image" in taken else IMAGE
        lacks |= 0 if "audio" in taken else AUDIO
        lacks |= FILE if set(taken) <= {"text"} else 0
    elif compat.get("requiresStringContent") is True:
        lacks |= IMAGE | AUDIO | FILE
    return lacks
