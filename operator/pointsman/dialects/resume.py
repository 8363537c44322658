"""Taking up an answer that broke off: how a target is asked to, and what it is told that has been said already.

    steps   the ways to try at one target, in order          body    the request for one of them
    Joint   that target's stream and what was sent before, as one answer

What is asked for decides whether going on would be right. Only a replay is tried, the same request again,
    with several answers (`n`) or log probabilities: the client gets those of each token, and of none twice
    with a format or grammar to obey (JSON schema, `guided_*`) or a call that is required: servers let these begin at
        the first token that they generate, so that the rest alone would obey them, and not the whole
    where the conversation ends with words of the assistant (its own prefix), or lies on the server
    with reasoning that the request asks of Messages: vendors and engines refuse a prefix then
    after reasoning alone: it is not given back, and nothing has been said yet that could be gone on from; so the target
        need not reason alike: its own answer will do (see `joint`)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

import msgspec
from msgspec import Raw

from pointsman import dialects
from pointsman.dialects.cut import cut
from pointsman.dialects.joint import Joint, rest_after
from pointsman.dialects.translation import Translation
from pointsman.names import Dialect, Way

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pointsman.dialects.told import Told
    from pointsman.exchange import Head
    from pointsman.table import Model, Provider

__all__ = ["Joint", "Step", "body", "steps"]

_TURNS: Final = {Dialect.CHAT: "messages", Dialect.RESPONSES: "input", Dialect.MESSAGES: "messages"}
_BOUND: Final = ("max_tokens", "max_completion_tokens", "max_output_tokens")
_NONE: Final = frozenset({b"null", b"[]", b"{}", b'""', b"false", b"0"})
_ALONE: Final = {
    Dialect.CHAT: (
        "logprobs", "top_logprobs", "prompt_logprobs", "best_of", "audio", "prediction", "structured_outputs",
        "guided_json", "guided_regex", "guided_choice", "guided_grammar", "grammar", "json_schema",
        "continue_final_message", "min_tokens",
    ),
    Dialect.RESPONSES: ("top_logprobs", "previous_response_id", "conversation", "prompt", "background"),
    Dialect.MESSAGES: ("output_format", "container", "mcp_servers"),
}  # fmt: skip
"""Fields with which, if anything is in them, the answer is only replayed."""
_FREE: Final = (None, "auto", "none")


class Target(Protocol):
    """Who is to take the answer up."""

    @property
    def provider(self) -> Provider: ...
    @property
    def model(self) -> Model: ...
    @property
    def dialect(self) -> Dialect: ...


class Step(msgspec.Struct, frozen=True):
    """One way to have one target take the answer up."""

    home: Dialect  # of the client
    way: Way
    spoken: Dialect  # to the target
    prefix: str = ""  # what the target is told that it has said; "": nothing, a replay
    tokens: int = 0  # of the prefix, about
    reasoned: int = 0  # tokens of reasoning that the client was told, about

    @property
    def dialect(self) -> Dialect:
        """Whose answer is compared with what was told: the client's, but for the flags, which only chat has."""
        return Dialect.CHAT if self.way is Way.FLAGS else self.home

    @property
    def promised(self) -> bool:
        """Whether the target is known to go on from the prefix, even if it says it again first."""
        return self.way in {Way.FLAGS, Way.PREFILL}


def steps(way: Way, translation: Translation, told: Told, head: Head, target: Target) -> tuple[Step, ...]:
    """The ways to try at one target, in order; none: this answer cannot be taken up by anyone."""
    told.fold()
    if told.lost:
        return ()
    home = translation.home
    again = Step(home, Way.REPLAY, target.dialect)
    rest = rest_after(home, told)
    if way is Way.REPLAY or rest is None or not _may_go_on(home, head):
        return (again,)
    spoken = Dialect.CHAT if way is Way.FLAGS else target.dialect
    if way is Way.FLAGS and home is not Dialect.CHAT and not _says(translation, target):
        return (again,)
    text = "".join(rest.told)
    # A character that was torn apart cannot be gone on from.
    prefix = cut(text) if way is Way.TRY else "" if text.rstrip().endswith("\ufffd") else text.rstrip()
    if not prefix.strip():
        return (again,)
    tokens = _pieces_up_to(len(prefix), rest.told)
    return (Step(home, way, spoken, prefix, tokens, told.count() - len(rest.told)), again)


