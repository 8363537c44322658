"""Files become texts, or an error that says which file and how to mend it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pointsman.local import source


def test_a_folder_is_read_whole_and_in_order(tmp_path: Path) -> None:
    """YAML and OpenClaw files are told apart by their names; others are left alone."""
    for name in ("b.yaml", "a.yml", "openclaw.json5", "notes.txt"):
        (tmp_path / name).write_text(name)
    texts = source.read([str(tmp_path)])
    assert list(texts.yaml.values()) == ["a.yml", "b.yaml"]
    assert list(texts.openclaw.values()) == ["openclaw.json5"]


def test_equal_files_give_equal_texts(tmp_path: Path) -> None:
    """So a reload can be skipped when nothing changed."""
    (tmp_path / "a.yaml").write_text("x: 1")
    before = source.read([str(tmp_path)])
    assert source.read([str(tmp_path)]) == before
    (tmp_path / "a.yaml").write_text("x: 2")
    assert source.read([str(tmp_path)]) != before


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.toml", b"", "neither YAML (.yaml, .yml) nor an OpenClaw config"),
        ("a.yaml", b"name: \xff", "not UTF-8 at byte 6: save it as UTF-8"),
        ("a.yaml", b" " * ((8 << 20) + 1), "larger than 8 MiB"),
    ],
    ids=["suffix", "encoding", "size"],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    """What, where, and how to mend it."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(source.SourceError) as caught:
        source.read([str(tmp_path / name)])
    assert str(caught.value).startswith(f"{tmp_path / name}: ")
    assert says in str(caught.value)


def test_a_path_that_is_not_there_is_named(tmp_path: Path) -> None:
    """Also a folder that holds nothing of ours."""
    with pytest.raises(source.SourceError, match="no such file or folder"):
        source.read([str(tmp_path / "gone.yaml")])
    with pytest.raises(source.SourceError, match="in this folder"):
        source.read([str(tmp_path)])


def test_a_byte_order_mark_is_no_error(tmp_path: Path) -> None:
    """Editors on Windows write one."""
    (tmp_path / "a.yaml").write_bytes(b"\xef\xbb\xbfx: 1")
    assert source.read([str(tmp_path)]).yaml[str(tmp_path / "a.yaml")] == "x: 1"
