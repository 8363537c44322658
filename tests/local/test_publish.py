"""The files that the gateway reads."""

from __future__ import annotations

import stat
from pathlib import Path

from pointsman import table
from pointsman.local.publish import Files

EMPTY = table.RoutingTable()


def test_what_is_published_can_be_loaded_and_is_private(tmp_path: Path) -> None:
    """The table loads; keys are readable by their owner alone."""
    files = Files(tmp_path / "state")
    assert files.publish(EMPTY, {}, {"hosted": "sk-1"})
    assert table.load(files.table.read_bytes()) == table.seal(EMPTY)
    key = files.credentials / "hosted"
    assert key.read_text() == "sk-1"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE(files.credentials.stat().st_mode) == 0o700


def test_nothing_is_written_when_nothing_changed(tmp_path: Path) -> None:
    """The gateway would reload for nothing."""
    files = Files(tmp_path)
    files.publish(EMPTY, {"a": 1}, {})
    before = files.table.stat().st_mtime_ns, files.table.stat().st_ino
    assert not files.publish(EMPTY, {"a": 1}, {})
    assert (files.table.stat().st_mtime_ns, files.table.stat().st_ino) == before


def test_a_key_that_is_gone_leaves_no_file(tmp_path: Path) -> None:
    """Nor does one that was interrupted while it was written."""
    files = Files(tmp_path)
    files.publish(EMPTY, {}, {"old": "sk-1"})
    (files.credentials / ".half.new").write_text("sk-")
    files.publish(EMPTY, {}, {"new": "sk-2"})
    assert [path.name for path in files.credentials.iterdir()] == ["new"]
