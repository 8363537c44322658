"""Fetches models into a cache: `python3 -c TEXT PLAN`, in an engine's image. Nothing of Pointsman is there.

PLAN is JSON: {"tries": 8, "pause": 2.0, "items": [ITEM...]}, an ITEM one of
{"from": "hub", "repo", "revision", "folder" ("": the hub's own cache), "everything": false}
{"from": "s3", "bucket", "key", "folder", "everything": false}
What is there already is not fetched again, what is there in part is gone on with. The last line of a failure is the
client's own error: who reads the container's last words knows those.
"""

from __future__ import annotations

import email.utils
import errno
import fnmatch
import functools
import importlib
import json
import os
import re
import shutil
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

ALWAYS = ("original/*", "onnx/*", "openvino/*", "coreml/*", "*.onnx", "*.onnx_data", "*.tflite", "*.h5", "*.msgpack")
BESIDE_SAFETENSORS = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.gguf")  # the same weights once more
PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
LASTING = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS})
LONGEST = 900.0  # seconds
CHUNK = 1 << 20
DONE = ".pointsman.json"


class MissingModelError(Exception):
    """There is nothing where the model should be."""


class IncompleteError(Exception):
    """Not everything came; to try again goes on from there."""


def main(plan: Mapping[str, Any]) -> None:
    for item in plan["items"]:
        fetch = {"hub": from_hub, "s3": from_s3}[item["from"]]
        retried(functools.partial(fetch, item), int(plan["tries"]), float(plan["pause"]))


def retried(fetch: Callable[[], None], tries: int, pause: float) -> None:
    for at in range(1, tries + 1):
        try:
            return fetch()
        except Exception as error:
            if at == tries or not passes(error):
                raise
            wait = min(asked_to_wait(error) or pause * 2 ** (at - 1), LONGEST)
            say(f"try {at} of {tries} failed, the next one in {wait:.0f} s: {line(error)[:500]}")
            time.sleep(wait)
    return None


def from_hub(item: Mapping[str, Any]) -> None:
    hub: Any = importlib.import_module("huggingface_hub")
    repo, revision, folder = item["repo"], item["revision"], item["folder"] or None
    info = hub.HfApi().model_info(repo, revision=revision, files_metadata=True)
    sizes = {each.rfilename: each.size or 0 for each in info.siblings or ()}
    skip = skipped(sizes, everything=item["everything"])
    wanted = {name: size for name, size in sizes.items() if not matches(name, skip)}
    say(f"hf://{repo} at {info.sha}: {len(wanted)} files, {gib(sum(wanted.values()))}")
    try:
        where = Path(hub.snapshot_download(repo, revision=revision, local_dir=folder, ignore_patterns=list(skip)))
    except Exception as error:
        tell_room(error, sum(wanted.values()))
        raise
    # An older client takes what it finds there for the whole, when the hub is away in between.
    missing = [name for name, size in wanted.items() if not whole(where / name, size)]
    if missing:
        raise IncompleteError(f"hf://{repo}: {len(missing)} of {len(wanted)} files are not there, {missing[0]} is one")
    say(f"hf://{repo}: all there, in {where}")


def from_s3(item: Mapping[str, Any]) -> None:
    client = s3_client()
    address, folder = f"s3://{item['bucket']}/{item['key']}", Path(item["folder"])
    objects = dict(listed(client, item["bucket"], item["key"] + "/"))
    if not objects:
        raise MissingModelError(f"The specified key does not exist: {address} holds no file")
    skip = skipped(objects, everything=item["everything"])
    wanted = {name: each for name, each in objects.items() if not matches(name, skip)}
    size = sum(each["Size"] for each in wanted.values())
    say(f"{address}: {len(wanted)} files, {gib(size)}")
    folder.mkdir(parents=True, exist_ok=True)
    there = Ledger(folder)
    there.forget(name for name in there.tags if name not in wanted)
    try:
        with ThreadPoolExecutor(8) as pool:
            for _ in pool.map(lambda name: one(client, item["bucket"], wanted[name], name, there), wanted):
                pass
    except Exception as error:
        tell_room(error, size)
        raise
    say(f"{address}: all there, in {folder}")


