"""Streams, read strictly: a walk over the events of each dialect, which notes every breach of its grammar."""

from __future__ import annotations

import json
from typing import Protocol

from wall import documents
from wall.frames import DONE
from wall.seen import Frame, Json, Reading


class Walk(Protocol):
    """A dialect's reader of a stream. `spoken` grows with each piece of output."""

    spoken: int

    def take(self, frame: Frame) -> None: ...
    def close(self) -> None: ...


class Chat:
    """State: whether the role came, the id, the calls by index."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self.spoken = 0
        self.ident = ""
        self.calls: dict[int, list[str]] = {}
        self.texts: list[str] = []
        self.roles = 0

    def take(self, frame: Frame) -> None:
        reading = self.reading
        if frame.data == DONE:
            reading.terminals.append(DONE)
            return
        chunk = json.loads(frame.data)
        if chunk.get("error"):
            reading.error = chunk["error"]
            return
        if chunk["object"] != "chat.completion.chunk":
            reading.wrong(f"not a chunk: {frame.data[:60]}")
        if self.ident and chunk["id"] != self.ident:
            reading.wrong(f"the id changes from {self.ident} to {chunk['id']}")
        self.ident, reading.model = chunk["id"], chunk["model"]
        if chunk.get("usage"):
            self._usage(chunk["usage"])
        for choice in chunk["choices"]:
            self._choice(choice)

    def _usage(self, usage: Json) -> None:
        if self.reading.usage is not None:
            self.reading.wrong("usage is told twice")
        self.reading.usage = (usage["prompt_tokens"], usage["completion_tokens"])

    def _choice(self, choice: Json) -> None:
        reading, delta = self.reading, choice.get("delta") or {}
        said = bool(delta.get("content") or delta.get("tool_calls"))
        if reading.finish and (said or choice.get("finish_reason")):
            reading.wrong("output or a second finish_reason after finish_reason")
        if delta.get("role"):
            self.roles += 1
            if self.spoken:
                reading.wrong("the role is told again in mid-answer")
        self.texts.append(delta.get("content") or "")
        for call in delta.get("tool_calls") or ():
            self._call(call)
        self.spoken += said
        reading.finish = choice.get("finish_reason") or reading.finish

    def _call(self, call: Json) -> None:
        function = call.get("function") or {}
        if call["index"] not in self.calls:
            if not call.get("id") or not function.get("name"):
                self.reading.wrong("a call begins without id or name")
            self.calls[call["index"]] = [function.get("name") or "", ""]
        elif call.get("id") or function.get("name"):
            self.reading.wrong("a call is named twice")
        self.calls[call["index"]][1] += function.get("arguments") or ""

    def close(self) -> None:
        reading = self.reading
        reading.text = "".join(self.texts)
        reading.calls = [(name, arguments) for name, arguments in self.calls.values()]
        if reading.error is None and not reading.finish:
            reading.wrong("no finish_reason")
        if reading.error is None and self.roles != 1:
            reading.wrong(f"{self.roles} chunks with a role")


class Responses:
    """State: the items by index with what was said of them, the number of the last event."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self.spoken = 0
        self.ident = ""
        self.sequence = -1
        self.items: dict[int, Json] = {}
        self.texts: dict[tuple[int, int], list[str]] = {}
        self.arguments: dict[int, str] = {}
        self.done: set[int] = set()

    def take(self, frame: Frame) -> None:
        if frame.data == DONE:
            self.reading.wrong("[DONE] is chat's")
            return
        event = json.loads(frame.data)
        kind = event["type"]
        if frame.event and frame.event != kind:
            self.reading.wrong(f"event {frame.event} with data of {kind}")
        if kind == "error":
            self.reading.error = event
            return
        if event["sequence_number"] <= self.sequence:
            self.reading.wrong(f"sequence_number {event['sequence_number']} after {self.sequence}")
        self.sequence = event["sequence_number"]
        if "response" in event:
            self._response(kind, event["response"])
        elif "item" in event:
            self._item(kind, event["output_index"], event["item"])
        else:
            self._part(kind, event)

    def _response(self, kind: str, response: Json) -> None:
        reading = self.reading
        if self.ident and response["id"] != self.ident:
            reading.wrong(f"the id changes from {self.ident} to {response['id']}")
        if not self.ident and kind not in {"response.created", "response.failed"}:
            reading.wrong(f"begins with {kind}")
        self.ident, reading.model = response["id"], response["model"]
        if kind == "response.failed":
            reading.error = response.get("error") or {"message": "no error in response.failed"}
        if kind in {"response.completed", "response.incomplete"}:
            reading.terminals.append(kind)
            final = Reading()
            documents.response(response, final)
            reading.usage, reading.finish = final.usage, final.finish
            self._same(final)
            known = [item["id"] for _, item in sorted(self.items.items())]
            if known != [item["id"] for item in response["output"]]:
                reading.wrong("the final output has other item ids than the stream")

    def _same(self, final: Reading) -> None:
        if final.text != self._text():
            self.reading.wrong(f"the final text differs from the deltas: {final.text[:40]!r}")
        if final.calls != self._calls():
            self.reading.wrong("the final calls differ from the deltas")

    def _item(self, kind: str, index: int, item: Json) -> None:
        if kind == "response.output_item.added":
            if index in self.items:
                self.reading.wrong(f"item {index} is added twice")
            self.items[index] = item
            if item["type"] == "function_call":
                self.arguments[index] = item.get("arguments") or ""
            return
        known = self.items.get(index)
        if known is None or known["id"] != item["id"] or index in self.done:
            self.reading.wrong(f"item {index} is done under another id, twice, or was never added")
        self.done.add(index)
        final = Reading()
        documents.output(item, final)
        said = [*self.texts.get((index, 0), ())]
        if item["type"] == "message" and final.text != "".join(said):
            self.reading.wrong(f"item {index} is done with another text than its deltas")
        if item["type"] == "function_call" and item["arguments"] != self.arguments.get(index):
            self.reading.wrong(f"item {index} is done with other arguments than its deltas")

    def _part(self, kind: str, event: Json) -> None:
        index = event["output_index"]
        item = self.items.get(index)
        if item is None or item["id"] != event["item_id"]:
            self.reading.wrong(f"{kind} of an item that was not added")
            return
        if index in self.done:
            self.reading.wrong(f"{kind} after its item is done")
        if kind == "response.output_text.delta":
            self.texts.setdefault((index, event["content_index"]), []).append(event["delta"])
            self.spoken += bool(event["delta"])
        elif kind == "response.function_call_arguments.delta":
            self.arguments[index] += event["delta"]
            self.spoken += 1
        elif kind == "response.function_call_arguments.done":
            if event["arguments"] != self.arguments[index]:
                self.reading.wrong("arguments.done differs from the deltas")
        elif kind.endswith((".done",)):
            self._part_done(kind, event)

    def _part_done(self, kind: str, event: Json) -> None:
        text = event.get("text", (event.get("part") or {}).get("text"))
        if text != "".join(self.texts.get((event["output_index"], event["content_index"]), ())):
            self.reading.wrong(f"{kind} differs from the deltas")

    def _text(self) -> str:
        return "".join(piece for _, said in sorted(self.texts.items()) for piece in said)

    def _calls(self) -> list[tuple[str, str]]:
        calls = [(at, item) for at, item in sorted(self.items.items()) if item["type"] == "function_call"]
        return [(item["name"], self.arguments[at]) for at, item in calls]

    def close(self) -> None:
        self.reading.text, self.reading.calls = self._text(), self._calls()
        if self.reading.error is None and self.items.keys() != self.done:
            self.reading.wrong("an item is never done")


