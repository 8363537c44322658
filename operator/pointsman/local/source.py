"""Objects from files: YAML as `kubectl apply` takes it, or an OpenClaw config; folders are read whole."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_YAML = (".yaml", ".yml")
_OPENCLAW = (".json5", ".json")
_TOO_LARGE = 8 << 20


class SourceError(Exception):
    """Files that cannot be read; the text says which, why, and how to mend it."""


@dataclass(frozen=True)
class Texts:
    """Contents by file name, apart for each reader. Equal texts mean that nothing changed."""

    yaml: dict[str, str] = field(default_factory=dict)
    openclaw: dict[str, str] = field(default_factory=dict)


def read(paths: Sequence[str]) -> Texts:
    """The texts of all files at these paths; SourceError names the first that cannot be read."""
    texts = Texts()
    for path in [file for name in paths for file in _files(Path(name))]:
        (texts.openclaw if path.suffix in _OPENCLAW else texts.yaml)[str(path)] = _text(path)
    return texts


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        found = sorted(file for file in path.iterdir() if file.suffix in _YAML + _OPENCLAW and file.is_file())
        if not found:
            raise SourceError(f"{path}: no .yaml, .yml, .json or .json5 file in this folder")
        return found
    if not path.exists():
        raise SourceError(f"{path}: no such file or folder")
    if path.suffix not in _YAML + _OPENCLAW:
        raise SourceError(f"{path}: neither YAML (.yaml, .yml) nor an OpenClaw config (.json5, .json) by its name")
    return [path]


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > _TOO_LARGE:
            raise SourceError(f"{path}: larger than {_TOO_LARGE >> 20} MiB: this is no object file")
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise SourceError(f"{path}: not UTF-8 at byte {error.start}: save it as UTF-8") from error
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror}") from error
