#!/usr/local/bin/python3
"""`vllm serve MODEL …` for the test bed: a real llama-server on a tiny model, behind vLLM's command line and its door.

A model whose last path segment names a file in /models gets that one, others get `text`. The door is as vLLM's: with
VLLM_API_KEY set, /v1 and its like want `Authorization: Bearer KEY` and all else is open; the model list, the adapters
and the figures have vLLM's names; SIGTERM lets what is under way end, for as long as --shutdown-timeout says.
Flags that only a GPU gives a meaning are taken and left alone.

STANDIN_LOAD_SECONDS: so long until it listens. STANDIN_FAIL: how it fails, once that time is over:
  hang            it answers /health and lists its models, and no request is ever answered
  oom             it takes memory until it is killed
  any other WORD  it prints the file WORD.txt of vLLM's last words (beside `vllm_words`), and ends with 1
"""

import argparse
import asyncio
import contextlib
import json
import os
import re
import signal
import socket
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

MODELS = Path(os.environ.get("STANDIN_MODELS", "/models"))
WORDS = Path(os.environ.get("STANDIN_WORDS", "/usr/local/share/vllm_words"))
SLOTS = 4
GUARDED = ("/v1", "/v2", "/inference", "/cohere")
FIGURES = {
    "llamacpp:requests_processing": "vllm:num_requests_running",
    "llamacpp:requests_deferred": "vllm:num_requests_waiting",
    "llamacpp:prompt_tokens_total": "vllm:prompt_tokens_total",
    "llamacpp:tokens_predicted_total": "vllm:generation_tokens_total",
}
Json = dict[str, Any]


def arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="vllm", allow_abbrev=False)
    parser.add_argument("command", choices=["serve"])
    parser.add_argument("model")
    parser.add_argument("--host", default="0.0.0.0")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--served-model-name", nargs="+", default=[])
    parser.add_argument("--max-model-len", type=int, default=8192)
    parser.add_argument("--shutdown-timeout", type=float, default=0)
    parser.add_argument("--api-key", default=os.environ.get("VLLM_API_KEY", ""))
    known, _ = parser.parse_known_args(argv)
    return known


def llama_server(args: argparse.Namespace, port: int) -> list[str]:
    """The command line of llama-server that serves the same, on a port of the loopback and to anybody there."""
    weights = MODELS / f"{args.model.rsplit('/', 1)[-1]}.gguf"
    model = weights if weights.exists() else MODELS / "text.gguf"
    names = ",".join(args.served_model_name or [args.model])
    command = ["llama-server", "--model", str(model), "--alias", names, "--host", "127.0.0.1", "--port", str(port)]
    context = str(args.max_model_len * SLOTS)  # llama-server shares its context out, vLLM's is each request's
    return [
        *(*command, "--ctx-size", context, "--parallel", str(SLOTS), "--threads", "1"),
        *("--jinja", "--no-webui", "--metrics"),
    ]


def fail(how: str) -> None:
    """Fails as STANDIN_FAIL says; comes back for what shows only in answers."""
    if how == "oom":
        taken = []
        while True:
            taken.append(b"x" * (16 << 20))
    if how and how != "hang":
        sys.stderr.write((WORDS / f"{how}.txt").read_text())
        sys.exit(1)


