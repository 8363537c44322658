"""The items of an answer's `output`, as parts and back.

A message of several parts is several parts here too. So that it can be one again, the first of them has what the item
says beyond its parts in `rest["responses"]["item"]`; what a part says beyond its words is in `["part"]`. Words that
follow each other without such a mark are one message. An item's `status` follows from how the answer ended.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

from pointsman.dialects import customs, seals
from pointsman.dialects.calls import as_text, is_cut
from pointsman.dialects.citations import for_responses
from pointsman.dialects.features import SHAPE
from pointsman.dialects.responses import namespaces
from pointsman.dialects.responses.request import HOME, seal_of, thoughts
from pointsman.neutral import Finish, Foreign, Reasoning, Refusal, Text, ToolCall

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pointsman.neutral import Json, Part, Request, Rest

MARK: Final = "responses"
CALLS: Final = {"function_call": "arguments", "custom_tool_call": "input"}
"""The types of items that call the client's own functions, with the field of what they are called with."""
CUT: Final = frozenset({Finish.LENGTH, Finish.CONTEXT, Finish.FILTER})

_KNOWN: Final = frozenset({
    "type", "role", "content", "status", "call_id", "name", "arguments", "input", "summary", "encrypted_content",
})  # fmt: skip
_KNOWN_PART: Final = frozenset({"type", "text", "refusal"})
_NOTHING: Final[tuple[Json, ...]] = (None, "", [], {})


# Read


def parts_of(item: Rest) -> list[Part]:
    """The parts that an item of an answer amounts to: none, if there is nothing in it."""
    kind = item.get("type")
    if kind == "message":
        return _words(item)
    if kind == "reasoning":
        text, summary = thoughts(item)
        seal = seal_of(item)
        return [Reasoning(text, summary, seal, marks(item))] if text or seal is not None else []
    if isinstance(kind, str) and kind in CALLS:
        return [call_of(item, as_text(item.get(CALLS[kind])))]
    return [Foreign(HOME, kind if isinstance(kind, str) else "", item)]


def call_of(item: Rest, arguments: str = "") -> ToolCall:
    """The call of an item that calls a function."""
    ident, name = item.get("call_id") or item.get("id"), item.get("name")
    free = item.get("type") == "custom_tool_call"
    return ToolCall(_text(ident), _text(name), arguments, free, marks(item))


def word_of(part: Json, item: Rest | None) -> Part | None:
    """A part of a message's content; None: nothing is in it. `item`: of the first part, the message."""
    if not isinstance(part, dict):
        return None
    kind = part.get("type")
    if kind == "refusal":
        text = _text(part.get("refusal"))
        return Refusal(text, marks(item, part)) if text else None
    if kind in ("output_text", "text"):
        text = _text(part.get("text"))
        return Text(text, marks(item, part)) if text else None
    return Foreign(HOME, kind, part) if isinstance(kind, str) else None


def marks(item: Rest | None, part: Rest | None = None) -> Rest:
    """What an item, and a part of it, say beyond what has a neutral word."""
    said: Rest = {}
    if item is not None and (beyond := _beyond(item, _KNOWN)):
        said["item"] = beyond
    if part is not None and (beyond := _beyond(part, _KNOWN_PART)):
        said["part"] = beyond
    return {MARK: said} if said else {}


def finish_of(answer: Mapping[str, Any], *, cut: bool, called: bool) -> Finish:
    """Why an answer ended. `cut`: it came as one that is incomplete; `called`: it calls a function."""
    details = answer.get("incomplete_details")
    reason = details.get("reason") if isinstance(details, dict) else None
    if reason == "content_filter":
        return Finish.FILTER
    if cut or reason or answer.get("status") == "incomplete":
        return Finish.LENGTH
    return Finish.TOOL if called else Finish.STOP


def _words(item: Rest) -> list[Part]:
    content = item.get("content")
    if isinstance(content, str):
        content = [{"type": "output_text", "text": content}]
    found: list[Part] = []
    first: Rest | None = item
    for part in content if isinstance(content, list) else ():
        word = word_of(part, first)
        if word is not None:
            found.append(word)
            first = first if isinstance(word, Foreign) else None
    return found


def _beyond(node: Rest, known: frozenset[str]) -> Rest:
    return {name: value for name, value in node.items() if name not in known and value not in _NOTHING}


def _text(value: Json) -> str:
    return value if isinstance(value, str) else ""


# Write


