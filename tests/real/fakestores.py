"""A model hub and an object store on loopback: files in memory, as their clients ask for them, and faults on demand."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import NamedTuple, Self
from urllib.parse import parse_qs, urlsplit
from xml.sax.saxutils import escape

COMMIT = "c0ffee00" * 5


class Answer(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes = b""


class Request(NamedTuple):
    method: str
    path: str
    headers: Mapping[str, str]


class Store:
    """A server whose `answer` says what it holds. A fault is asked first, for as long as it gives an answer.

    `cut` is how many bytes of a file one connection carries before it breaks; 0: all. `asked` is what was asked for.
    """

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.files, self.asked, self.cut = dict(files), list[Request](), 0
        self.fault: Callable[[Request], Answer | None] = lambda _: None
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def answer(self, request: Request) -> Answer:
        raise NotImplementedError

    def times(self, pattern: str, method: str = "GET") -> int:
        return sum(each.method == method and bool(re.search(pattern, each.path)) for each in self.asked)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class Hub(Store):
    """Holds one repository; its paths are those of the hub's HTTP API. `refs` are the names of its only commit."""

    def __init__(self, repo: str, files: Mapping[str, bytes], refs: tuple[str, ...] = ("main", COMMIT)) -> None:
        super().__init__(files)
        self.repo, self.refs = repo, refs

    def answer(self, request: Request) -> Answer:
        path = urlsplit(request.path).path
        if found := re.fullmatch(rf"/api/models/{self.repo}(?:/revision/([^/]+))?", path):
            return self._info() if (found[1] or "main") in self.refs else _missing("RevisionNotFound")
        if re.fullmatch(rf"/api/models/{self.repo}/tree/[^/]+", path):
            return _json([{"type": "file", "path": each, **_blob(body)} for each, body in self.files.items()])
        if (found := re.fullmatch(rf"/{self.repo}/resolve/[^/]+/(.+)", path)) and found[1] in self.files:
            tag = {"ETag": f'"{_sha(self.files[found[1]])}"', "X-Repo-Commit": COMMIT}
            return _part(request, self.files[found[1]], tag)
        return _missing("EntryNotFound" if f"/{self.repo}/" in path else "RepoNotFound")

    def _info(self) -> Answer:
        siblings = [{"rfilename": each, "blobId": _sha(body), "size": len(body)} for each, body in self.files.items()]
        told = {
            "id": self.repo,
            "modelId": self.repo,
            "sha": COMMIT,
            "siblings": siblings,
            "tags": [],
            "private": False,
        }
        return _json(told)


class Bucket(Store):
    """Holds one bucket; path-style addresses. Keys are listed two a page."""

    def __init__(self, name: str, files: Mapping[str, bytes]) -> None:
        super().__init__(files)
        self.name = name

    def answer(self, request: Request) -> Answer:
        at = urlsplit(request.path)
        if at.path.rstrip("/") == f"/{self.name}":
            return self._page(parse_qs(at.query))
        body = self.files.get(at.path.removeprefix(f"/{self.name}/"))
        if body is None:
            return s3_error(404, "NoSuchBucket", "The specified bucket does not exist")
        tag = f'"{_sha(body)}"'
        if request.headers.get("if-match", tag) != tag:
            return s3_error(412, "PreconditionFailed", "changed")
        return _part(request, body, {"ETag": tag})

    def _page(self, query: Mapping[str, list[str]]) -> Answer:
        prefix, start = query.get("prefix", [""])[0], int(query.get("continuation-token", ["0"])[0])
        keys = sorted(each for each in self.files if each.startswith(prefix))
        more = start + 2 < len(keys)
        contents = "".join(
            f"<Contents><Key>{escape(key)}</Key><Size>{len(self.files[key])}</Size>"
            f"<ETag>&quot;{_sha(self.files[key])}&quot;</ETag></Contents>"
            for key in keys[start : start + 2]
        )
        following = f"<NextContinuationToken>{start + 2}</NextContinuationToken>" if more else ""
        body = (
            f"<ListBucketResult><IsTruncated>{str(more).lower()}</IsTruncated>{contents}{following}</ListBucketResult>"
        )
        return Answer(200, {"Content-Type": "application/xml"}, body.encode())


def s3_error(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> Answer:
    body = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()
    return Answer(status, {"Content-Type": "application/xml", **(headers or {})}, body)


def hub_error(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> Answer:
    told = {"X-Error-Code": code, "X-Error-Message": message} if code else {}
    return Answer(status, told | dict(headers or {}), json.dumps({"error": message}).encode())


def _missing(code: str) -> Answer:
    return hub_error(404, code, "Not found")


def _json(value: object) -> Answer:
    return Answer(200, {"Content-Type": "application/json"}, json.dumps(value).encode())


def _sha(body: bytes) -> str:
    return hashlib.sha1(body, usedforsecurity=False).hexdigest()


def _blob(body: bytes) -> dict[str, object]:
    return {"size": len(body), "oid": _sha(body)}


def _part(request: Request, body: bytes, headers: Mapping[str, str]) -> Answer:
    asked = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("range", ""))
    if not asked:
        return Answer(200, {**headers, "Accept-Ranges": "bytes"}, body)
    start, end = int(asked[1]), int(asked[2] or len(body) - 1)
    return Answer(206, {**headers, "Content-Range": f"bytes {start}-{end}/{len(body)}"}, body[start : end + 1])


def _handler(store: Store) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = Request(self.command, self.path, headers)
            store.asked.append(request)
            told = store.fault(request) or store.answer(request)
            self.send_response(told.status)
            for name, value in {**told.headers, "Content-Length": str(len(told.body))}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self._body(told.body)

        def do_HEAD(self) -> None:
            self.do_GET()

        def _body(self, body: bytes) -> None:
            if store.cut and len(body) > store.cut:
                self.wfile.write(body[: store.cut])
                self.close_connection = True
            else:
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    return Handler
