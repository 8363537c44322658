"""`pointsman import`: an OpenClaw configuration as YAML objects, the keys apart from everything else."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pointsman.fleet import manifests, openclaw
from pointsman.local import source
from pointsman.names import MODE_ANNOTATION, Mode

Json = dict[str, Any]

STDIO: Final = "-"
OBJECTS: Final = "objects.yaml"
SECRETS: Final = "secrets.yaml"
_PRIVATE: Final = 0o600
_ABOVE_SECRETS: Final = "Keys in plain text: readable by you alone. Keep this file out of version control."


@dataclass(frozen=True)
class Options:
    """`path` and `output` may be "-": standard input and output. `placeholders`: for variables that are not set."""

    path: str
    namespace: str = "default"
    output: str = STDIO
    force: bool = False
    placeholders: bool = False


@dataclass
class Placeholders(Mapping[str, str]):
    """An environment in which every variable is set: what is not gets a text to be replaced, and is remembered."""

    real: Mapping[str, str]
    left: list[str] = field(default_factory=list)

    def __getitem__(self, name: str) -> str:
        if value := self.real.get(name):
            return value
        if name not in self.left:
            self.left.append(name)
        return placeholder(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.real)

    def __len__(self) -> int:
        return len(self.real)


def placeholder(name: str) -> str:
    """What stands where the value of an environment variable belongs."""
    return f"PUT-{name}-HERE"


def run(options: Options) -> int:
    """Write the objects, and warnings to standard error; 1 when the configuration or a file cannot be used."""
    env = Placeholders(os.environ)
    try:
        name, text = _text(options.path)
        imported = openclaw.read(text, env if options.placeholders else os.environ, name, options.namespace)
        _say_all(
            [*imported.warnings, *(f"put the value of {each} where {placeholder(each)} stands" for each in env.left)]
        )
        _write(options, imported, env.left)
    except (source.SourceError, openclaw.OpenClawError) as error:
        mend = "" if options.placeholders or "is not set" not in str(error) else "; or use --placeholders"
        sys.stderr.write(f"pointsman import: {error}{mend}\n")
        return 1
    except BrokenPipeError:
        raise  # nobody reads on: no fault
    except OSError as error:
        sys.stderr.write(f"pointsman import: {error.filename or options.output}: {error.strerror}\n")
        return 1
    return 0


def objects(imported: openclaw.Imported, namespace: str) -> tuple[list[Json], list[Json]]:
    """Secrets, and all else; a namespace that is to hold nothing but routes (mode Replace) is annotated so."""
    secrets = [body for body in imported.objects if body["kind"] == "Secret"]
    others = [body for body in imported.objects if body["kind"] != "Secret"]
    if imported.mode is Mode.REPLACE:
        annotated = {"name": namespace, "annotations": {MODE_ANNOTATION: str(imported.mode)}}
        others.insert(0, {"apiVersion": "v1", "kind": "Namespace", "metadata": annotated})
    return secrets, others


def _text(path: str) -> tuple[str, str]:
    if path == STDIO:
        return "standard input", sys.stdin.read()
    texts = source.read([path])
    if len(texts.openclaw) != 1 or texts.yaml:
        raise source.SourceError(f"{path}: give one OpenClaw configuration (.json5 or .json)")
    [(name, text)] = texts.openclaw.items()
    return name, text


def _write(options: Options, imported: openclaw.Imported, left: list[str]) -> None:
    secrets, others = objects(imported, options.namespace)
    if options.output == STDIO:
        sys.stdout.write(manifests.dump([*others, *secrets]))
        return
    above = "\n".join(
        [_ABOVE_SECRETS, *(f"Put the value of {name} where {placeholder(name)} stands." for name in left)]
    )
    files = {OBJECTS: manifests.dump(others)} | ({SECRETS: manifests.dump(secrets, above)} if secrets else {})
    folder = Path(options.output)
    there = [name for name in files if (folder / name).exists()]
    if there and not options.force:
        raise source.SourceError(f"{folder / there[0]}: is there already; --force writes over it")
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        _replace(folder / name, content, private=name == SECRETS)
        sys.stderr.write(f"wrote {folder / name}\n")


def _replace(path: Path, content: str, *, private: bool) -> None:
    # Beside it first: nobody may read a key while it is written, or half a file after a crash.
    beside = path.with_name(f".{path.name}.new")
    beside.unlink(missing_ok=True)
    beside.touch(mode=_PRIVATE if private else 0o666)
    beside.write_text(content, encoding="utf-8")
    beside.replace(path)


def _say_all(warnings: list[str]) -> None:
    for warning in warnings:
        sys.stderr.write(f"warning: {warning}\n")
