"""The tool calls of one answer, put together from their pieces to see whether they are whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from pointsman.exchange import Failure, FailureKind

if TYPE_CHECKING:
    from collections.abc import Hashable

    from pointsman.neutral import ToolCall

LIMIT: Final = 8 * 1024 * 1024  # characters of arguments, of all calls together

_JSON: Final = msgspec.json.Decoder(msgspec.Raw)  # reads nothing, but all of it


def _fault(text: str) -> Failure:
    return Failure(FailureKind.INVALID_RESPONSE, text)


UNREAD: Final = _fault("a tool call that cannot be read")
_NAMELESS: Final = _fault("a tool call without a name")
_NO_JSON: Final = _fault("a tool call whose arguments are not JSON")
_MISSING: Final = _fault("an answer that ends with a tool call, without one")
_TOO_LONG: Final = _fault(f"tool calls of more than {LIMIT} characters")


class _Call:
    __slots__ = ("free", "id", "name", "pieces")

    def __init__(self, *, free: bool) -> None:
        self.free = free
        self.id = self.name = ""
        self.pieces: list[str] = []


class Calls:
    """What is known of an answer's calls. Empty is false: there has been none."""

    __slots__ = ("_last", "_open", "_size", "_whole")

    def __init__(self) -> None:
        self._open: dict[Hashable, _Call] = {}
        self._whole: list[_Call] = []
        self._last: _Call | None = None
        self._size = 0

    def __bool__(self) -> bool:
        return self._last is not None

    def open(self, key: Hashable, name: str = "", ident: str = "", *, free: bool = False) -> None:
        """A call that begins, or is named again. `free`: its input is text of any kind.

        Some servers number all calls that they make at once alike: with a name and another id it is another call.
        """
        call = self._open.get(key)
        if call is not None and name and ident and call.id and ident != call.id:
            self._whole.append(call)
            call = None
        if call is None:
            call = self._open[key] = _Call(free=free)
        call.name = name or call.name
        call.id = ident or call.id
        self._last = call

    def add(self, key: Hashable, piece: str) -> None:
        """A further piece of a call's arguments; of the last call, if there is none of that key."""
        call = self._open.get(key, self._last)
        if call is not None and piece and self._size <= LIMIT:
            self._size += len(piece)
            call.pieces.append(piece)

    def settle(self, key: Hashable, arguments: str) -> None:
        """All of a call's arguments, whatever was told of them before."""
        call = self._open.get(key)
        if call is not None and arguments:
            self._size -= sum(map(len, call.pieces))
            call.pieces.clear()
            self.add(key, arguments)

    def fault(self, *, wanted: bool = False, cut: bool = False) -> Failure | None:
        """What is wrong with the calls of an answer that has come to its end.

        `wanted`: it says that it ends with a call. `cut`: it says that it was cut short by a limit, as the last call
        then may be, and would be everywhere.
        """
        if wanted and not self:
            return _MISSING
        if self._size > LIMIT:
            return _TOO_LONG
        for call in (*self._whole, *self._open.values()):
            if cut and call is self._last:
                continue
            if not call.name:
                return _NAMELESS
            if not call.free and not _is_json("".join(call.pieces)):
                return _NO_JSON
        return None


def is_cut(call: ToolCall) -> bool:
    """Whether a function's call was cut short within its arguments, as the last of an answer may be."""
    return not call.free and not _is_json(call.arguments)


def as_text(arguments: Any) -> str:
    """Arguments as text: some servers send an object where a text is due."""
    if isinstance(arguments, str):
        return arguments
    return "" if arguments is None else msgspec.json.encode(arguments).decode()


def _is_json(text: str) -> bool:
    if not text.strip():
        return True  # a call without arguments: clients read it as {}
    try:
        _JSON.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return True
