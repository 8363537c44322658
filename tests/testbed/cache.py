"""Where built and fetched things are kept: outside the checkout, so that a fresh clone finds them.

The place is `$POINTSMAN_CACHE`, else `$XDG_CACHE_HOME/pointsman`, else `~/.cache/pointsman`.
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path


def root() -> Path:
    """The cache's folder, which need not exist yet."""
    if chosen := os.environ.get("POINTSMAN_CACHE"):
        return Path(chosen).absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pointsman"


def cached(name: str, key: Iterable[str | bytes], build: Callable[[Path], None]) -> Path:
    """The folder `NAME-HASH`, filled by `build(folder)` once for each content of `key`.

    Whatever `build` raises comes through, and leaves nothing behind. Parallel callers build once: the others wait.
    """
    folder = root() / f"{name}-{digest(key)}"
    if not folder.is_dir():
        with _locked(name):
            if not folder.is_dir():
                _fill(folder, build)
                _drop_unused(name)
    os.utime(folder)
    return folder


def digest(key: Iterable[str | bytes]) -> str:
    """A short content hash; each part's length goes in, so that ("ab", "c") and ("a", "bc") differ."""
    whole = hashlib.sha256()
    for part in key:
        data = part.encode() if isinstance(part, str) else part
        whole.update(b"%d:%b" % (len(data), data))
    return whole.hexdigest()[:16]


@contextlib.contextmanager
def progress(what: str, every: float = 10.0) -> Iterator[None]:
    """Say on standard error that something long has begun, that it goes on (every so many seconds) and ended."""
    began = time.monotonic()
    ended = threading.Event()

    def tell() -> None:
        while not ended.wait(every):
            say(f"{what} … {time.monotonic() - began:.0f} s")

    say(f"{what} …")
    teller = threading.Thread(target=tell, daemon=True)
    teller.start()
    try:
        yield
    finally:
        ended.set()
        teller.join()
    say(f"{what}: done in {time.monotonic() - began:.0f} s")


def say(line: str) -> None:
    sys.stderr.write(f"testbed: {line}\n")
    sys.stderr.flush()


def _drop_unused(name: str) -> None:
    """Remove what `name` was for other keys, if nobody asked for it in two weeks: sources change, and disks fill up."""
    for folder in root().glob(f"{name}-{'[0-9a-f]' * 16}"):
        if folder.stat().st_mtime < time.time() - 14 * 24 * 3600:
            shutil.rmtree(folder, ignore_errors=True)


def _fill(folder: Path, build: Callable[[Path], None]) -> None:
    draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        draft.chmod(0o755)
        build(draft)
        draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


@contextlib.contextmanager
def _locked(name: str) -> Iterator[None]:
    locks = root() / "locks"
    locks.mkdir(parents=True, exist_ok=True)
    with (locks / name).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
