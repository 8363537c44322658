"""The parts of chat's messages, in requests and in answers alike.

What a node of the wire has beyond the neutral fields stands in its `rest` under MARK, laid out as on the wire, and
under `features.SHAPE` in it how the wire spelt the rest of the node. Only what is marked so is written back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeGuard

from pointsman.dialects import seals, values
from pointsman.dialects.calls import as_text
from pointsman.dialects.citations import begins_message
from pointsman.dialects.features import SHAPE
from pointsman.exchange import BadRequestError
from pointsman.names import Dialect
from pointsman.neutral import Foreign, Image, Reasoning, Refusal, Text, ToolCall

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pointsman.neutral import Json, Part, Rest, Seal

MARK: Final = "chat"
THOUGHT: Final = ("reasoning_content", "reasoning")
"""What servers call it: DeepSeek, llama.cpp and old vLLM the first, new vLLM, Ollama and OpenRouter the second."""
CUSTOM: Final = "custom"
"""In the `rest` of a tool or a choice: the whole of it, where it is a custom one."""
PARAGRAPH: Final = "\n\n"
_DETAILS: Final = "reasoning_details"
_DETAILED: Final = ("low", "high", "auto")

Object = dict[str, Any]


def kept(left: Object, shape: Json = None) -> Rest:
    """A node's `rest` with what is left of it, and how it was spelt."""
    marked = left if shape is None else {**left, SHAPE: shape}
    return {MARK: marked} if marked else {}


def own(rest: Rest) -> Object:
    """What `kept` has put there, but for the spelling."""
    marked = rest.get(MARK)
    return {name: value for name, value in marked.items() if name != SHAPE} if isinstance(marked, dict) else {}


def shape(rest: Rest) -> Json:
    """How the node was spelt; None: as usual."""
    marked = rest.get(MARK)
    return marked.get(SHAPE) if isinstance(marked, dict) else None


def without_shape(value: Object) -> Object:
    """A copy of a node to take fields from. Nobody but us may say how it was spelt."""
    return {name: inner for name, inner in value.items() if name != SHAPE}


# Content


def read_content(content: Json, path: str) -> list[Part]:
    """The parts of a message's `content`: a string, a list of parts, or null for none."""
    if content is None:
        return []
    if isinstance(content, str):
        return [Text(content)]
    if not isinstance(content, list):
        raise BadRequestError(f"{path}: expected a string or a list of parts")
    return [_read_part(part, f"{path}[{i}]") for i, part in enumerate(content)]


def _read_part(value: Json, path: str) -> Part:
    if isinstance(value, str):
        return Text(value, kept({}, "bare"))
    left = without_shape(values.mapping(value, path))
    kind = values.text(left.pop("type", None), f"{path}.type")
    if kind == "text":
        return Text(values.text(left.pop("text", None), f"{path}.text"), kept(left))
    if kind == "refusal":
        return Refusal(values.text(left.pop("refusal", None), f"{path}.refusal"), kept(left, "part"))
    if kind == "image_url":
        return _read_image(left, f"{path}.image_url")
    return Foreign(Dialect.CHAT, kind, value)


def _read_image(left: Object, path: str) -> Image:
    said = left.pop("image_url", None)
    if isinstance(said, str):
        return Image(said, rest=kept(left, "bare"))
    image = dict(values.mapping(said, path))
    url = values.text(image.pop("url", None), f"{path}.url")
    detail = image.pop("detail") if image.get("detail") in _DETAILED else ""
    return Image(url, detail, kept({**left, "image_url": image} if image else left))


def write_part(part: Text | Image | Refusal | Foreign) -> Json:
    """A part of a message's content."""
    if isinstance(part, Foreign):
        return part.payload
    bare, left = shape(part.rest) == "bare", own(part.rest)
    if isinstance(part, Text):
        return part.text if bare else {"type": "text", "text": part.text, **left}
    if isinstance(part, Refusal):
        return {"type": "refusal", "refusal": part.text, **left}
    inner = {"url": part.url, **({"detail": part.detail} if part.detail else {}), **(left.pop("image_url", None) or {})}
    return {"type": "image_url", "image_url": part.url if bare else inner, **left}


# Calls


