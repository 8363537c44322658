"""How a server is asked how many tokens a request has, and what can be said of it without asking.

    VLLM        POST /tokenize with the messages; Messages: /v1/messages/count_tokens
    LlamaCpp    POST /v1/chat/completions/input_tokens, /v1/responses/input_tokens, /v1/messages/count_tokens, which
                apply the model's own template; older servers have none of them: then nothing is known
    Anthropic   POST /v1/messages/count_tokens

A count is of the prompt as the server would read it, template and tools included. It costs the server no slot.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import Raw

from pointsman.names import Counting, Dialect

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Fields = Mapping[str, Raw]

_COUNT: Final = "/v1/messages/count_tokens"
_PATHS: Final = {
    (Counting.VLLM, Dialect.CHAT): "/tokenize",
    (Counting.VLLM, Dialect.RESPONSES): "/tokenize",
    (Counting.VLLM, Dialect.MESSAGES): _COUNT,
    (Counting.LLAMA_CPP, Dialect.CHAT): "/v1/chat/completions/input_tokens",
    (Counting.LLAMA_CPP, Dialect.RESPONSES): "/v1/responses/input_tokens",
    (Counting.LLAMA_CPP, Dialect.MESSAGES): _COUNT,
    (Counting.ANTHROPIC, Dialect.MESSAGES): _COUNT,
}
_PROMPT: Final = {
    Dialect.CHAT: ("messages", "tools", "chat_template_kwargs"),
    Dialect.RESPONSES: ("input", "instructions", "tools", "tool_choice"),
    Dialect.MESSAGES: ("messages", "system", "tools", "tool_choice", "thinking"),
}
_TURNS: Final = ("system", "instructions", "messages", "input")
_DATA: Final = 256  # characters; a string that is longer and has no word in it is no text
_WORDS: Final = re.compile(r"\s")
_MEDIA: Final = frozenset({"data", "file_data", "image_url", "url", "file_id", "file_url"})
_SEALS: Final = frozenset({"encrypted_content", "signature"})  # carried along, and no text
_FORM: Final = frozenset({"type", "role", "id", "call_id", "tool_call_id", "tool_use_id"})
_BAD: Final = (msgspec.MsgspecError, RecursionError)
_LETTERS: Final = bytes(range(ord("a"), ord("z") + 1)) + bytes(range(ord("A"), ord("Z") + 1)) + b" "
_ASCII: Final = bytes(range(128))
_RUN: Final = re.compile(rb"[A-Za-z0-9+/=_-]{40,}")


class _Count(msgspec.Struct):
    count: int = 0
    input_tokens: int = 0


class Prompt(msgspec.Struct, frozen=True, gc=False):
    """What of a request a model reads: its texts, how many turns and media they come in, and bytes of those media."""

    text: bytes
    turns: int = 0
    media: int = 0
    data: int = 0


_READ: Final = msgspec.json.Decoder(_Count)
_ENCODE: Final = msgspec.json.Encoder().encode


def request(counting: Counting, dialect: Dialect, fields: Fields, model: str) -> tuple[str, bytes] | None:
    """The path, below the base URL without /v1, and the JSON body of the question; None: the server cannot be asked."""
    path = _PATHS.get((counting, dialect))
    if path is None:
        return None
    asked: dict[str, Any] = {"model": model}
    if counting is Counting.VLLM and dialect is Dialect.RESPONSES:
        # /tokenize knows no input items. The texts alone lack the template: some tokens for each turn make up for it.
        found = prompt(fields)
        text = found.text.decode("utf-8", "replace")
        return path, _ENCODE({**asked, "prompt": text + " a b c d e f g h" * found.turns})
    asked |= {name: fields[name] for name in _PROMPT[dialect] if name in fields}
    return path, _ENCODE(asked)


def read(counting: Counting, body: bytes) -> int:
    """The tokens of an answer with status 200; 0: it does not tell."""
    try:
        answer = _READ.decode(body)
    except _BAD:
        return 0
    return max(0, answer.count if counting is Counting.VLLM and answer.count else answer.input_tokens)


def prompt(fields: Fields) -> Prompt:
    """The texts of a request of any dialect, apart from its media. What cannot be read has none."""
    texts = [bytes(fields["tools"])] if "tools" in fields else []
    turns = media = data = 0
    for name in _TURNS:
        content = _decode(fields[name]) if name in fields else None
        turns += len(content) if isinstance(content, list) else content is not None
        for key, text in _strings(content, name):
            if key in _SEALS or (key in _MEDIA and _is_data(key, text)):
                media += key in _MEDIA
                data += len(text)
            elif key not in _FORM:
                texts.append(text.encode("utf-8", "replace"))
    return Prompt(b" ".join(texts), turns, media, data)


def most(found: Prompt) -> int:
    """More tokens than any tokenizer makes of the texts, but for texts that nobody would write; media not counted.

    Letters in words make a token for 2.5 at most; a digit, a sign, a byte of other scripts may be one by itself, and
    two characters of a long random run.
    """
    text = found.text
    runs = sum(map(len, _RUN.findall(text)))
    letters = len(text) - len(text.translate(None, _LETTERS))
    others = len(text.translate(None, _ASCII))  # three bytes a character, or four, of two tokens or three at most
    signs = len(text) - letters - others
    return int(letters / 2.5 + runs / 4 + signs + others * 0.75) + 8 * found.turns + 64


def _decode(raw: Raw) -> Any:
    try:
        return msgspec.json.decode(raw)
    except _BAD:
        return None


def _strings(content: Any, name: str) -> Iterator[tuple[str, str]]:
    """All strings and numbers with the key that they stand under, in order."""
    # By a stack of our own: a request may be nested as deep as the reader of JSON allows.
    waiting = [(name, content)]
    while waiting:
        key, node = waiting.pop()
        if isinstance(node, dict):
            waiting.extend(reversed(node.items()))
        elif isinstance(node, list):
            waiting.extend((key, item) for item in reversed(node))
        elif node is not None:
            yield key, node if isinstance(node, str) else str(node)


def _is_data(key: str, text: str) -> bool:
    return key != "data" or (len(text) > _DATA and _WORDS.search(text) is None)