class Door:
    """What stands between clients and the llama-server at `port`."""

    def __init__(self, args: argparse.Namespace, port: int, *, hangs: bool = False) -> None:
        self.args, self.port, self.hangs = args, port, hangs
        self.adapters: dict[str, str] = {}
        self.under_way = 0
        self.idle = asyncio.Event()
        self.idle.set()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request, then the connection ends."""
        self.under_way += 1
        self.idle.clear()
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"\r\ncontent-length: *(\d+)", head, re.IGNORECASE)
            body = await reader.readexactly(int(length[1])) if length else b""
            await self._answer(head, body, writer)
            await writer.drain()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()  # until what it holds is sent
        self.under_way -= 1
        if not self.under_way:
            self.idle.set()

    async def _answer(self, head: bytes, body: bytes, writer: asyncio.StreamWriter) -> None:
        method, target, _ = head.split(b"\r\n", 1)[0].decode().split(" ", 2)
        path = target.split("?", 1)[0]
        if self.args.api_key and path.startswith(GUARDED) and not self._has_key(head):
            writer.write(response(401, {"error": "Unauthorized"}))
        elif (own := self._own(method, path, body)) is not None:
            writer.write(own)
        elif self.hangs and path.startswith(GUARDED):
            await asyncio.Event().wait()
        else:
            await self._pass_on(path, head, body, writer)

    def _has_key(self, head: bytes) -> bool:
        sent = re.search(rb"\r\nauthorization: *bearer +(\S+)\r\n", head, re.IGNORECASE)
        return sent is not None and sent[1].decode(errors="replace") == self.args.api_key

    def _own(self, method: str, path: str, body: bytes) -> bytes | None:
        if (method, path) == ("GET", "/v1/models"):
            return response(200, {"object": "list", "data": self._cards()})
        if os.environ.get("VLLM_ALLOW_RUNTIME_LORA_UPDATING", "").lower() not in {"1", "true"} or method != "POST":
            return None
        act = {"/v1/load_lora_adapter": self._load, "/v1/unload_lora_adapter": self._unload}.get(path)
        return act(json.loads(body)) if act else None

    def _cards(self) -> list[Json]:
        names = self.args.served_model_name or [self.args.model]
        made = {"object": "model", "created": int(time.time()), "owned_by": "vllm"}
        base = [
            made | {"id": n, "root": self.args.model, "parent": None, "max_model_len": self.args.max_model_len}
            for n in names
        ]
        loras = self.adapters.items()
        return base + [made | {"id": n, "root": p, "parent": names[0], "max_model_len": None} for n, p in loras]

    def _load(self, asked: Json) -> bytes:
        name, path = asked["lora_name"], asked["lora_path"]
        if name in self.adapters and not asked.get("load_inplace"):
            again = "If you want to load the adapter in place, set 'load_inplace' to True."
            return refusal(400, f"The lora adapter '{name}' has already been loaded. {again}", "InvalidUserInput")
        if path.startswith("/") and not Path(path).exists():
            return refusal(404, f"Loading lora {name} failed: No adapter found for {path}", "NotFoundError")
        self.adapters[name] = path
        return response(200, f"Success: LoRA adapter '{name}' added successfully.")

    def _unload(self, asked: Json) -> bytes:
        if self.adapters.pop(asked["lora_name"], None) is None:
            return refusal(404, f"The lora adapter '{asked['lora_name']}' cannot be found.", "NotFoundError")
        return response(200, f"Success: LoRA adapter '{asked['lora_name']}' removed successfully.")

    async def _pass_on(self, path: str, head: bytes, body: bytes, writer: asyncio.StreamWriter) -> None:
        reader, backend = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            head = re.sub(rb"\r\n(connection|authorization):[^\r]*", b"", head, flags=re.IGNORECASE)
            backend.write(head.removesuffix(b"\r\n") + b"Connection: close\r\n\r\n" + body)
            if path == "/metrics":
                writer.write(figures(await reader.read()))
                return
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        finally:
            backend.close()


def figures(answer: bytes) -> bytes:
    """llama-server's /metrics with the names that vLLM has for the same."""
    text = answer.partition(b"\r\n\r\n")[2].decode(errors="replace")
    for theirs, ours in FIGURES.items():
        text = text.replace(theirs, ours)
    return response(200, text)


def response(status: int, body: Json | str) -> bytes:
    content = (body if isinstance(body, str) else json.dumps(body, separators=(",", ":"))).encode()
    kind = "text/plain; version=0.0.4; charset=utf-8" if isinstance(body, str) else "application/json"
    head = f"HTTP/1.1 {status} {'OK' if status == 200 else 'Refused'}\r\nserver: uvicorn\r\ncontent-type: {kind}\r\n"
    return f"{head}content-length: {len(content)}\r\nconnection: close\r\n\r\n".encode() + content


def refusal(status: int, message: str, kind: str) -> bytes:
    return response(status, {"error": {"message": message, "type": kind, "param": None, "code": status}})


def healthy(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


async def serve(args: argparse.Namespace, *, hangs: bool) -> int:
    """Listens once the engine does, until it ends or SIGTERM comes; the exit status."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    engine = await asyncio.create_subprocess_exec(*llama_server(args, port))
    told = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    while engine.returncode is None and not told.is_set() and not await asyncio.to_thread(healthy, port):  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    door = Door(args, port, hangs=hangs)
    server = await asyncio.start_server(door, args.host, args.port, limit=1 << 20)
    print(f"Application startup complete: listening on {args.host}:{args.port}", flush=True)
    ends = [asyncio.create_task(told.wait()), asyncio.create_task(engine.wait())]
    await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    server.close()
    if engine.returncode is not None:
        return engine.returncode or 1
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(args.shutdown_timeout):
            await door.idle.wait()
    engine.kill()
    await engine.wait()
    return 0


def main() -> int:
    # A container's first process ignores the signals that it does not handle.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    args, how = arguments(sys.argv[1:]), os.environ.get("STANDIN_FAIL", "")
    time.sleep(float(os.environ.get("STANDIN_LOAD_SECONDS", "0")))
    fail(how)
    return asyncio.run(serve(args, hangs=how == "hang"))


if __name__ == "__main__":
    sys.exit(main())