def read_calls(value: Json, path: str, ident: str = "") -> list[Part]:
    """The calls of a message. `ident`: what those without an id are called, with their number."""
    if value is None:
        return []
    return [_read_call(call, f"{path}[{i}]", f"{ident}{i}") for i, call in enumerate(values.items(value, path))]


def _read_call(value: Json, path: str, ident: str) -> Part:
    left = without_shape(values.mapping(value, path))
    kind = left.pop("type", None) or ("custom" if "custom" in left else "function")
    if kind not in ("function", "custom"):
        return Foreign(Dialect.CHAT, "tool_calls", value)
    inner = dict(values.mapping(left.pop(kind, None), f"{path}.{kind}"))
    name = values.text(inner.pop("name", None), f"{path}.{kind}.name")
    said = left.pop("id", None)
    called = said if isinstance(said, str) and said else ident
    left.pop("index", None)
    text = as_text(inner.pop("arguments" if kind == "function" else "input", None))
    return ToolCall(called, name, text, kind == "custom", kept({**left, kind: inner} if inner else left))


def write_call(call: ToolCall) -> Object:
    """A call as it stands in a message. No arguments are an empty object: clients parse them."""
    left = own(call.rest)
    if call.free:
        custom = {"name": call.name, "input": call.arguments, **(left.pop("custom", None) or {})}
        return {"id": call.id, "type": "custom", "custom": custom, **left}
    function = {"name": call.name, "arguments": call.arguments or "{}", **(left.pop("function", None) or {})}
    return {"id": call.id, "type": "function", "function": function, **left}


# Reasoning


def take_reasoning(left: Object) -> list[Part]:
    """The reasoning of a message, taken out of its fields.

    Reasoning that went out sealed comes back as it was, part by part. Other `reasoning_details` are a seal if there is
    anything in them that only their maker can read.
    """
    details = left.get(_DETAILS)
    entries = details if isinstance(details, list) else []
    sealed = _unsealed(entries)
    said = {name: left.pop(name) for name in THOUGHT if isinstance(left.get(name), str) and left[name]}
    text = next(iter(said.values()), "") or "".join(map(detail_words, entries))
    if sealed:
        del left[_DETAILS]
        return sealed
    if not text and not opaque(entries):
        return []
    more = {name: other for name, other in said.items() if other != text}
    names = [name for name in said if name not in more]
    seal = seals.read(Dialect.CHAT, left.pop(_DETAILS)) if opaque(entries) else None
    if seal is None and entries:
        more[_DETAILS] = left.pop(_DETAILS)
    return [Reasoning(text, seal=seal, rest=kept(more, None if names == [THOUGHT[0]] else names))]


def write_reasoning(parts: Sequence[Reasoning]) -> Object:
    """The fields of a message for its reasoning: all of it as one text, and what its makers want back."""
    fields: Object = {}
    text = PARAGRAPH.join(part.text for part in parts if part.text)
    named = shape(parts[0].rest) if parts else None
    for name in named if isinstance(named, list) else THOUGHT[:1]:
        if text:
            fields[str(name)] = text
    for part in parts:
        fields.update(own(part.rest))
    sealed = [(part, [] if part.seal is None else write_seal(part, part.seal, i)) for i, part in enumerate(parts)]
    if any(packed(entry) for _, entries in sealed for entry in entries):
        # They are read back part by part: those without a seal stand among them.
        sealed = [(part, entries or write_unsealed(part, i)) for i, (part, entries) in enumerate(sealed)]
    details = [entry for _, entries in sealed for entry in entries]
    if details:
        fields[_DETAILS] = details
    return fields


def write_unsealed(part: Reasoning, index: int) -> list[Json]:
    """The `reasoning_details` for reasoning among such as is sealed."""
    return [{"type": "reasoning.text", "text": part.text, "index": index}] if part.text else []


def write_seal(part: Reasoning, seal: Seal, index: int) -> list[Json]:
    """The `reasoning_details` for sealed reasoning, in OpenRouter's words: its text with a signature, or a cipher."""
    value = seals.write(Dialect.CHAT, seal)
    if not isinstance(value, str):
        return value if isinstance(value, list) else [value]
    if not part.text:
        return [{"type": "reasoning.encrypted", "data": value, "index": index}]
    kind = "summary" if part.summary else "text"
    return [{"type": f"reasoning.{kind}", kind: part.text, "signature": value, "index": index}]


