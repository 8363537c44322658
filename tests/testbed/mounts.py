"""A ConfigMap or Secret as files, kept in step as the kubelet does it: a new folder, then one rename of `..data`."""

import base64
import shutil
import threading
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Self

from testbed.api import Api, ApiError


class Mount:
    """One object's data in `folder`, re-read every `period` seconds; an object that is not there is an empty folder."""

    def __init__(self, api: Api, path: str, folder: Path, period: float = 0.2) -> None:
        self._api, self._path, self.folder, self._period = api, path, folder, period
        self._version: str | None = None
        self._numbers = count(1)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name=f"mount {path}", daemon=True)

    def sync(self) -> None:
        """Bring the files into step now."""
        try:
            body = self._api.get(self._path)
        except ApiError as error:
            if error.status != 404:
                raise
            body = {"metadata": {"resourceVersion": "none"}}
        if body["metadata"]["resourceVersion"] != self._version:
            self._version = body["metadata"]["resourceVersion"]
            secret = self._path.split("/")[-2] == "secrets"
            data = body.get("data") or {}
            self._swap({k: base64.b64decode(v) if secret else v.encode() for k, v in data.items()})

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.sync()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(self._period):
            self.sync()

    def _swap(self, files: dict[str, bytes]) -> None:
        fresh = self.folder / f"..{next(self._numbers):06d}"
        fresh.mkdir()
        for name, content in files.items():
            (fresh / name).write_bytes(content)
        link, beside = self.folder / "..data", self.folder / "..data_tmp"
        stale = link.readlink() if link.is_symlink() else None
        beside.symlink_to(fresh.name)
        beside.replace(link)
        for name in files.keys() - {path.name for path in self.folder.iterdir()}:
            (self.folder / name).symlink_to(Path("..data") / name)
        for path in self.folder.iterdir():
            if not path.name.startswith("..") and path.name not in files:
                path.unlink()
        if stale:
            shutil.rmtree(self.folder / stale)
