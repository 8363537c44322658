"""Content blocks of Messages as parts, and parts as blocks: those of a request and those of an answer are alike.

What a block says beyond its part's fields is in the part's `rest` under `MARK`, so that an answer, which does not tell
its home, can be written back by it as well.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import msgspec

from pointsman.dialects import customs, seals
from pointsman.dialects.features import SHAPE
from pointsman.exchange import BadRequestError
from pointsman.names import Dialect
from pointsman.neutral import Foreign, Image, Reasoning, Refusal, Seal, Text, ToolCall, ToolResult

if TYPE_CHECKING:
    from collections.abc import Callable

    from pointsman.neutral import Json, Part, Rest

HOME: Final = Dialect.MESSAGES
MARK: Final = "messages"
"""The key in a part's `rest` under which the members that only Messages has are kept."""
REDACTED: Final = "redacted"
"""The key of a seal's payload that was a whole `redacted_thinking` block, without a text beside it."""
STRING: Final = "string"
UNSIGNED: Final = "unsigned"
_REFERENCE: Final = "tool_reference"
LIST: Final = "list"

_MEDIA: Final = re.compile(r"[\w.+-]+/[\w.+-]+")
_ID: Final = re.compile(r"[a-zA-Z0-9_-]+")
_ENCODE: Final = msgspec.json.Encoder().encode
_UNREADABLE: Final = (msgspec.MsgspecError, UnicodeError, RecursionError)
Object = dict[str, Any]


def wrong(path: str, mend: str) -> BadRequestError:
    """The error for a value at a path, with what it must be."""
    return BadRequestError(f"{path}: {mend}")


def read(block: Json, path: str) -> Part:
    """A block as a part. BadRequestError, with the path: it is none, or its text is no text."""
    if not isinstance(block, dict):
        raise wrong(path, "must be a content block, an object with a `type`")
    kind = block.get("type")
    if not isinstance(kind, str) or not kind:
        raise wrong(f"{path}.type", "must name the kind of the block, such as 'text'")
    reader = _READERS.get(kind)
    return Foreign(HOME, kind, block) if reader is None else reader(block, path)


def write(part: Part) -> Json | None:
    """A part as a block; None: Messages has none for it. Nothing is left out for being empty."""
    if isinstance(part, Text | Refusal):
        noted = part.rest.get(SHAPE)
        return noted if isinstance(noted, dict) else {"type": "text", "text": part.text, **own(part.rest)}
    if isinstance(part, ToolCall):
        called = {"id": ident(part.id), "name": part.name, "input": arguments(part)}
        return {"type": "tool_use", **called, **own(part.rest)}
    if isinstance(part, Reasoning):
        return _write_reasoning(part)
    if isinstance(part, Image):
        return {"type": "image", **merged({"source": _source(part.url)}, own(part.rest))}
    if isinstance(part, ToolResult):
        return _write_result(part)
    return part.payload if part.home is HOME else None


def own(rest: Rest) -> Object:
    """What was kept of a block's own members."""
    kept = rest.get(MARK)
    return kept if isinstance(kept, dict) else {}


def merged(written: Object, kept: Object) -> Object:
    """A written object with the members that were kept of it, and those of the objects in it."""
    both = {**written, **kept}
    for name in written.keys() & kept.keys():
        if isinstance(written[name], dict) and isinstance(kept[name], dict):
            both[name] = {**written[name], **kept[name]}
    return both


def ident(name: str) -> str:
    """A call's identifier as Anthropic takes it: letters, digits, `_` and `-`.

    Any other is `toolu_` and its bytes in hexadecimal: the same wherever it stands, and to be read back.
    """
    return name if _ID.fullmatch(name) else "toolu_" + name.encode("utf-8", "surrogatepass").hex()


def arguments(call: ToolCall) -> Object:
    """The object that a call's arguments are; `{"input": …}` of a custom tool's, and of what is no object."""
    if not call.arguments.strip() and not call.free:
        return {}
    try:
        value = None if call.free else msgspec.json.decode(call.arguments)
    except _UNREADABLE:
        value = None
    return value if isinstance(value, dict) else {customs.ARGUMENT: call.arguments}


def redacted(seal: Seal) -> bool:
    """Whether a seal was a block of its own, without a text."""
    return seal.home is HOME and isinstance(seal.payload, dict) and REDACTED in seal.payload


def blank(part: Part) -> bool:
    """Whether a part says nothing: Anthropic refuses texts without a letter in them."""
    if isinstance(part, Reasoning):
        return not part.text and part.seal is None
    return isinstance(part, Text | Refusal) and not part.text.strip()


def read_result(value: Json, path: str) -> tuple[tuple[Part, ...], str]:
    """What a tool's result holds, and how it was spelt."""
    if isinstance(value, str):
        return (Text(value),), STRING
    if value is None:
        return (), ""
    if not isinstance(value, list):
        raise wrong(path, "must be a string or a list of content blocks")
    parts = tuple(_inner(block, f"{path}[{i}]") for i, block in enumerate(value))
    return parts, "" if parts else LIST


