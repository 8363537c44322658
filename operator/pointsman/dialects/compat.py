"""A request as one model at one server takes it, by the model's `compat`, in OpenClaw's keys.

Each rule is about one key, edits a Draft in place, and names what the client asked for and does not get. Rules that
hold in more than one dialect are here, the others in `compat_chat`, `compat_responses` and `compat_messages`, each of
which has one function `shape`. It is called for models that state something, and for no others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import Raw

from pointsman.names import ProviderType

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pointsman.table import Model, Provider

Record = dict[str, Any]
_UNREAD: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_RECORD: Final = msgspec.json.Decoder(dict[str, Raw])
_RECORDS: Final = msgspec.json.Decoder(list[dict[str, Raw]])
_NOTHING: Final = frozenset({b"null", b"[]", b"{}", b'""', b"false"})
_HOLDING: Final = {
    "supportsStore": "store",
    "supportsPromptCacheKey": "prompt_cache_key",
    "supportsLongCacheRetention": "prompt_cache_retention",
}
"""Keys that say whether a server takes a field which only vendors are otherwise believed to take."""
_TOOLS: Final = ("tools", "tool_choice", "parallel_tool_calls", "functions", "function_call")


class Draft:
    """A request on its way to a target. `fields`: its top-level values, Raw as received or decoded where a rule asked.

    Lists of objects are decoded one level deep: what no rule looks at stays as it came, byte for byte.
    """

    __slots__ = ("compat", "dropped", "fields", "model")

    def __init__(self, fields: Record, model: Model) -> None:
        self.fields = fields
        self.model = model
        self.compat = model.compat
        self.dropped: list[str] = []

    def drop(self, name: str) -> None:
        """Leave a field out; it is named if it asked for something."""
        if name in self.fields and asks(self.fields.pop(name)):
            self.lose(name)

    def lose(self, name: str) -> None:
        """Name what the client asked for and does not get, once."""
        if name not in self.dropped:
            self.dropped.append(name)

    def records(self, name: str) -> list[Record]:
        """A field that is a list of objects, to be edited; empty where it is not there or something else."""
        given = self.fields.get(name)
        if isinstance(given, Raw):
            try:
                given = self.fields[name] = _RECORDS.decode(given)
            except _UNREAD:
                return []
        return given if isinstance(given, list) and all(isinstance(each, dict) for each in given) else []

    def record(self, name: str) -> Record | None:
        """A field that is an object, to be edited; None where it is not there or something else."""
        return record(self.fields, name)


def asks(given: Any) -> bool:
    """Whether a value asks for something: null, false and what is empty do not."""
    written = bytes(given) if isinstance(given, Raw) else msgspec.json.encode(given)
    return written not in _NOTHING


def value(raw: Any) -> Any:
    """A value, decoded if it is as received; None for what cannot be read."""
    if not isinstance(raw, Raw):
        return raw
    try:
        return msgspec.json.decode(raw)
    except _UNREAD:
        return None


def record(of: Record, name: str) -> Record | None:
    """A member that is an object, decoded one level deep and put back so, to be edited; None: it is none."""
    given = of.get(name)
    if isinstance(given, Raw):
        try:
            given = of[name] = _RECORD.decode(given)
        except _UNREAD:
            return None
    return given if isinstance(given, dict) else None


def apply(draft: Draft, rules: Sequence[tuple[str, Callable[[Draft, Any], None]]]) -> None:
    """Follow those of the rules whose key the model states, in their order."""
    compat = draft.compat
    for key, rule in rules:
        if key in compat:
            rule(draft, compat[key])


def kept(model: Model) -> frozenset[str]:
    """Fields that the model's server is stated to take, although only vendors are believed to."""
    return frozenset(name for key, name in _HOLDING.items() if model.compat.get(key) is True)


def refused(model: Model) -> frozenset[str]:
    """Fields that the model's server is stated not to take, the vendor itself or not."""
    return frozenset(name for key, name in _HOLDING.items() if model.compat.get(key) is False)


def keeps(fields: Record, provider: Provider) -> bool:
    """Whether a server that is not the vendor is told what the client says of keeping its answer.

    That nothing is to be kept is told to all, as proxies hand it on to who would. LM Studio keeps what it is not told
    not to, and is told either.
    """
    return provider.type == ProviderType.LMSTUDIO or value(fields.get("store")) is False


def vercel(model: Model) -> bool:
    """Whether it is stated who may answer behind Vercel's gateway."""
    return bool(model.compat.get("vercelGatewayRouting"))


def no_temperature(draft: Draft, stated: Any) -> None:
    """`supportsTemperature: false`."""
    if stated is False:
        draft.drop("temperature")


def no_tools(draft: Draft, stated: Any) -> None:
    """`supportsTools: false`: the schemas go. A request with tools only comes here where its route allows that."""
    if stated is False:
        for name in _TOOLS:
            draft.drop(name)


LONGEST_TTL: Final = 24 * 86400
"""Seconds: LM Studio counts milliseconds, and a timer of JavaScript's holds no more than 2^31 of them."""


def prolong(fields: Record, provider: Provider) -> None:
    """Put LM Studio's `ttl` in, in place, where its provider asks that models stay loaded and the client says none.

    The model that a request loads stays in memory for so many seconds after the last request to it. Its documentation
    tells of it for OpenAI's API, and not for Messages.
    """
    if provider.type == ProviderType.LMSTUDIO and "ttl" not in fields:
        asked = int(provider.keep_alive)
        fields["ttl"] = max(1, asked) if 0 <= asked < LONGEST_TTL else LONGEST_TTL