def body(step: Step, head: Head, target: Target) -> bytes:
    """The request for a step: its name for the model, clean, as every request for this target."""
    fields = head.fields
    if step.prefix:
        fields = _shortened(dict(fields), step.tokens + step.reasoned)
        fields[_TURNS[step.home]] = _with_prefix(step, _turns(step.home, fields))
    if step.spoken is not step.home:
        fields = Translation(step.home, fields).fields(step.spoken, target.model, target.provider)
    if step.way is Way.FLAGS:
        fields = fields | {"continue_final_message": Raw(b"true"), "add_generation_prompt": Raw(b"false")}
    return dialects.ALL[step.spoken].with_model(fields, target.model, target.provider)[0]


def _says(translation: Translation, target: Target) -> bool:
    """Whether chat can be spoken to a target, and says all of the request."""
    if Dialect.CHAT not in target.provider.api:
        return False
    return not translation.loss(Dialect.CHAT, target.model, target.provider).refused


def _with_prefix(step: Step, turns: list[Raw]) -> Raw:
    turn: dict[str, Any] = {"role": "assistant", "content": step.prefix}
    if step.home is Dialect.RESPONSES:
        content = [{"type": "output_text", "text": step.prefix, "annotations": []}]
        turn = {"type": "message", "role": "assistant", "status": "completed", "content": content}
    return Raw(msgspec.json.encode([*turns, turn]))


def _shortened(fields: dict[str, Raw], tokens: int) -> dict[str, Raw]:
    for name in _BOUND:
        if isinstance(bound := _value(fields, name), int):
            fields[name] = Raw(b"%d" % max(1, bound - tokens))
    return fields


def _may_go_on(home: Dialect, head: Head) -> bool:
    fields = head.fields
    if head.choices > 1 or any(bytes(fields[name]) not in _NONE for name in _ALONE[home] if name in fields):
        return False
    if not _free_form(fields) or not _free_choice(_value(fields, "tool_choice")):
        return False
    try:
        turns = _turns(home, fields)
        return bool(turns) and msgspec.json.decode(turns[-1], type=dict[str, Any]).get("role") != "assistant"
    except (ValueError, RecursionError, KeyError):
        return False


def _free_form(fields: Mapping[str, Raw]) -> bool:
    """Whether the answer may be any text, without reasoning that Messages asks for."""
    form, text = _value(fields, "response_format"), _value(fields, "text")
    inner = text.get("format") if isinstance(text, dict) else None
    thinking, effort = _value(fields, "thinking"), _value(fields, "output_config")
    shaped = any(isinstance(one, dict) and one.get("type") != "text" for one in (form, inner))
    thinks = isinstance(thinking, dict) and thinking.get("type") != "disabled"
    return not shaped and not thinks and not (isinstance(effort, dict) and effort.get("format"))


def _free_choice(choice: Any) -> bool:
    return (choice.get("type") if isinstance(choice, dict) else choice) in _FREE


def _turns(dialect: Dialect, fields: Mapping[str, Raw]) -> list[Raw]:
    raw = fields[_TURNS[dialect]]
    if dialect is Dialect.RESPONSES and bytes(raw).startswith(b'"'):
        return [Raw(b'{"role":"user","content":%b}' % bytes(raw))]
    return msgspec.json.decode(raw, type=list[Raw])


def _value(fields: Mapping[str, Raw], name: str) -> Any:
    if name not in fields:
        return None
    try:
        return msgspec.json.decode(fields[name])
    except (ValueError, RecursionError):
        return None


def _pieces_up_to(length: int, pieces: list[str]) -> int:
    total = 0
    for i, piece in enumerate(pieces):
        if total >= length:
            return i
        total += len(piece)
    return len(pieces)