def _inner(block: Json, path: str) -> Part:
    part = read(block, path)
    if isinstance(part, Foreign) and part.kind == _REFERENCE and isinstance(block.get("tool_name"), str):
        # What a search for tools has found is told to the model by Anthropic; elsewhere it knows all tools anyway.
        return Text(f"The tool {block['tool_name']} may be called now.", {SHAPE: block})
    return part if isinstance(part, Text | Image | Foreign) else Foreign(HOME, block["type"], block)


def _words(block: Object, name: str, path: str) -> str:
    value = block.get(name)
    if not isinstance(value, str):
        raise wrong(f"{path}.{name}", "must be a string")
    return value


def _rest(block: Object, known: frozenset[str], shape: str = "") -> Rest:
    kept = {name: value for name, value in block.items() if name not in known and name != SHAPE}
    rest: Rest = {MARK: kept} if kept else {}
    if shape:
        rest[SHAPE] = shape
    return rest


_TEXT: Final = frozenset({"type", "text"})
_THINKING: Final = frozenset({"type", "thinking", "signature"})
_DATA: Final = frozenset({"type", "data"})
_CALL: Final = frozenset({"type", "id", "name", "input"})
_RESULT: Final = frozenset({"type", "tool_use_id", "content"})
_BASE64: Final = frozenset({"type", "media_type", "data"})
_URL: Final = frozenset({"type", "url"})


def _read_text(block: Object, path: str) -> Part:
    return Text(_words(block, "text", path), _rest(block, _TEXT))


def _read_thinking(block: Object, path: str) -> Part:
    text = _words(block, "thinking", path) if block.get("thinking") is not None else ""
    shape = "" if "signature" in block else UNSIGNED
    return Reasoning(text, seal=seals.read(HOME, block.get("signature")), rest=_rest(block, _THINKING, shape))


def _read_redacted(block: Object, path: str) -> Part:  # noqa: ARG001 - the same shape for every kind
    data = block.get("data")
    seal = seals.read(HOME, data)
    if seal is not None and not seal.maker and seal.home is HOME and seal.payload == data:
        seal = Seal(HOME, {REDACTED: data})
    return Reasoning(seal=seal, rest=_rest(block, _DATA))


def _read_call(block: Object, path: str) -> Part:
    value = block.get("input")
    text = "" if value is None else _ENCODE(value).decode()
    return ToolCall(_words(block, "id", path), _words(block, "name", path), text, rest=_rest(block, _CALL))


def _read_result(block: Object, path: str) -> Part:
    parts, shape = read_result(block.get("content"), f"{path}.content")
    error = block.get("is_error")
    known = _RESULT if error is False else _RESULT | {"is_error"}
    return ToolResult(_words(block, "tool_use_id", path), parts, error is True, rest=_rest(block, known, shape))


def _read_image(block: Object, path: str) -> Part:
    source = block.get("source")
    if not isinstance(source, dict):
        raise wrong(f"{path}.source", "must be an object with a `type`: base64 or url")
    kind, media, data, url = (source.get(name) for name in ("type", "media_type", "data", "url"))
    if kind == "base64" and isinstance(media, str) and _MEDIA.fullmatch(media) and isinstance(data, str):
        return Image(f"data:{media};base64,{data}", rest=_of_image(block, _BASE64))
    if kind == "url" and isinstance(url, str):
        return Image(url, rest=_of_image(block, _URL))
    return Foreign(HOME, "file" if kind == "file" else "image", block)


def _of_image(block: Object, known: frozenset[str]) -> Rest:
    kept = {name: value for name, value in block.items() if name not in {"type", "source"}}
    source = {name: value for name, value in block["source"].items() if name not in known}
    if source:
        kept["source"] = source
    return {MARK: kept} if kept else {}


_READERS: Final[dict[str, Callable[[Object, str], Part]]] = {
    "text": _read_text,
    "thinking": _read_thinking,
    "redacted_thinking": _read_redacted,
    "tool_use": _read_call,
    "tool_result": _read_result,
    "image": _read_image,
}


def _write_reasoning(part: Reasoning) -> Object:
    seal, kept = part.seal, own(part.rest)
    if seal is not None and redacted(seal):
        data = seals.write(HOME, seal) if seal.maker else seal.payload[REDACTED]
        return {"type": "redacted_thinking", "data": data, **kept}
    block: Object = {"type": "thinking", "thinking": part.text}
    if seal is not None or part.rest.get(SHAPE) != UNSIGNED:
        block["signature"] = "" if seal is None else seals.write(HOME, seal)
    return {**block, **kept}


def _write_result(part: ToolResult) -> Object:
    block: Object = {"type": "tool_result", "tool_use_id": ident(part.call_id)}
    shape, texts = part.rest.get(SHAPE), part.parts
    if shape == STRING and len(texts) == 1 and isinstance(texts[0], Text):
        block["content"] = texts[0].text
    elif texts or shape == LIST:
        block["content"] = [inner for inner in map(write, texts) if inner is not None]
    if part.error:
        block["is_error"] = True
    return {**block, **own(part.rest)}


def _source(url: str) -> Object:
    head, mark, data = url.partition(";base64,")
    if mark and head.startswith("data:"):
        return {"type": "base64", "media_type": head.removeprefix("data:").partition(";")[0], "data": data}
    return {"type": "url", "url": url}
