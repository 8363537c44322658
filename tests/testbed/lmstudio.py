"""A stand-in for LM Studio, which no machine without a screen runs: made after its documentation of version 0.4.

It lists what is downloaded, and loads a model when it is first asked for (JIT), which takes `load_seconds`; a JIT model
leaves memory `ttl` seconds after its last request, or when another is loaded that way (auto-evict). Without JIT only
loaded models are listed and answered. Every answer is ANSWER. It keeps Responses for `previous_response_id`.
Unknown paths are answered with 200 and an error. It runs in a thread of the test.

What was seen of it and is not in its documentation: the text about models that are not loaded, and
`loaded_context_length` in its older list.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final, Self

from testbed import lmstudio_speech as speech
from testbed.lmstudio_http import Reply, Request, listening

ANSWER: Final = "one two three four five."
TTL: Final = 3600.0  # seconds that a JIT model stays when nobody said otherwise
_NONE_LOADED: Final = "No models loaded. Please load a model in the developer page or use the 'lms load' command."
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Downloaded:
    """A model on disk. `window` in tokens: what it is loaded with unless a load says otherwise, at most `longest`."""

    kind: str = "llm"  # or embedding
    window: int = 4096
    longest: int = 131072
    vision: bool = False
    tools: bool = True


@dataclass(slots=True)
class Instance:
    """A model in memory. `ttl` in seconds, None: it stays until it is unloaded. `used`: its last request began then."""

    window: int
    jit: bool
    ttl: float | None
    used: float


@dataclass(slots=True)
class LmStudio:
    """State: what is downloaded, loaded and was said. A context manager that serves meanwhile.

    `base_url` has no `/v1`. `asked` are the bodies of requests for answers, `loads` the models in the order in which
    they were loaded. `key`: requests must carry it; it is off by default, as there.
    """

    downloaded: Mapping[str, Downloaded] = field(default_factory=lambda: {"tiny": Downloaded()})
    jit: bool = True
    evict: bool = True
    load_seconds: float = 0.2
    key: str = ""
    loaded: dict[str, Instance] = field(default_factory=dict)
    asked: list[Json] = field(default_factory=list)
    loads: list[str] = field(default_factory=list)
    port: int = 0
    _said: dict[str, list[Json]] = field(default_factory=dict)
    _loading: dict[str, asyncio.Task[Instance]] = field(default_factory=dict)
    _thread: threading.Thread | None = None
    _stop: Callable[[], object] | None = None

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def load(self, model: str, window: int = 0) -> None:
        """As `lms load` does: at once, for good."""
        self.loaded[model] = Instance(window or self.downloaded[model].window, jit=False, ttl=None, used=0)

    def __enter__(self) -> Self:
        ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run(ready)), daemon=True)
        self._thread.start()
        ready.wait(10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._stop is not None and self._thread is not None:
            self._stop()
            self._thread.join(10)

    async def _run(self, ready: threading.Event) -> None:
        loop, ended = asyncio.get_running_loop(), asyncio.Event()
        self._stop = lambda: loop.call_soon_threadsafe(ended.set)
        async with listening(self.answer) as self.port:
            ready.set()
            await ended.wait()

    async def answer(self, request: Request) -> Reply:
        """The answer to any request."""
        self._expire(time.monotonic())
        if self.key and self.key not in {request.key, request.fields.get("x-api-key")}:
            return Reply(speech.refusal("invalid_api_key", "Malformed LM Studio API token provided"), 401)
        path = request.path.partition("?")[0]
        if request.method == "POST":
            return await self._posted(path, request.body)
        match path:
            case "/v1/models":
                return Reply({"object": "list", "data": [speech.listed(name) for name in self._visible()]})
            case "/api/v0/models":
                return Reply({"object": "list", "data": [self._old(name) for name in self.downloaded]})
            case "/api/v1/models":
                return Reply({"models": [self._new(name) for name in self.downloaded]})
        return _unexpected(request.method, path)

    async def _posted(self, path: str, body: Json) -> Reply:
        match path:
            case "/api/v1/models/load":
                return await self._load_asked(body)
            case "/api/v1/models/unload":
                return self._unload(body)
            case "/v1/chat/completions" | "/v1/responses" | "/v1/messages":
                return await self._speak(path, body)
        return _unexpected("POST", path)

    def _visible(self) -> list[str]:
        return list(self.downloaded) if self.jit else list(self.loaded)

    def _old(self, name: str) -> Json:
        return speech.old(name, self.downloaded[name], self.loaded.get(name))

    def _new(self, name: str) -> Json:
        return speech.new(name, self.downloaded[name], self.loaded.get(name))

    def _expire(self, now: float) -> None:
        for name, each in list(self.loaded.items()):
            if each.ttl is not None and now - each.used > each.ttl:
                del self.loaded[name]

    async def _load_asked(self, body: Json) -> Reply:
        name = str(body.get("model"))
        if name not in self.downloaded:
            return Reply(speech.refusal("model_not_found", f"Model {name!r} not found"), 404)
        began = time.monotonic()
        await asyncio.sleep(self.load_seconds)
        self.load(name, int(body.get("context_length") or 0))
        self.loads.append(name)
        told: Json = {"type": self.downloaded[name].kind, "instance_id": name, "status": "loaded"}
        told |= {"load_time_seconds": round(time.monotonic() - began, 3)}
        config = {"context_length": self.loaded[name].window}
        return Reply(told | ({"load_config": config} if body.get("echo_load_config") else {}))

    def _unload(self, body: Json) -> Reply:
        name = str(body.get("instance_id"))
        if self.loaded.pop(name, None) is None:
            return Reply(speech.refusal("model_not_found", f"No instance {name!r} is loaded"), 404)
        return Reply({"instance_id": name})

    async def _speak(self, path: str, body: Json) -> Reply:
        self.asked.append(body)
        name = str(body.get("model"))
        instance = self.loaded.get(name) or (await self._just_in_time(name, body) if self._may_load(name) else None)
        if instance is None:
            return Reply(speech.refusal("invalid_request_error", _NONE_LOADED, param="model"), 404)
        instance.used = time.monotonic()
        before = self._said.get(str(body.get("previous_response_id")))
        if path == "/v1/responses" and body.get("previous_response_id") and before is None:
            return Reply(speech.refusal("invalid_request_error", "Previous response not found"), 404)
        turns = [*(before or ()), *speech.turns(body)]
        told = speech.ALL[path](name, ANSWER, speech.tokens(turns))
        if path == "/v1/responses":
            self._said[told.ident] = turns
        return Reply(told.events if body.get("stream") else told.whole)

    def _may_load(self, name: str) -> bool:
        return self.jit and name in self.downloaded and self.downloaded[name].kind == "llm"

    async def _just_in_time(self, name: str, body: Json) -> Instance:
        """Load it, or wait until it is loaded for another; the one that came first sets the TTL."""
        if name not in self._loading:
            self._loading[name] = asyncio.ensure_future(self._load_slowly(name, float(body.get("ttl") or TTL)))
        return await asyncio.shield(self._loading[name])

    async def _load_slowly(self, name: str, ttl: float) -> Instance:
        await asyncio.sleep(self.load_seconds)
        if self.evict:
            for other in [other for other, each in self.loaded.items() if each.jit]:
                del self.loaded[other]
        self.loads.append(name)
        del self._loading[name]
        made = Instance(self.downloaded[name].window, jit=True, ttl=ttl, used=time.monotonic())
        self.loaded[name] = made
        return made


def _unexpected(method: str, path: str) -> Reply:
    return Reply({"error": f"Unexpected endpoint or method. ({method} {path}). Returning 200 anyway"})