class Names:
    """The identifiers of one answer: from its own, so that they are the same however often it is written."""

    __slots__ = ("_digest", "response")

    def __init__(self, ident: str, model: str, created: int) -> None:
        source = f"{ident}\0{model}\0{created}"  # some servers count to a thousand and begin anew
        self._digest = hashlib.sha256(source.encode("utf-8", "replace")).hexdigest()[:40]
        self.response = ident if ident.startswith("resp_") else f"resp_{self._digest}"

    def item(self, prefix: str, index: int, part: Part) -> str:
        """The identifier of the item that the part begins: its own, if it is of this dialect."""
        own = mark(part, "item").get("id")
        return own if isinstance(own, str) else f"{prefix}_{self._digest}{index:04x}"


class Called:
    """What the client calls its tools, where other dialects know them as functions. `customs`: the custom ones.

    `spaces`: the namespace, and the name within it, by the name of the function.
    """

    __slots__ = ("customs", "spaces")

    def __init__(self, request: Request) -> None:
        tools = [tool for tool in request.tools if tool.foreign is None] if request.home is HOME else []
        noted = {tool.name: namespaces.note(tool) for tool in tools}
        self.spaces = {name: (said["in"], said["name"]) for name, said in noted.items() if said is not None}
        spelt = {tool.name: said["free"] if (said := noted[tool.name]) else SHAPE in tool.rest for tool in tools}
        self.customs = frozenset(name for name, custom in spelt.items() if custom)

    def names(self, name: str) -> Rest:
        """What a call of a function says of which it is."""
        space = self.spaces.get(name)
        return {"name": name} if space is None else {"name": space[1], namespaces.KIND: space[0]}


def mark(part: Part, name: str) -> Rest:
    """What this dialect has noted of a part."""
    rest = getattr(part, "rest", {}).get(MARK)
    found = rest.get(name) if isinstance(rest, dict) else None
    return found if isinstance(found, dict) else {}


def output(parts: Sequence[Part], names: Names, called: Called, finish: Finish) -> list[Json]:
    """All items of an answer."""
    items: list[Json] = []
    talking = False
    for part in parts:
        if isinstance(part, Text | Refusal):
            if not talking or mark(part, "item"):
                items.append(message(names.item("msg", len(items), part), [], part))
            items[-1]["content"].append(content(part))
            talking = True
        elif (item := _item(part, names, len(items), called)) is not None:
            items.append(item)
            talking = False
    if talking and finish in CUT:
        items[-1]["status"] = "incomplete"
    return items


def message(ident: str, contents: list[Json], first: Part, status: str = "completed") -> Rest:
    """A message that begins with this part."""
    begun = {"type": "message", "id": ident, "status": status, "role": "assistant", "content": contents}
    return {**begun, **mark(first, "item"), "id": ident}


def content(part: Text | Refusal) -> Json:
    """A part of a message."""
    if isinstance(part, Refusal):
        return {"type": "refusal", "refusal": part.text, **mark(part, "part")}
    cited = [] if "annotations" in mark(part, "part") else for_responses(part)
    return {"type": "output_text", "text": part.text, "annotations": cited, "logprobs": [], **mark(part, "part")}


def call(ident: str, part: ToolCall, called: Called, status: str = "completed") -> Json:
    """The call of a function, or of a custom tool: of one that was a function elsewhere, its one argument.

    One that was cut short is not completed.
    """
    named = called.names(part.name)
    status = "incomplete" if is_cut(part) else status
    item = {"id": ident, "call_id": part.id or ident, **named, "status": status, **mark(part, "item")}
    if part.free or part.name in called.customs:
        text = part.arguments if part.free else customs.unwrap(part.arguments)
        return {"type": "custom_tool_call", **item, "input": text}
    return {"type": "function_call", **item, "arguments": part.arguments or "{}"}


def reasoning(ident: str, part: Reasoning) -> Json:
    """A reasoning item, with what only its maker can read."""
    item: Rest = {"type": "reasoning", "id": ident, "summary": [], **mark(part, "item")}
    if part.text:
        kind, field = ("summary_text", "summary") if part.summary else ("reasoning_text", "content")
        item[field] = [{"type": kind, "text": part.text}]
    if part.seal is not None:
        sealed = seals.write(HOME, part.seal)
        item |= (
            {**sealed, "id": ident, "type": "reasoning"} if isinstance(sealed, dict) else {"encrypted_content": sealed}
        )
    return item


def _item(part: Part, names: Names, index: int, called: Called) -> Json | None:
    if isinstance(part, ToolCall):
        prefix = "ctc" if part.free or part.name in called.customs else "fc"
        return call(names.item(prefix, index, part), part, called)
    if isinstance(part, Reasoning):
        return reasoning(names.item("rs", index, part), part)
    return part.payload if isinstance(part, Foreign) and part.home is HOME else None
