"""A vLLM whose API server is always well: what its engine does is a test's to say."""

import json
import threading
from enum import Enum, auto
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

MODELS = {"object": "list", "data": [{"id": "tiny", "object": "model", "max_model_len": 32768}]}
TOKEN = {"object": "chat.completion", "choices": [{"index": 0, "message": {"content": "a"}, "finish_reason": "length"}]}


class Engine(Enum):
    """What the engine does."""

    AWAKE = auto()
    ASLEEP = auto()
    HUNG = auto()  # it took requests and nothing moves any more
    BUSY = auto()  # it moves, and has no time for a further request


class FakeVllm:
    """A context manager. `posted` are the bodies of the requests for tokens; `metrics` False hides /metrics.

    `sleep_state`: the figures tell whether it sleeps. `development`: /is_sleeping is there, which the engine answers.
    """

    def __init__(self, *, metrics: bool = True, sleep_state: bool = True, development: bool = False) -> None:
        self.engine, self.metrics, self.sleep_state, self.development = Engine.AWAKE, metrics, sleep_state, development
        self.got: list[str] = []
        self.posted: list[Any] = []
        self._tokens = 0
        self._over = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._server.shutdown()
        self._server.server_close()

    def get(self, path: str) -> tuple[int, str]:
        """As vLLM answers: the list and the health without the engine, the figures as it last told them."""
        self.got.append(path)
        if path == "/v1/models":
            return 200, json.dumps(MODELS)
        if path == "/metrics" and self.metrics:
            return 200, self._figures()
        if path == "/is_sleeping" and self.development:
            if self.engine is Engine.HUNG:
                self._over.wait()
            return 200, json.dumps({"is_sleeping": self.engine is Engine.ASLEEP})
        return (200, "") if path == "/health" else (404, '{"detail":"Not Found"}')

    def post(self, body: Any) -> tuple[int, str]:
        """A token, at once or never."""
        self.posted.append(body)
        if self.engine is not Engine.AWAKE:
            self._over.wait()
        return 200, json.dumps(TOKEN)

    def _figures(self) -> str:
        self._tokens += self.engine in {Engine.AWAKE, Engine.BUSY}
        asleep = self.engine is Engine.ASLEEP
        running = 3.0 if self.engine in {Engine.HUNG, Engine.BUSY} else 0.0
        series = {
            'vllm:num_requests_running{engine="0",model_name="tiny"}': running,
            'vllm:generation_tokens_total{engine="0",model_name="tiny"}': float(self._tokens),
        }
        if self.sleep_state:
            for state, holds in (("awake", not asleep), ("weights_offloaded", asleep)):
                series[f'vllm:engine_sleep_state{{engine="0",sleep_state="{state}"}}'] = float(holds)
        return "".join(f"{name} {value}\n" for name, value in series.items())

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self.answer(*fake.get(self.path))

            def do_POST(self) -> None:
                self.answer(*fake.post(json.loads(self.rfile.read(int(self.headers["content-length"])))))

            def answer(self, status: int, text: str) -> None:
                try:
                    self.send_response(status)
                    self.send_header("content-length", str(len(text.encode())))
                    self.end_headers()
                    self.wfile.write(text.encode())
                except ConnectionError:
                    self.close_connection = True

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's own name
                pass

        return Handler
