"""What `pointsman doctor` asks for: bodies of small requests in each dialect. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import msgspec

from pointsman.names import Dialect

Json = dict[str, Any]

TOOLS: Final = 12  # as many as an agent of OpenClaw sends
LIMIT: Final = 4  # tokens of an answer that is to be cut
_SHORT: Final = 16  # tokens; OpenAI's Responses API refuses fewer
_SOME: Final = 64  # tokens: enough to see how an answer begins
_COUNT: Final = "Count from one to fifty, in words."
_WORDS: Final = ("red", "sun", "map", "ten", "cat", "sea", "box", "far")  # a token each, or more, everywhere
_LIMITS: Final = {Dialect.RESPONSES: "max_output_tokens", Dialect.MESSAGES: "max_tokens"}


@dataclass(frozen=True, slots=True)
class Speech:
    """How a model is asked: in which dialect, and in chat by which field answers are limited."""

    dialect: Dialect
    model: str
    limit: str = "max_tokens"

    def request(self, prompt: Any, tokens: int, **more: Any) -> Json:
        body: Json = {"model": self.model, "stream": False}
        body["input" if self.dialect is Dialect.RESPONSES else "messages"] = [{"role": "user", "content": prompt}]
        return body | {_LIMITS.get(self.dialect, self.limit): tokens} | more


def tiny(speech: Speech) -> bytes:
    """The least that can be asked."""
    return msgspec.json.encode(speech.request("Say hello.", _SHORT))


def parts(speech: Speech) -> bytes:
    """The same, its content a list of one part, as agents write it."""
    kind = "input_text" if speech.dialect is Dialect.RESPONSES else "text"
    return msgspec.json.encode(speech.request([{"type": kind, "text": "Say hello."}], _SHORT))


def with_tools(speech: Speech, count: int = TOOLS) -> bytes:
    """A request with the schemas of `count` tools, in the shapes that agents' tools have."""
    prompt = "Use a tool to read the file notes.txt."
    given = [_tool(speech.dialect, number) for number in range(count)]
    return msgspec.json.encode(speech.request(prompt, _SOME, tools=given))


def streamed(speech: Speech) -> bytes:
    more: Json = {"stream": True}
    if speech.dialect is Dialect.CHAT:
        more["stream_options"] = {"include_usage": True}
    return msgspec.json.encode(speech.request("Say hello, and what you are.", _SOME, **more))


def limited(speech: Speech) -> bytes:
    """A request for more words than its limit allows."""
    return msgspec.json.encode(speech.request(_COUNT, LIMIT))


def developer(speech: Speech) -> bytes:
    """A chat whose instructions come in the role that OpenAI gave them."""
    body = speech.request("Say hello.", _SHORT)
    body["messages"].insert(0, {"role": "developer", "content": "Be brief."})
    return msgspec.json.encode(body)


def long(speech: Speech, tokens: int) -> bytes:
    """A prompt of at least so many tokens, by any tokenizer."""
    words = " ".join(_WORDS[at % len(_WORDS)] for at in range(tokens))
    return msgspec.json.encode(speech.request(words, _SHORT))


_NAMES: Final = (
    "read_file", "write_file", "edit_file", "run_command", "search_text", "list_folder", "open_page", "send_message",
    "schedule_job", "take_note", "find_note", "show_image",
)  # fmt: skip


def _tool(dialect: Dialect, number: int) -> Json:
    name = _NAMES[number % len(_NAMES)]
    about = {"name": name, "description": f"Tool {number + 1}: {name.replace('_', ' ')}."}
    if dialect is Dialect.MESSAGES:
        return about | {"input_schema": _SCHEMA}
    if dialect is Dialect.RESPONSES:
        return {"type": "function", **about, "parameters": _SCHEMA}
    return {"type": "function", "function": about | {"parameters": _SCHEMA}}


# What such schemas hold beside plain fields: choices, nesting, lists of objects, either of two types.
_SCHEMA: Final[Json] = {
    "type": "object",
    "properties": {
        "path": {"type": "string", "description": "Where, from the workspace's root"},
        "mode": {"type": "string", "enum": ["text", "lines", "bytes"]},
        "range": {
            "type": "object",
            "properties": {"from": {"type": "integer", "minimum": 1}, "to": {"type": "integer"}},
            "additionalProperties": False,
        },
        "edits": {
            "type": "array",
            "items": {"type": "object", "properties": {"old": {"type": "string"}, "new": {"type": "string"}}},
        },
        "timeout": {"anyOf": [{"type": "number"}, {"type": "null"}]},
    },
    "required": ["path"],
    "additionalProperties": False,
}
