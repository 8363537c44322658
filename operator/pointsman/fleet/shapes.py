"""Checks of JSON by its shape: each says where and how to mend what the API server would refuse.

A Shape is given a value and its path, and yields "PATH: REASON: REMEDY", nothing for a sound one. Shapes never raise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pointsman.api.validation import did_you_mean
from pointsman.api.validation import kind as named

if TYPE_CHECKING:
    import re

Shape = Callable[[Any, str], Iterator[str]]


def anything(_value: Any, _path: str) -> Iterator[str]:
    """Of no interest here."""
    yield from ()


def truth(value: Any, path: str) -> Iterator[str]:
    if not isinstance(value, bool):
        yield f"{path}: must be true or false, without quotes, not {named(value)}"


def either(*shapes: type) -> Shape:
    """A value of one of these Python types; a truth is no number."""

    def check(value: Any, path: str) -> Iterator[str]:
        if not isinstance(value, shapes) or (isinstance(value, bool) and bool not in shapes):
            yield f"{path}: cannot be {named(value)}"

    return check


def text(form: re.Pattern[str] | None = None, what: str = "", longest: int = 0) -> Shape:
    """Text of this form; `what` says which ("must be ...")."""

    def check(value: Any, path: str) -> Iterator[str]:
        if not isinstance(value, str):
            yield f"{path}: must be text, not {named(value)}: write it in quotes"
        elif (form and not form.fullmatch(value)) or (longest and len(value) > longest):
            yield f"{path}: {value[:80]!r} must be {what}"

    return check


def choice(*values: str) -> Shape:
    """One of these words."""

    def check(value: Any, path: str) -> Iterator[str]:
        if value not in values:
            yield f"{path}: {value!r} must be {', '.join(values[:-1])} or {values[-1]}"

    return check


def whole(least: int, most: int = 2**63 - 1) -> Shape:
    """A whole number from `least` to `most`."""

    def check(value: Any, path: str) -> Iterator[str]:
        if isinstance(value, bool) or not isinstance(value, int):
            yield f"{path}: must be a whole number, not {named(value)}"
        elif not least <= value <= most:
            yield (
                f"{path}: {value} must be from {least} to {most}"
                if most < 2**31
                else f"{path}: must be {least} or more"
            )

    return check


def listed(item: Shape, *, least: int = 0) -> Shape:
    """A list; its items go by their name where they have one."""

    def check(value: Any, path: str) -> Iterator[str]:
        if not isinstance(value, list):
            yield f"{path}: must be a list, not {named(value)}: begin each item with a dash"
            return
        if len(value) < least:
            yield f"{path}: must have at least {least}: add one, or remove {path.rpartition('.')[2]}"
        for at, each in enumerate(value):
            name = each.get("name") if isinstance(each, dict) else None
            yield from item(each, f"{path}[{name if isinstance(name, str) else at}]")

    return check


def mapped(key: Shape, value: Shape) -> Shape:
    """An object of people's own keys."""

    def check(found: Any, path: str) -> Iterator[str]:
        if not isinstance(found, dict):
            yield f"{path}: must be an object, not {named(found)}"
            return
        for name, each in found.items():
            yield from key(name, f"{path}, key {str(name)[:80]}")
            yield from value(each, f"{path}[{str(name)[:80]}]")

    return check


def record(members: Mapping[str, Shape], *, needs: Iterable[str] = (), one_of: Iterable[str] = ()) -> Shape:
    """An object of these members. `needs` must be there, and exactly one of `one_of`."""
    known, needed, single = sorted(members), tuple(needs), tuple(one_of)

    def check(value: Any, path: str) -> Iterator[str]:
        if not isinstance(value, dict):
            yield f"{path}: must be an object, not {named(value)}"
            return
        for name, each in value.items():
            if name in members:
                yield from members[name](each, f"{path}.{name}")
            else:
                yield f"{path}.{name}: unknown field{did_you_mean(str(name), known)}: remove it"
        for name in needed:
            if value.get(name) is None:
                yield f"{path}.{name}: is required: add it"
        there = [name for name in single if value.get(name) is not None]
        if single and len(there) != 1 and (there or value.keys() <= members.keys()):
            said = f"{' and '.join(there)} are there" if there else "none is there"
            yield f"{path}: needs exactly one of {', '.join(single)}, and {said}"

    return check


def at_most_one(*names: str) -> Shape:
    """An object that has no two of these."""

    def check(value: Any, path: str) -> Iterator[str]:
        there = [name for name in names if isinstance(value, dict) and value.get(name) is not None]
        if len(there) > 1:
            yield f"{path}: {' and '.join(there)} exclude each other: keep one (set the other to null)"

    return check


def both(*shapes: Shape) -> Shape:
    """What all of them say."""

    def check(value: Any, path: str) -> Iterator[str]:
        for shape in shapes:
            yield from shape(value, path)

    return check
