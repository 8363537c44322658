"""What the fake backends of `bench/failover.py` say, and the judge of what a client got: to the letter, with one end.

The text of an answer is made of the seed in the prompt, so that any backend gives the same one and the client knows it
beforehand. A prompt is a `Plan` as JSON. Dialects go by the last part of their path: completions, responses, messages.
"""

from __future__ import annotations

import itertools
import random
from functools import lru_cache
from typing import Any, Final

import msgspec

DIALECTS: Final = ("completions", "responses", "messages")
PATHS: Final = {"completions": "/v1/chat/completions", "responses": "/v1/responses", "messages": "/v1/messages"}
_SYLLABLES: Final = ("ka", "to", "mi", "ré", "zu", "lo", "né", "shi", "va", "qu", "—", "東", '"', "\\")
Json = dict[str, Any]


class Plan(msgspec.Struct, omit_defaults=True):
    """What a prompt asks for. Only a faulty backend does the last three: `cut` in CUTS, `at` a share of the bytes.

    `pace` and `think` are seconds between two events and before the first; `linger` seconds between the last byte and
    the cut.
    """

    seed: int
    words: int = 12
    pace: float = 0.0
    think: float = 0.0
    cut: str = ""
    at: float = 0.0
    linger: float = 0.0


CUTS: Final = ("reset", "close", "end", "stall")
"""RST; FIN without the last chunk; a proper end of HTTP in the middle of the answer; nothing more comes."""


@lru_cache(4096)
def words(seed: int, count: int) -> tuple[str, ...]:
    """The pieces of an answer; no two answers are alike."""
    draw = random.Random(seed)
    spoken = ("".join(draw.choices(_SYLLABLES, k=draw.randint(1, 4))) for _ in range(count - 1))
    return (f"{seed}:", *(f" {word}" for word in spoken))


def text(plan: Plan) -> str:
    return "".join(words(plan.seed, plan.words))


def request(dialect: str, plan: Plan, *, stream: bool, model: str = "assistant") -> Json:
    """A request's body."""
    prompt = msgspec.json.encode(plan).decode()
    common: Json = {"model": model, "stream": stream}
    if dialect == "responses":
        return common | {"input": prompt}
    limit = {"max_tokens": 4096} if dialect == "messages" else {}
    return common | limit | {"messages": [{"role": "user", "content": prompt}]}


def asked(body: Json) -> tuple[Plan, str]:
    """The plan in a request, and how much of the answer is to be taken as said (an assistant's turn at the end)."""
    turns: Any = body.get("messages", body.get("input", ""))
    if isinstance(turns, str):
        return _plan(turns), ""
    said = ""
    for turn in reversed(turns):
        if turn.get("role") == "user":
            return _plan(_flat(turn["content"])), said
        said = _flat(turn.get("content", "")) + said
    return _plan(""), said


def _plan(prompt: str) -> Plan:
    try:
        return msgspec.json.decode(prompt, type=Plan)
    except msgspec.MsgspecError:
        return Plan(seed=0, words=3)  # a probe


def _flat(content: str | list[Json]) -> str:
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


def whole(dialect: str, name: str, said: str) -> Json:
    """An unstreamed answer of the backend `name`."""
    if dialect == "completions":
        choice = {"index": 0, "message": {"role": "assistant", "content": said}, "finish_reason": "stop"}
        usage = {"prompt_tokens": 9, "completion_tokens": 9, "total_tokens": 18}
        return _chat_shell(name, "chat.completion") | {"choices": [choice], "usage": usage}
    if dialect == "responses":
        part = {"type": "output_text", "text": said, "annotations": []}
        item = {"type": "message", "id": f"m-{name}", "role": "assistant", "status": "completed", "content": [part]}
        return _response(name, "completed") | {"output": [item]}
    return _message(name) | {"content": [{"type": "text", "text": said}], "stop_reason": "end_turn"}


def events(dialect: str, name: str, pieces: tuple[str, ...], said: str) -> list[bytes]:
    """The events of a streamed answer; `said` is its whole text."""
    return _EVENTS[dialect](name, pieces, said)


def _chat_shell(name: str, kind: str) -> Json:
    return {"id": f"chatcmpl-{name}", "object": kind, "created": 1, "model": "real"}


def _chat(name: str, pieces: tuple[str, ...], _said: str) -> list[bytes]:
    shell = _chat_shell(name, "chat.completion.chunk")

    def chunk(delta: Json, finish: str | None = None) -> bytes:
        return _data(shell | {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})

    spoken = [chunk({"content": piece}) for piece in pieces]
    return [chunk({"role": "assistant", "content": ""}), *spoken, chunk({}, "stop"), b"data: [DONE]\n\n"]


def _response(name: str, status: str) -> Json:
    return {"id": f"resp-{name}", "object": "response", "created_at": 1, "status": status, "model": "real",
            "output": [], "error": None, "incomplete_details": None, "parallel_tool_calls": True,
            "tool_choice": "auto", "tools": []}  # fmt: skip