class Messages:
    """State: the open block, the blocks so far."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self.spoken = 0
        self.started = False
        self.open: Json | None = None
        self.index = -1
        self.texts: list[str] = []
        self.arguments = ""

    def take(self, frame: Frame) -> None:
        event = json.loads(frame.data)
        kind = event["type"]
        if frame.event != kind:
            self.reading.wrong(f"event {frame.event!r} with data of {kind}")
        if not self.started and kind not in {"message_start", "ping", "error"}:
            self.reading.wrong(f"begins with {kind}")
        step = getattr(self, f"_{kind}", None)
        if step is None:
            self.reading.wrong(f"no such event: {kind}")
            return
        step(event)

    def _ping(self, _event: Json) -> None:
        pass

    def _error(self, event: Json) -> None:
        self.reading.error = event["error"]

    def _message_start(self, event: Json) -> None:
        if self.started:
            self.reading.wrong("message_start comes twice")
        self.started, self.reading.model = True, event["message"]["model"]
        usage = event["message"]["usage"]
        self.reading.usage = (usage["input_tokens"], usage["output_tokens"])

    def _content_block_start(self, event: Json) -> None:
        if self.open is not None or event["index"] != self.index + 1:
            self.reading.wrong(f"block {event['index']} opens out of turn")
        self.open, self.index, self.arguments = event["content_block"], event["index"], ""

    def _content_block_delta(self, event: Json) -> None:
        delta = event["delta"]
        fits = {"text_delta": "text", "input_json_delta": "tool_use"}.get(delta["type"])
        if self.open is None or event["index"] != self.index or self.open["type"] != fits:
            self.reading.wrong(f"a {delta['type']} outside its block")
        self.texts.append(delta.get("text", ""))
        self.arguments += delta.get("partial_json", "")
        self.spoken += 1

    def _content_block_stop(self, event: Json) -> None:
        if self.open is None or event["index"] != self.index:
            self.reading.wrong("a block stops that is not open")
        elif self.open["type"] == "tool_use":
            self.reading.calls.append((self.open["name"], self.arguments))
        self.open = None

    def _message_delta(self, event: Json) -> None:
        if self.reading.finish or self.open is not None:
            self.reading.wrong("message_delta comes twice or within a block")
        self.reading.finish = event["delta"]["stop_reason"] or ""
        usage, before = event["usage"], self.reading.usage or (0, 0)
        self.reading.usage = (usage.get("input_tokens", before[0]), usage["output_tokens"])

    def _message_stop(self, _event: Json) -> None:
        self.reading.terminals.append("message_stop")

    def close(self) -> None:
        self.reading.text = "".join(self.texts)
        if self.reading.error is not None:
            return
        if not self.reading.finish or self.open is not None:
            self.reading.wrong("no stop_reason, or a block is left open")
