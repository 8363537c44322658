"""A server of all three dialects with the quirks that real ones have, for `pointsman doctor` to find."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

Json = dict[str, Any]
CHAT, RESPONSES, MESSAGES = "/v1/chat/completions", "/v1/responses", "/v1/messages"
SAID = "Hello there."


class RefusedError(Exception):
    """What the server does not take; the status and what it says."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class QuirkyServer:
    """State: what was asked. These are its quirks.

    string-content, no-tools, one-tool, dies-of-tools, calls-as-text, calls
    no-stream, no-done, no-usage, unnumbered, error-in-stream, no-developer
    refuses-NAME and ignores-NAME of a limit (max_tokens, …), thinks, template, other-model
    cuts (prompts at the window, in silence), wide (takes more than it tells), overflow (500), context (400)
    hangs (never answers a POST), not-loaded (LM Studio without just-in-time loading)
    """

    def __init__(
        self,
        *quirks: str,
        models: tuple[Json, ...] = ({"id": "tiny", "max_model_len": 65536, "meta": {"n_ctx": 65536}},),
        paths: tuple[str, ...] = (CHAT, RESPONSES, MESSAGES),
        key: str = "",
        window: int = 0,
        get: dict[str, tuple[int, str, bytes]] | None = None,
        post: tuple[int, str, bytes] | None = None,
    ) -> None:
        self.quirks, self.models, self.paths, self.key, self.window = set(quirks), models, paths, key, window
        self.get, self.fixed = get or {}, post
        self.asked: list[tuple[str, Json]] = []
        self.gate = threading.Event()
        self.dead = False

    def __enter__(self) -> Self:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"quirky": self}))
        self._server.daemon_threads = False
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.gate.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def bodies(self, path: str) -> list[Json]:
        return [body for at, body in self.asked if at == path]

    def page(self, path: str) -> tuple[int, str, bytes]:
        """What a GET is answered with."""
        if path in self.get:
            return self.get[path]
        if path == "/v1/models":
            return 200, "application/json", json.dumps({"object": "list", "data": self.models}).encode()
        return 404, "application/json", b'{"error": "not found"}'

    def answer(self, path: str, body: Json) -> Json:
        """The whole answer to a POST; RefusedError says why there is none."""
        if path not in self.paths:
            raise RefusedError(404, f"no such path: {path}")
        self._refuse(body)
        return {CHAT: _chat, RESPONSES: _responses, MESSAGES: _messages}[path](self, body)

    def limit(self, body: Json) -> int:
        names = ("max_tokens", "max_completion_tokens", "max_output_tokens")
        return min((body[n] for n in names if n in body and f"ignores-{n}" not in self.quirks), default=1000)

    def prompt(self, body: Json) -> int:
        size = len(json.dumps(body.get("messages") or body.get("input")).split())
        return min(size, self.window) if "cuts" in self.quirks else size

    def said(self, body: Json) -> str:
        text = SAID
        if "thinks" in self.quirks:
            text = f"<think>What now?</think>{text}"
        if "calls-as-text" in self.quirks and body.get("tools"):
            text = '<tool_call>{"name": "read_file"}</tool_call>'
        return f"{text}<|im_end|>" if "template" in self.quirks else text

    def _refuse(self, body: Json) -> None:
        if "not-loaded" in self.quirks:
            raise RefusedError(400, "No models loaded. Please load a model in the developer page.")
        if self.window and len(json.dumps(body).split()) > self.window:
            self._refuse_length()
        if tools := body.get("tools"):
            self._refuse_tools(tools)
        for each in body.get("messages") or ():
            if "string-content" in self.quirks and not isinstance(each["content"], str):
                raise RefusedError(422, "messages[0].content: expected a string")
            if "no-developer" in self.quirks and each["role"] == "developer":
                raise RefusedError(400, "unknown role: developer")
        if name := next((name for name in body if f"refuses-{name}" in self.quirks), ""):
            raise RefusedError(400, f"unsupported parameter: {name}")

    def _refuse_length(self) -> None:
        if "overflow" in self.quirks:
            raise RefusedError(500, "out of memory")
        if not self.quirks & {"cuts", "wide"}:
            raise RefusedError(400, "This model's maximum context length is exceeded")

    def _refuse_tools(self, tools: list[Json]) -> None:
        if "context" in self.quirks:
            raise RefusedError(400, "the prompt exceeds the maximum context length of this model")
        if "no-tools" in self.quirks or ("one-tool" in self.quirks and len(tools) > 1):
            raise RefusedError(500, "grammar too large")
        if "dies-of-tools" in self.quirks:
            self.dead = True
            raise ConnectionResetError


