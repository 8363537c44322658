"""Reading requests strictly: what a vendor's reference does not have is a complaint."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from typing import Any

from pydantic import TypeAdapter, ValidationError

Json = Any


class Complaints(list[str]):
    """What is wrong with a request, each with its path."""

    def keys(self, where: str, value: Json, needed: str, allowed: str = "") -> bool:
        """Whether `value` is an object with the keys in `needed`, and at most those in `allowed` besides."""
        if not isinstance(value, dict):
            self.append(f"{where} is no object: {value!r}")
            return False
        must, may = set(needed.split()), set(allowed.split())
        for name in sorted(must - value.keys()):
            self.append(f"{where}.{name} is missing")
        for name in sorted(value.keys() - must - may):
            self.append(f"{where}.{name} is not to be there: {json.dumps(value[name])[:80]}")
        return must <= value.keys()

    def by_type(self, where: str, adapter: TypeAdapter[Any], value: Json) -> None:
        """The vendor's own type of it; its lazily read lists are read."""
        try:
            _exhaust(adapter.validate_python(value))
        except ValidationError as error:
            first = error.errors()[0]
            at = ".".join(str(step) for step in first["loc"])
            self.append(f"{where} is not of the vendor's type: {at}: {first['msg']}")

    def one_of(self, where: str, value: Json, *allowed: Json) -> None:
        if value not in allowed:
            self.append(f"{where} is {value!r}, not one of {allowed}")

    def arguments(self, where: str, text: Json) -> Json:
        """The JSON object in a string, as calls have it."""
        try:
            found = json.loads(text)
        except (ValueError, TypeError):
            found = None
        if not isinstance(found, dict):
            self.append(f"{where} is no JSON object in a string: {text!r}")
        return found

    def picture(self, where: str, url: Json) -> str:
        """A URL with http(s), or data: with base64."""
        if not isinstance(url, str):
            self.append(f"{where} is no string: {url!r}")
            return ""
        if url.startswith("data:"):
            head, _, data = url.partition(",")
            if not head.startswith("data:image/") or not head.endswith(";base64"):
                self.append(f"{where} begins with {head!r}")
            self.base64(where, data)
        elif not url.startswith(("http://", "https://")):
            self.append(f"{where} is no URL: {url[:40]!r}")
        return url

    def base64(self, where: str, data: str) -> None:
        try:
            base64.b64decode(data, validate=True)
        except ValueError:
            self.append(f"{where} is no base64: {data[:40]!r}")


def _exhaust(value: Any) -> None:
    if isinstance(value, dict):
        for one in value.values():
            _exhaust(one)
    elif isinstance(value, Iterable) and not isinstance(value, str | bytes):
        for one in value:
            _exhaust(one)
