"""What the fake upstream does beside answering well and failing: it waits, counts, calls tools, and goes on.

gated                  waits for the upstream's gate, then answers well
half-body, open-body   an unstreamed answer that stalls in its middle, or at its end without saying so
bill                   tells tokens: 1000 of the prompt, 400 of them from a cache, 5 of the answer
call, cut-call         words, then a tool call, or half of one
gated-call, drip-call  the call waits at the gate in its middle, or comes byte by byte;
                       bare-call, bare-cut: so, without words, or never ending
prefill                goes on from the assistant's last message       echo       says it again first
no-prefill             refuses such a request, answers others whole    anew       takes no notice of it
slow-no-prefill        the same, and takes a second for each of the two
unnumbered             Responses without the numbers and indexes of events; cut-unnumbered: after two words
thinks                 refuses such a request, answers others whole, and reasons first
flags                  goes on when told by vLLM's flags, in chat, and refuses a prefix without them
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

from gateway.fakeupstream import ACTS, TEXT, Answer, stream_events, whole

ARGUMENTS = '{"city":"Paris"}'
_NUMBERS = {"sequence_number", "output_index", "content_index"}
BILL = (1000, 400, 5)  # tokens of the prompt, those of it from a cache, tokens of the answer


def usage(dialect: str, read: int, cached: int, written: int) -> dict[str, Any]:
    """Tokens as the dialect tells them."""
    if dialect == "completions":
        kept = {"prompt_tokens_details": {"cached_tokens": cached}}
        return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written, **kept}
    if dialect == "responses":
        kept = {"input_tokens_details": {"cached_tokens": cached}}
        return {"input_tokens": read, "output_tokens": written, "total_tokens": read + written, **kept}
    return {"input_tokens": read - cached, "cache_read_input_tokens": cached, "output_tokens": written}


def spoken(dialect: str, words: list[str], counts: tuple[int, int, int]) -> list[bytes]:
    """The events of an answer of these words, with its usage."""
    lines = [_document(event) for event in stream_events(dialect, "ok") if event is not None]
    told = [line for line in lines if line is not None]
    said = usage(dialect, *counts)
    return [*_TOLD[dialect](told, words, said), *([b"data: [DONE]\n\n"] if dialect == "completions" else [])]


def _document(event: bytes) -> dict[str, Any] | None:
    line = next(line for line in event.splitlines() if line.startswith(b"data: "))
    return None if line == b"data: [DONE]" else json.loads(line[6:])


def _event(document: dict[str, Any]) -> bytes:
    name = f"event: {document['type']}\n" if "type" in document else ""
    return f"{name}data: {json.dumps(document)}\n\n".encode()


def _chat(told: list[dict[str, Any]], words: list[str], said: dict[str, Any]) -> list[bytes]:
    chunks = [_with_delta(told[0], {"content": word}) for word in words]
    return [*map(_event, (told[0], *chunks, told[-1], {**told[0], "choices": [], "usage": said}))]


def _with_delta(chunk: dict[str, Any], delta: dict[str, Any]) -> dict[str, Any]:
    return {**chunk, "choices": [{**chunk["choices"][0], "delta": delta}]}


def _responses(told: list[dict[str, Any]], words: list[str], said: dict[str, Any]) -> list[bytes]:
    delta = next(event for event in told if event["type"].endswith("text.delta"))
    text = "".join(words)
    done = next(event for event in told if event["type"].endswith("text.done"))
    last = {**told[-1], "response": {**whole("responses", text), "usage": said}}
    events = [*told[:4], *({**delta, "delta": word} for word in words), {**done, "text": text}, last]
    return [_event({**event, "sequence_number": number}) for number, event in enumerate(events)]


def _messages(told: list[dict[str, Any]], words: list[str], said: dict[str, Any]) -> list[bytes]:
    start = {**told[0], "message": {**told[0]["message"], "usage": {**said, "output_tokens": 1}}}
    delta = next(event for event in told if event["type"] == "content_block_delta")
    deltas = [{**delta, "delta": {"type": "text_delta", "text": word}} for word in words]
    end = {**told[-2], "usage": {"output_tokens": said["output_tokens"]}}
    return [*map(_event, (start, *told[1:3], *deltas, told[-3], end, told[-1]))]


_TOLD = {"completions": _chat, "responses": _responses, "messages": _messages}


async def give(answer: Answer, words: list[str], counts: tuple[int, int, int]) -> bool:
    """An answer of these words, streamed or whole, as it was asked for."""
    if not answer.streamed:
        body = {**whole(answer.dialect, "".join(words)), "usage": usage(answer.dialect, *counts)}
        return await answer.whole(200, json.dumps(body).encode())
    return await stream(answer, spoken(answer.dialect, words, counts))


async def stream(answer: Answer, events: list[bytes], last: bytes = b"0\r\n\r\n") -> bool:
    answer.writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
    for event in events:
        await answer.event(event)
    answer.writer.write(last)
    await answer.writer.drain()
    return True


async def opened(answer: Answer) -> bool:
    """Wait for the gate. False: the caller has left before."""
    gate, left = asyncio.ensure_future(answer.upstream.gate.wait()), asyncio.ensure_future(answer.reader.read(1))
    await asyncio.wait((gate, left), return_when=asyncio.FIRST_COMPLETED)
    if not gate.done():
        answer.seen.gone.set()
    gate.cancel()
    left.cancel()
    await asyncio.gather(gate, left, return_exceptions=True)
    return answer.upstream.gate.is_set()


async def _gated(answer: Answer) -> bool:
    answer.fault = "ok"
    return await opened(answer) and await answer.give()


async def _half_body(answer: Answer) -> bool:
    body = json.dumps(whole(answer.dialect, TEXT)).encode()
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
    answer.writer.write(head + body[: len(body) // 2])
    return await answer.stall()


async def _open_body(answer: Answer) -> bool:
    body = json.dumps({**whole(answer.dialect, TEXT), "usage": usage(answer.dialect, *BILL)}).encode()
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    answer.writer.write(head + b"%x\r\n%b\r\n" % (len(body), body))
    return await answer.stall()


async def _bill(answer: Answer) -> bool:
    return await give(answer, _pieces(TEXT), BILL)


def called(dialect: str, *, words: bool = True) -> tuple[list[bytes], list[bytes], list[bytes]]:
    """A tool call in three parts: up to half of it, the rest of it, the end of the answer."""
    told = [line for event in stream_events(dialect, "ok") if event is not None and (line := _document(event))]
    half = len(ARGUMENTS) // 2
    pieces = ARGUMENTS[:half], ARGUMENTS[half:]
    before, first, second, after = _CALLED[dialect](told, pieces, ["one ", "two "] if words else [])
    ended = [b"data: [DONE]\n\n"] if dialect == "completions" else []
    return [*map(_event, (*before, *first))], [*map(_event, second)], [*map(_event, after), *ended]


Documents = list[dict[str, Any]]


def _chat_call(told: Documents, pieces: tuple[str, str], words: list[str]) -> tuple[Documents, ...]:
    named = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "weather", "arguments": ""}}
    first, second = ({"index": 0, "function": {"arguments": piece}} for piece in pieces)
    calls = [_with_delta(told[0], {"tool_calls": [call]}) for call in (named, first, second)]
    finish = {**told[-1], "choices": [{**told[-1]["choices"][0], "finish_reason": "tool_calls"}]}
    return [told[0], *(_with_delta(told[0], {"content": word}) for word in words)], calls[:2], calls[2:], [finish]


def _responses_call(told: Documents, pieces: tuple[str, str], words: list[str]) -> tuple[Documents, ...]:
    text = "".join(words)
    message = {**told[2]["item"], "status": "completed", "content": [{"type": "output_text", "text": text}]}
    done = [{"type": "response.output_text.done", "item_id": "m1", "output_index": 0, "content_index": 0, "text": text},
            {"type": "response.output_item.done", "output_index": 0, "item": message}]  # fmt: skip
    item = {"type": "function_call", "id": "f1", "call_id": "call_1", "name": "weather", "arguments": ""}
    whole_item = {**item, "arguments": ARGUMENTS}
    place = {"item_id": "f1", "output_index": 1}
    deltas = [{"type": "response.function_call_arguments.delta", **place, "delta": piece} for piece in pieces]
    ends = [{"type": "response.function_call_arguments.done", **place, "arguments": ARGUMENTS},
            {"type": "response.output_item.done", "output_index": 1, "item": whole_item}]  # fmt: skip
    output = [message, whole_item] if words else [whole_item]
    last = {"type": "response.completed", "response": {**told[-1]["response"], "output": output}}
    spoken_ = [*told[2:4], *({**told[4], "delta": word} for word in words), *done] if words else []
    added = {"type": "response.output_item.added", "output_index": 1, "item": item}
    parts: list[Documents] = [[*told[:2], *spoken_], [added, deltas[0]], [deltas[1], *ends], [last]]
    numbers = iter(range(99))
    return tuple([{**event, "sequence_number": next(numbers)} for event in part] for part in parts)


def _messages_call(told: Documents, pieces: tuple[str, str], words: list[str]) -> tuple[Documents, ...]:
    deltas = [
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": word}} for word in words
    ]
    block = {"type": "tool_use", "id": "call_1", "name": "weather", "input": {}}
    opened_ = {"type": "content_block_start", "index": 1, "content_block": block}
    first, second = (
        {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": piece}}
        for piece in pieces
    )
    stop = {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 9}}
    spoken_ = [told[1], *deltas, {"type": "content_block_stop", "index": 0}] if words else []
    closed = {"type": "content_block_stop", "index": 1}
    return [told[0], *spoken_], [opened_, first], [second, closed], [stop, told[-1]]


_CALLED = {"completions": _chat_call, "responses": _responses_call, "messages": _messages_call}


async def _call(answer: Answer) -> bool:
    first, second, after = called(answer.dialect)
    return await stream(answer, [*first, *second, *after])


async def _cut_call(answer: Answer) -> bool:
    await stream(answer, called(answer.dialect)[0], b"")
    return False


async def _gated_call(answer: Answer) -> bool:
    first, second, after = called(answer.dialect)
    await stream(answer, first, b"")
    if not await opened(answer):
        return False
    for event in (*second, *after):
        await answer.event(event)
    answer.writer.write(b"0\r\n\r\n")
    await answer.writer.drain()
    return True


async def _drip_call(answer: Answer) -> bool:
    first, second, after = called(answer.dialect, words=answer.fault == "drip-call")
    await stream(answer, first, b"")
    for event in second[:1] if answer.fault == "bare-cut" else second:
        for byte in event:
            answer.writer.write(b"1\r\n%b\r\n" % bytes((byte,)))
            await asyncio.sleep(0.005)
    if answer.fault == "bare-cut":
        return False
    for event in after:
        await answer.event(event)
    answer.writer.write(b"0\r\n\r\n")
    await answer.writer.drain()
    return True


def prefix(answer: Answer) -> str:
    """What the request ends with that the assistant has said; "": nothing."""
    turns = answer.seen.body.get("input" if answer.dialect == "responses" else "messages")
    last = turns[-1] if isinstance(turns, list) else {}
    content = last.get("content") if last.get("role") == "assistant" else ""
    return "".join(part["text"] for part in content) if isinstance(content, list) else str(content or "")


async def _go_on(answer: Answer) -> bool:
    told = prefix(answer)
    rest = TEXT.removeprefix(told)
    words = [word for word in (told if answer.fault == "echo" else "", *_pieces(rest)) if word]
    return await give(answer, words, (10 + len(told.split()), 0, len(rest.split())))


async def _refuse_prefix(answer: Answer) -> bool:
    if prefix(answer):
        return await answer.error(400, "the last message must be the user's", "invalid_request_error")
    return await give(answer, _pieces(TEXT), (10, 0, 5))


async def _refuse_slowly(answer: Answer) -> bool:
    await asyncio.sleep(1.0)
    return await _refuse_prefix(answer)


async def _anew(answer: Answer) -> bool:
    return await give(answer, _pieces(TEXT), (10, 0, 5))


async def _thinks(answer: Answer) -> bool:
    if prefix(answer) or not answer.streamed:
        return await _refuse_prefix(answer)
    events = spoken(answer.dialect, _pieces(TEXT), (10, 0, 5))
    told = [line for event in events if (line := _document(event)) is not None]
    ended = [b"data: [DONE]\n\n"] if answer.dialect == "completions" else []
    return await stream(answer, [*map(_event, _THOUGHT[answer.dialect](told)), *ended])


def _thought_chat(told: Documents) -> Documents:
    thoughts = [_with_delta(told[0], {"reasoning_content": piece}) for piece in ("So", " what")]
    return [told[0], *thoughts, *told[1:]]


def _thought_messages(told: Documents) -> Documents:
    deltas = [{"type": "thinking_delta", "thinking": "So"}, {"type": "signature_delta", "signature": "secret"}]
    block = {"type": "thinking", "thinking": "", "signature": ""}
    thinking: Documents = [{"type": "content_block_start", "index": 0, "content_block": block}]
    thinking += [{"type": "content_block_delta", "index": 0, "delta": delta} for delta in deltas]
    thinking.append({"type": "content_block_stop", "index": 0})
    later = [{**event, "index": event["index"] + 1} if "index" in event else event for event in told[1:]]
    return [told[0], *thinking, *later]


def _thought_responses(told: Documents) -> Documents:
    item = {"type": "reasoning", "id": "rs_1", "summary": []}
    delta = {"item_id": "rs_1", "content_index": 0, "delta": "So", "type": "response.reasoning_text.delta"}
    done = {**item, "content": [{"type": "reasoning_text", "text": "So"}], "encrypted_content": "secret"}
    thinking: Documents = [{"type": "response.output_item.added", "item": item}, delta]
    thinking.append({"type": "response.output_item.done", "item": done})
    start = next(i for i, event in enumerate(told) if event["type"] == "response.output_item.added")
    moved = [{**event, "output_index": 1} if "output_index" in event else event for event in told[start:]]
    events = [*told[:start], *({**event, "output_index": 0} for event in thinking), *moved]
    return [{**event, "sequence_number": number} for number, event in enumerate(events)]


_THOUGHT = {"completions": _thought_chat, "responses": _thought_responses, "messages": _thought_messages}


async def _flags(answer: Answer) -> bool:
    body = answer.seen.body
    told = body.get("continue_final_message") is True and body.get("add_generation_prompt") is False
    return await (_go_on if told and answer.dialect == "completions" else _refuse_prefix)(answer)


async def _unnumbered(answer: Answer) -> bool:
    """As llama-server streams Responses."""
    if not answer.streamed:
        return await give(answer, _pieces(TEXT), (10, 0, 5))
    events = []
    for event in stream_events(answer.dialect, "ok"):
        told = (event and _document(event)) or {}
        events.append(_event({key: told[key] for key in told if key not in _NUMBERS}))
    if answer.fault == "unnumbered":
        return await stream(answer, events)
    await stream(answer, events[:6], last=b"")
    return False


def _pieces(text: str) -> list[str]:
    """Words, each with the white space before it, as tokens have it."""
    words = text.split(" ")
    return [word for word in (words[0], *(f" {word}" for word in words[1:])) if word]


ACTS |= {
    "gated": _gated, "half-body": _half_body, "open-body": _open_body, "bill": _bill, "call": _call,
    "cut-call": _cut_call, "gated-call": _gated_call, "drip-call": _drip_call,
    "bare-call": _drip_call, "bare-cut": _drip_call, "slow-no-prefill": _refuse_slowly,
    "unnumbered": _unnumbered, "cut-unnumbered": _unnumbered,
    "prefill": _go_on, "echo": _go_on, "no-prefill": _refuse_prefix, "thinks": _thinks, "anew": _anew, "flags": _flags,
}  # fmt: skip