class Ledger:
    """Which files of a folder are whole, and of which object's state (ETag): name -> tag. In a file beside them."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.lock = folder, threading.Lock()
        try:
            self.tags: dict[str, str] = json.loads((folder / DONE).read_text())
        except (OSError, ValueError):
            self.tags = {}

    def has(self, name: str, tag: str, size: int) -> bool:
        return self.tags.get(name) == tag and whole(self.folder / name, size)

    def add(self, name: str, tag: str) -> None:
        with self.lock:
            self.tags[name] = tag
            self.write()

    def forget(self, names: Iterable[str]) -> None:
        for name in list(names):
            (self.folder / name).unlink(missing_ok=True)
            del self.tags[name]
        self.write()

    def write(self) -> None:
        part = self.folder / f"{DONE}.part"
        part.write_text(json.dumps(self.tags, sort_keys=True))
        part.replace(self.folder / DONE)


def one(client: Any, bucket: str, what: Mapping[str, Any], name: str, there: Ledger) -> None:
    """Download one object: beside its place, and then into it."""
    tag, size = str(what["ETag"]), int(what["Size"])
    if there.has(name, tag, size):
        return
    target = there.folder / name
    part = target.with_name(f".{target.name}.{re.sub(r'[^0-9A-Za-z]', '', tag)[:16]}.part")
    target.parent.mkdir(parents=True, exist_ok=True)
    at = part.stat().st_size if part.exists() else 0
    if at < size or not part.exists():
        rest = {"Range": f"bytes={at}-"} if at else {}
        body = client.get_object(Bucket=bucket, Key=what["Key"], IfMatch=tag, **rest)["Body"]
        with part.open("ab") as out:
            for chunk in body.iter_chunks(CHUNK):
                out.write(chunk)
    if not whole(part, size):
        got = part.stat().st_size
        if got > size:
            part.unlink()
        raise IncompleteError(f"s3://{bucket}/{what['Key']}: {got} of {size} bytes came")
    part.replace(target)
    there.add(name, tag)


def s3_client() -> Any:
    boto3: Any = importlib.import_module("boto3")
    botocore: Any = importlib.import_module("botocore.config")
    endpoint = os.environ.get("AWS_ENDPOINT_URL") or None
    own = bool(endpoint) and "amazonaws.com" not in str(endpoint)
    # A server of one's own seldom has a name for each bucket; tries and pauses are ours.
    style = {"addressing_style": "path" if own else "auto"}
    return boto3.client(
        "s3", endpoint_url=endpoint, config=botocore.Config(s3=style, retries={"total_max_attempts": 1})
    )


def listed(client: Any, bucket: str, prefix: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Path below the prefix -> the object (Key, Size, ETag)."""
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for each in page.get("Contents", ()):
            name = each["Key"].removeprefix(prefix)
            if not name or name.endswith("/"):
                continue
            if name.startswith("/") or {"", ".", ".."} & set(name.split("/")):
                raise ValueError(f"s3://{bucket}/{each['Key']} is no path of a file: rename it")
            yield name, each


def skipped(names: Iterable[str], *, everything: bool) -> tuple[str, ...]:
    """Patterns of what vLLM does not read."""
    if everything:
        return ()
    safe = any("/" not in name and name.endswith(".safetensors") for name in names)
    return ALWAYS + BESIDE_SAFETENSORS if safe else ALWAYS


def matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch.fnmatch(name, pattern) for pattern in patterns)


def whole(file: Path, size: int) -> bool:
    return file.is_file() and file.stat().st_size == size


def passes(error: BaseException) -> bool:
    """Whether to try again may help."""
    if any(isinstance(each, OSError) and each.errno in LASTING for each in chain(error)):
        return False
    if "No space left" in str(error) or "Credentials" in type(error).__name__:
        return False
    codes = [code for code, _ in map(response, chain(error)) if code]
    if codes:
        return codes[0] in PASSING
    return isinstance(error, (OSError, IncompleteError)) or not isinstance(
        error, (MissingModelError, ImportError, ValueError, TypeError, LookupError, AttributeError)
    )


def asked_to_wait(error: BaseException) -> float:
    """Seconds that the server asks for, 0: it does not say."""
    for _, headers in map(response, chain(error)):
        found = {str(key).lower(): str(value) for key, value in headers.items()}
        if reset := re.search(r"\bt=(\d+)", found.get("ratelimit", "")):
            return float(reset[1])
        after = found.get("retry-after", "")
        if re.fullmatch(r"\d+(\.\d+)?", after):
            return float(after)
        if after and (date := parsed(after)):
            return max(date - time.time(), 0.0)
    return 0.0


def parsed(text: str) -> float:
    try:
        return email.utils.parsedate_to_datetime(text).timestamp()
    except (TypeError, ValueError):
        return 0.0


def response(error: BaseException) -> tuple[int, Mapping[str, Any]]:
    """Status and headers of the answer that an error is about: requests', httpx's and botocore's have it."""
    found = getattr(error, "response", None)
    if isinstance(found, dict):
        told = found.get("ResponseMetadata") or {}
        return int(told.get("HTTPStatusCode") or 0), told.get("HTTPHeaders") or {}
    return int(getattr(found, "status_code", 0) or 0), getattr(found, "headers", None) or {}


def chain(error: BaseException) -> list[BaseException]:
    """It, what it was raised from, and so on."""
    found: list[BaseException] = []
    at: BaseException | None = error
    while at is not None and at not in found:
        found.append(at)
        at = at.__cause__ or at.__context__
    return found


def tell_room(error: Exception, size: int) -> None:
    """Of a full disk, say how full: raise that instead."""
    if not any(getattr(each, "errno", None) in {errno.ENOSPC, errno.EDQUOT} for each in chain(error)):
        return
    at = Path(os.environ.get("HF_HOME") or ".").parent
    free = gib(shutil.disk_usage(at).free) if at.exists() else "nothing"
    told = f"No space left on device: all of it takes {gib(size)}, {free} are free in {at}"
    raise OSError(errno.ENOSPC, told) from error


def gib(size: float) -> str:
    return f"{size / 2**30:.2f} GiB"


def line(error: BaseException) -> str:
    """As Python writes it, in one line; with the status, which newer clients put into other words."""
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    text = f"{name}: {' '.join(str(error).split())}"
    code = next((code for code, _ in map(response, chain(error)) if code), 0)
    status = f"{code} {'Server' if code >= 500 else 'Client'} Error"
    return text if not code or status in text else f"{text} ({status})"


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    try:
        main(json.loads(sys.argv[1]))
    except Exception as error:  # noqa: BLE001 - the last line is for whoever reads the container's last words
        say(line(error))
        sys.exit(1)
