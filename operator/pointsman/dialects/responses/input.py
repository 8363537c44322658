"""How the turns of a request become items of a Responses request's `input`.

Parts that follow each other in a turn are one message; calls, results and reasoning are items of their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pointsman.dialects import customs, faults, features, seals
from pointsman.dialects.features import SHAPE
from pointsman.dialects.responses.request import BARE, HOME, STRING
from pointsman.neutral import Foreign, Image, Reasoning, Refusal, Role, Text, ToolCall, ToolResult

if TYPE_CHECKING:
    from pointsman.neutral import Json, Part, Rest, Turn


def items(turn: Turn, number: int, *, native: bool, home: bool = False) -> list[Json]:
    """A turn as items: a message for each run of words and pictures, and what stands between them by itself."""
    found: list[Json] = []
    run: list[Part] = []
    for part in turn.parts:
        if isinstance(part, Text | Refusal | Image) or (isinstance(part, Foreign) and _is_content(part)):
            run.append(part)
            continue
        found += _message(turn, run, number, native=native, home=home)
        run = []
        found += _item(part, home=home)
    if run or (home and not turn.parts):
        found += _message(turn, run, number, native=native, home=home)
    return found


def _is_content(part: Foreign) -> bool:
    """Whether it stood in a message: items have kinds of their own, most of which end so."""
    return part.kind.startswith("input_")


def _message(turn: Turn, parts: list[Part], number: int, *, native: bool, home: bool) -> list[Json]:
    if home:
        return [_message_at_home(turn, parts)] if parts or not turn.parts else []
    role = turn.role
    content = [written for part in parts for written in _content(part, role, native=native)]
    if not content:
        return []
    if role is Role.ASSISTANT and not native:
        # Servers that check items by OpenAI's types take an assistant's message only with all that it has at OpenAI.
        content = [{**part, "annotations": []} for part in content]
        said = {"id": f"msg_{number}", "status": "completed"}
    else:
        said = {}
    name = Role.SYSTEM if role is Role.DEVELOPER and not native else Role.USER if role is Role.TOOL else role
    return [{"type": "message", "role": name.value, "content": content, **said}]


def _message_at_home(turn: Turn, parts: list[Part]) -> Json:
    shape = features.shape(turn.rest) or []
    item: Rest = {"type": "message", "role": turn.role.value, **own(turn.rest)}
    if BARE in shape:
        del item["type"]
    item["content"] = [written for part in parts for written in _content(part, turn.role, native=True, home=True)]
    if STRING in shape and len(parts) == 1 and isinstance(parts[0], Text):
        item["content"] = parts[0].text
    return item


def _content(part: Part, role: Role, *, native: bool, home: bool = False) -> list[Json]:
    said = role is Role.ASSISTANT
    if isinstance(part, Text):
        kind = "output_text" if said else "input_text"
        if home:
            return [{"type": features.shape(part.rest) or kind, "text": part.text, **own(part.rest)}]
        return [{"type": kind, "text": part.text}]
    if isinstance(part, Refusal):
        if said and native:
            return [{"type": "refusal", "refusal": part.text, **(own(part.rest) if home else {})}]
        return [{"type": "output_text" if said else "input_text", "text": part.text}]
    if isinstance(part, Image) and (home or not said):
        # Elsewhere left unsaid, but types that are checked want it.
        detail = {"detail": part.detail} if part.detail else {} if home else {"detail": "auto"}
        return [{"type": "input_image", "image_url": part.url, **detail, **(own(part.rest) if home else {})}]
    return [part.payload] if isinstance(part, Foreign) and part.home is HOME else []


def _item(part: Part, *, home: bool) -> list[Json]:
    if isinstance(part, ToolCall):
        return [_call(part, home=home)]
    if isinstance(part, ToolResult):
        return [_result(part, home=home)]
    if isinstance(part, Reasoning):
        return _thought(part, home=home)
    return [part.payload] if isinstance(part, Foreign) and part.home is HOME else []


def _call(call: ToolCall, *, home: bool) -> Json:
    item: Rest = {"type": "function_call", "call_id": call.id, "name": call.name}
    if home:
        item |= {"name": features.shape(call.rest) or call.name, **own(call.rest)}
        if call.free:
            return {**item, "type": "custom_tool_call", "input": call.arguments}
        return {**item, "arguments": call.arguments}
    return {**item, "arguments": customs.wrap(call.arguments) if call.free else call.arguments or "{}"}


def _result(result: ToolResult, *, home: bool) -> Json:
    kind = "custom_tool_call_output" if home and result.free else "function_call_output"
    item: Rest = {"type": kind, "call_id": result.call_id, **(own(result.rest) if home else {})}
    listed = home and features.shape(result.rest) is not None
    parts = result.parts if home else faults.told(result)
    texts = [part.text for part in parts if isinstance(part, Text)]
    if len(texts) == len(parts) and not listed:
        return {**item, "output": "\n".join(texts)}
    output = [written for part in parts for written in _content(part, Role.TOOL, native=True, home=home)]
    return {**item, "output": output}


def _thought(part: Reasoning, *, home: bool) -> list[Json]:
    """Reasoning goes back to its maker alone; at home as it came."""
    seal = part.seal
    opened = seal.payload if seal is not None and seal.home is HOME and not seal.maker else None
    if isinstance(opened, dict):
        rest = own(part.rest) if home else {}
        return [{"type": "reasoning", "summary": [], **rest, **opened} | {"type": "reasoning"}]
    if not home:
        return []
    sealed = {"encrypted_content": seals.write(HOME, seal)} if seal is not None else {}
    return [{"type": "reasoning", **own(part.rest), **sealed}]


def own(rest: Rest) -> Rest:
    return {name: value for name, value in rest.items() if name != SHAPE}
