"""The cache builds once, and a failed build leaves nothing behind."""

import os
import threading
import time
from pathlib import Path

import pytest

from testbed import cache


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POINTSMAN_CACHE", str(tmp_path))


def test_the_same_key_is_built_once_by_parallel_callers() -> None:
    """Callers who come while another builds wait for it and get the same folder."""
    builds: list[Path] = []

    def build(folder: Path) -> None:
        builds.append(folder)
        (folder / "made").write_text("yes")

    found: list[Path] = []
    callers = [threading.Thread(target=lambda: found.append(cache.cached("thing", ["1"], build))) for _ in range(8)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert len(builds) == 1
    assert len(set(found)) == 1
    assert (found[0] / "made").read_text() == "yes"


def test_another_key_is_another_folder() -> None:
    """Parts of a key do not run together."""
    keys: list[list[str | bytes]] = [["ab", "c"], ["a", "bc"], ["abc"], [b"abc", ""]]
    places = {cache.cached("thing", key, lambda _: None) for key in keys}
    assert len(places) == 4


def test_a_failed_build_leaves_nothing_and_is_tried_again(tmp_path: Path) -> None:
    """What `build` raises comes through, and the next call starts anew."""

    def fail(folder: Path) -> None:
        (folder / "half").write_text("")
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        cache.cached("thing", ["1"], fail)
    assert [entry.name for entry in tmp_path.iterdir()] == ["locks"]
    assert cache.cached("thing", ["1"], lambda _: None).is_dir()


def test_what_nobody_asks_for_any_more_goes_with_the_next_build() -> None:
    """Only folders of the same name, and only those unused for two weeks."""
    old, other = (cache.cached(name, ["old"], lambda _: None) for name in ("thing", "thing-two"))
    long_ago = time.time() - 30 * 24 * 3600
    for folder in (old, other):
        os.utime(folder, (long_ago, long_ago))
    used = cache.cached("thing", ["used"], lambda _: None)
    assert not old.exists()
    assert used.exists()
    assert other.exists()


def test_the_place_follows_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """$POINTSMAN_CACHE wins over $XDG_CACHE_HOME, which wins over the home folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    monkeypatch.setenv("HOME", "/home/someone")
    assert cache.root() == tmp_path
    monkeypatch.delenv("POINTSMAN_CACHE")
    assert cache.root() == Path("/xdg/pointsman")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache.root() == Path("/home/someone/.cache/pointsman")
