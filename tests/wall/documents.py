"""Whole answers, read strictly: KeyError, TypeError or ValueError where something is missing."""

from __future__ import annotations

import json

from wall.seen import Json, Reading


def completion(document: Json, reading: Reading) -> None:
    [choice] = document["choices"]
    message = choice["message"]
    reading.text = message.get("content") or ""
    calls = message.get("tool_calls") or ()
    reading.calls = [(call["function"]["name"], call["function"]["arguments"]) for call in calls]
    reading.finish, reading.model = choice["finish_reason"] or "", document["model"]
    reading.usage = (document["usage"]["prompt_tokens"], document["usage"]["completion_tokens"])


def response(document: Json, reading: Reading) -> None:
    if document["status"] not in {"completed", "incomplete"}:
        reading.wrong(f"status {document['status']}")
    for item in document["output"]:
        output(item, reading)
    reading.finish, reading.model = document["status"], document["model"]
    reading.usage = (document["usage"]["input_tokens"], document["usage"]["output_tokens"])


def output(item: Json, reading: Reading) -> None:
    if item["type"] == "message":
        reading.text += "".join(part.get("text", "") for part in item["content"])
    elif item["type"] == "function_call":
        reading.calls.append((item["name"], item["arguments"]))


def message(document: Json, reading: Reading) -> None:
    if document["type"] != "message":
        reading.wrong(f"type {document['type']}")
    for block in document["content"]:
        if block["type"] == "text":
            reading.text += block["text"]
        elif block["type"] == "tool_use":
            reading.calls.append((block["name"], json.dumps(block["input"])))
    reading.finish, reading.model = document["stop_reason"] or "", document["model"]
    reading.usage = (document["usage"]["input_tokens"], document["usage"]["output_tokens"])