def _chat(server: QuirkyServer, body: Json) -> Json:
    message: Json = {"role": "assistant", "content": server.said(body)}
    if "calls" in server.quirks and body.get("tools"):
        call = {"id": "1", "type": "function", "function": {"name": "read_file", "arguments": "{}"}}
        message |= {"content": None, "tool_calls": [call]}
    usage = {"prompt_tokens": server.prompt(body), "completion_tokens": min(60, server.limit(body))}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return {"object": "chat.completion", "model": _model(server, body), "choices": [choice], "usage": usage}


def _responses(server: QuirkyServer, body: Json) -> Json:
    part = {"type": "output_text", "text": server.said(body)}
    usage = {"input_tokens": server.prompt(body), "output_tokens": min(60, server.limit(body))}
    output = [{"type": "message", "role": "assistant", "content": [part]}]
    return {"object": "response", "model": _model(server, body), "output": output, "usage": usage}


def _messages(server: QuirkyServer, body: Json) -> Json:
    usage = {"input_tokens": server.prompt(body), "output_tokens": min(60, server.limit(body))}
    content = [{"type": "text", "text": server.said(body)}]
    return {"type": "message", "model": _model(server, body), "content": content, "usage": usage}


def _model(server: QuirkyServer, body: Json) -> str:
    return str(server.models[-1]["id"] if "other-model" in server.quirks else body["model"])


def streamed(server: QuirkyServer, path: str, body: Json, whole: Json) -> bytes:
    """The events of a whole answer."""
    usage = {} if "no-usage" in server.quirks else {"usage": whole["usage"]}
    text = server.said(body)
    if path == CHAT:
        events: list[Json] = [{"choices": [{"delta": {"content": text}}]}, {"choices": []} | usage]
    elif path == MESSAGES:
        delta = {"type": "content_block_delta", "delta": {"type": "text_delta", "text": text}}
        events = [{"type": "message_start", "message": usage}, delta, {"type": "message_stop"}]
    else:
        delta = {"type": "response.output_text.delta", "delta": text}
        events = [
            {"type": "response.created", "response": usage},
            delta,
            {"type": "response.completed", "response": usage},
        ]
        if "unnumbered" not in server.quirks:
            events = [event | {"sequence_number": number} for number, event in enumerate(events)]
    if "error-in-stream" in server.quirks:
        events.insert(2, {"error": {"message": "CUDA out of memory"}})
    if "no-done" in server.quirks and path != CHAT:
        events.pop()
    end = b"data: [DONE]\n\n" if path == CHAT and "no-done" not in server.quirks else b""
    return b"".join(b"data: %s\n\n" % json.dumps(event).encode() for event in events) + end


class _Handler(BaseHTTPRequestHandler):
    quirky: QuirkyServer

    def do_GET(self) -> None:
        self._send(*((503, "text/plain", b"gone") if self.quirky.dead else self.quirky.page(self.path)))

    def do_POST(self) -> None:
        server = self.quirky
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        server.asked.append((self.path, body))
        keys = {self.headers.get("authorization", "").removeprefix("Bearer "), self.headers.get("x-api-key")}
        if "hangs" in server.quirks:
            server.gate.wait(30)
        if server.dead:
            return
        if server.fixed:
            self._send(*server.fixed)
        elif server.key and server.key not in keys:
            self._json(401, {"error": {"message": "wrong key"}})
        else:
            self._answer(body)

    def _answer(self, body: Json) -> None:
        server = self.quirky
        try:
            whole = server.answer(self.path, body)
        except RefusedError as refused:
            self._json(refused.status, {"error": {"message": str(refused)}})
        except ConnectionResetError:
            self.close_connection = True
        else:
            if body.get("stream") and "no-stream" not in server.quirks:
                self._send(200, "text/event-stream", streamed(server, self.path, body, whole))
            else:
                self._json(200, whole)

    def _json(self, status: int, body: Json) -> None:
        self._send(status, "application/json", json.dumps(body).encode())

    def _send(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""