def opaque(entries: Iterable[Json]) -> bool:
    """Whether there is anything in `reasoning_details` that only their maker can read."""
    return any(isinstance(entry, dict) and (entry.get("signature") or entry.get("data")) for entry in entries)


def merged(entries: Sequence[Object]) -> list[Json]:
    """The `reasoning_details` of a stream, with the pieces of each entry put together."""
    whole: list[Object] = []
    for entry in entries:
        last = whole[-1] if whole else None
        if last is not None and last.get("index") == entry.get("index") and last.get("type") == entry.get("type"):
            whole[-1] = _joined(last, entry)
        else:
            whole.append(entry)
    return list(whole)


def _joined(first: Object, later: Object) -> Object:
    both = {**first, **{name: value for name, value in later.items() if value is not None}}
    for name in ("text", "summary", "data"):
        if isinstance(first.get(name), str) and isinstance(later.get(name), str):
            both[name] = first[name] + later[name]
    return both


def detail_words(entry: Json) -> str:
    """The words of an entry of `reasoning_details`, if it has any."""
    words = (entry.get("text") or entry.get("summary")) if isinstance(entry, dict) else None
    return words if isinstance(words, str) else ""


def _unsealed(entries: list[Json]) -> list[Part]:
    """The parts that `write_seal` wrote; none: these details are somebody else's."""
    marks = [packed(entry) for entry in entries]
    if not any(marks):
        return []
    return [
        Reasoning(detail_words(entry), "summary" in entry, seals.read(Dialect.CHAT, mark) if mark else None)
        for entry, mark in zip(entries, marks, strict=True)
        if isinstance(entry, dict)
    ]


def packed(entry: Json) -> str:
    """The seal in an entry of `reasoning_details` that this gateway wrote; "": somebody else did."""
    for name in ("signature", "data"):
        value = entry.get(name) if isinstance(entry, dict) else None
        if isinstance(value, str) and value.startswith(seals.PREFIX):
            return value
    return ""


# What an assistant says


def is_content(part: Part) -> TypeGuard[Text | Refusal | Image | Foreign]:
    """Whether a part stands in a message's `content`, not in a field of its own beside it."""
    if isinstance(part, Refusal):
        return bool(shape(part.rest) == "part")
    if isinstance(part, Foreign):
        return isinstance(part.payload, dict) and bool(part.payload.get("type") == part.kind)
    return isinstance(part, Text | Image)


def beside_content(parts: Sequence[Part]) -> Object:
    """The fields of what a message says beside its content: reasoning, refusal, calls."""
    fields = write_reasoning([part for part in parts if isinstance(part, Reasoning)])
    calls: list[Json] = []
    for part in parts:
        if isinstance(part, ToolCall):
            calls.append(write_call(part))
        elif isinstance(part, Refusal) and not is_content(part):
            fields["refusal"] = fields.get("refusal", "") + part.text
        elif isinstance(part, Foreign) and part.kind == "tool_calls":
            calls.append(part.payload)
        elif isinstance(part, Foreign) and not is_content(part):
            fields[part.kind] = part.payload
    return {**fields, "tool_calls": calls} if calls else fields


def take_answer(left: Object, path: str, ident: str = "") -> list[Part]:
    """What an assistant's message says, taken out of its fields: reasoning, content, refusal, calls."""
    parts = take_reasoning(left)
    parts += read_content(left.pop("content", None), f"{path}.content")
    refusal = left.get("refusal")
    if isinstance(refusal, str) and refusal:
        parts.append(Refusal(left.pop("refusal")))
    for kind in ("audio", "images"):
        if left.get(kind):
            parts.append(Foreign(Dialect.CHAT, kind, left.pop(kind)))
    if "tool_calls" in left and left["tool_calls"] is not None:
        parts += read_calls(left.pop("tool_calls"), f"{path}.tool_calls", ident)
    return parts


def joined(parts: Iterable[Part]) -> str:
    """The texts as one. A paragraph of its own for what stands after something else, such as a call."""
    text, beside = "", True
    for part in parts:
        if isinstance(part, Text):
            if part.text:
                beside = beside and not begins_message(part)
                text += part.text if beside or not text else PARAGRAPH + part.text
                beside = True
        elif not isinstance(part, Foreign):
            beside = False
    return text