def _responses(name: str, pieces: tuple[str, ...], said: str) -> list[bytes]:
    place: Json = {"item_id": f"m-{name}", "output_index": 0, "content_index": 0}
    item = {"type": "message", "id": f"m-{name}", "role": "assistant", "status": "in_progress", "content": []}
    part = {"type": "output_text", "text": "", "annotations": []}
    done = whole("responses", name, said)
    told: list[Json] = [
        {"type": "response.created", "response": _response(name, "in_progress")},
        {"type": "response.output_item.added", "output_index": 0, "item": item},
        {"type": "response.content_part.added", **place, "part": part},
        *({"type": "response.output_text.delta", **place, "delta": piece, "logprobs": []} for piece in pieces),
        {"type": "response.output_text.done", **place, "text": said, "logprobs": []},
        {"type": "response.content_part.done", **place, "part": done["output"][0]["content"][0]},
        {"type": "response.output_item.done", "output_index": 0, "item": done["output"][0]},
        {"type": "response.completed", "response": done},
    ]
    return [_named(event | {"sequence_number": number}) for number, event in enumerate(told)]


def _message(name: str) -> Json:
    usage = {"input_tokens": 9, "output_tokens": 9}
    return {"id": f"msg-{name}", "type": "message", "role": "assistant", "model": "real", "content": [],
            "stop_reason": None, "stop_sequence": None, "usage": usage}  # fmt: skip


def _messages(name: str, pieces: tuple[str, ...], _said: str) -> list[bytes]:
    spoken = ({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": piece}}
              for piece in pieces)  # fmt: skip
    stop = {"stop_reason": "end_turn", "stop_sequence": None}
    told: tuple[Json, ...] = (
        {"type": "message_start", "message": _message(name)},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "ping"},
        *spoken,
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": stop, "usage": {"output_tokens": 9}},
        {"type": "message_stop"},
    )
    return [_named(event) for event in told]


def _data(document: Json) -> bytes:
    return b"data: " + msgspec.json.encode(document) + b"\n\n"


def _named(document: Json) -> bytes:
    return b"event: " + str(document["type"]).encode() + b"\n" + _data(document)


_EVENTS: Final = {"completions": _chat, "responses": _responses, "messages": _messages}
_ENDS: Final = {"completions": b"[DONE]", "responses": b"response.completed", "messages": b"message_stop"}
_STARTS: Final = {"responses": "response.created", "messages": "message_start"}


def judge(dialect: str, body: bytes, expected: str, *, stream: bool) -> str:
    """What is wrong with a body that came whole with status 200; "": nothing."""
    try:
        return _judge_stream(dialect, body, expected) if stream else _judge_whole(dialect, body, expected)
    except (ValueError, LookupError, TypeError) as error:
        return f"cannot be read: {type(error).__name__}: {error}"


def _judge_whole(dialect: str, body: bytes, expected: str) -> str:
    document = msgspec.json.decode(body)
    if dialect == "completions":
        said = document["choices"][0]["message"]["content"]
    elif dialect == "responses":
        said = document["output"][0]["content"][0]["text"]
    else:
        said = document["content"][0]["text"]
    return _compared(said, expected)


def _judge_stream(dialect: str, body: bytes, expected: str) -> str:
    if not body.endswith(b"\n\n"):
        return f"ends within an event: {body[-60:]!r}"
    datas = [line[6:] for line in body.split(b"\n") if line.startswith(b"data: ")]
    told: list[Json] = [msgspec.json.decode(data) for data in datas if data != b"[DONE]"]
    ends = datas.count(b"[DONE]") if dialect == "completions" else sum(
        event["type"].encode() == _ENDS[dialect] for event in told)  # fmt: skip
    if ends != 1 or _ENDS[dialect] not in datas[-1]:
        return f"{ends} ends, the last event is {datas[-1][:80]!r}"
    problem = _compared("".join(_piece(dialect, event) for event in told), expected)
    return problem or _SHAPES[dialect](told, expected)


def _piece(dialect: str, event: Json) -> str:
    if dialect == "completions":
        return str(event["choices"][0]["delta"].get("content") or "") if event["choices"] else ""
    if dialect == "responses":
        return str(event["delta"]) if event["type"] == "response.output_text.delta" else ""
    return str(event["delta"]["text"]) if event["type"] == "content_block_delta" else ""


def _compared(said: str, expected: str) -> str:
    if said == expected:
        return ""
    at = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], zip(said, expected, strict=False)))
    found, due = said[at : at + 30], expected[at : at + 30]
    return f"{len(said)} characters for {len(expected)}, other from {at}: {found!r} for {due!r}"


def _chat_shape(told: list[Json], _expected: str) -> str:
    finishes = sum(1 for event in told for choice in event["choices"] if choice["finish_reason"])
    names = {event["id"] for event in told}
    return "" if finishes == 1 and len(names) == 1 else f"{finishes} finish reasons, ids {sorted(names)}"


def _responses_shape(told: list[Json], expected: str) -> str:
    numbers = [event["sequence_number"] for event in told]
    if any(later <= sooner for sooner, later in itertools.pairwise(numbers)):
        return f"sequence numbers do not rise: {numbers}"
    names = {event["response"]["id"] for event in told if "response" in event}
    if len(names) != 1:
        return f"ids {sorted(names)}"
    final = told[-1]["response"]["output"][0]["content"][0]["text"]
    return _started_once("responses", told) or _compared(final, expected)


def _messages_shape(told: list[Json], _expected: str) -> str:
    return _started_once("messages", told)


def _started_once(dialect: str, told: list[Json]) -> str:
    starts = sum(event["type"] == _STARTS[dialect] for event in told)
    return "" if starts == 1 else f"{starts} times {_STARTS[dialect]}"


_SHAPES: Final = {"completions": _chat_shape, "responses": _responses_shape, "messages": _messages_shape}
