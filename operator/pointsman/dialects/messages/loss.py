"""What a request of another dialect loses in Messages: knobs are dropped and named, all else is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pointsman.dialects import features, notes
from pointsman.dialects.messages import forms, knobs, models, target, thinking
from pointsman.dialects.messages.blocks import HOME
from pointsman.names import Dialect
from pointsman.neutral import Image, Loss, Refused, Role, ToolResult

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pointsman.dialects.messages.models import Claude
    from pointsman.neutral import Form, Part, Request
    from pointsman.table import Model, Provider

_PICTURES: Final = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})
_TURNS: Final = {Dialect.RESPONSES: "input"}


def loss(request: Request, model: Model, provider: Provider) -> Loss:
    """Everything that `write_request` cannot say. A request that came in Messages loses nothing."""
    if request.home is HOME:
        return Loss()
    found = features.of(request)
    claude = models.of(model, provider)
    refused = [
        *found.refused,
        *features.content(request, HOME),
        *_content(request, provider),
        *_tools(request, claude),
        *_form(request, claude, provider),
    ]
    if request.choices > 1:
        name = features.name(request.home, "choices")
        refused.append(Refused("choices", f"`{name}`: Messages gives one answer at a time"))
    if claude is not None and not claude.prefill and _begun(request):
        refused.append(Refused("prefill", f"{model.id} takes no last message of the assistant's"))
    unsaid = notes.unsaid(request, HOME)
    dropped = [
        *found.dropped,
        *unsaid,
        *(features.name(request.home, field) for field in _knobs(request, model, provider)),
    ]
    return Loss(tuple(dict.fromkeys(dropped)), tuple(refused))


def _knobs(request: Request, model: Model, provider: Provider) -> list[str]:
    plan = thinking.plan(request, model, provider, knobs.limit(request, model))
    strict = ["tools.strict"] if any(tool.strict for tool in request.tools) else []
    return knobs.write(request, model, provider, plan)[1] + strict


def _content(request: Request, provider: Provider) -> Iterator[Refused]:
    early = target.head(request.turns)
    for i, turn in enumerate(request.turns):
        where = f"{_TURNS.get(request.home, 'messages')}[{i}]"
        for part in turn.parts:
            if isinstance(part, ToolResult):
                yield from (no for inner in part.parts for no in _part(inner, where, provider))
            elif isinstance(part, Image) and (i < early or turn.role is Role.ASSISTANT):
                yield Refused("image", f"{where}: Messages takes pictures from the user alone")
            else:
                yield from _part(part, where, provider)


def _part(part: Part, where: str, provider: Provider) -> Iterator[Refused]:
    if isinstance(part, Image) and not _is_picture(part.url, provider):
        yield Refused(
            "image", f"{where}: Messages takes a picture by an http(s) URL, or JPEG, PNG, GIF or WebP in base64"
        )


def _is_picture(url: str, provider: Provider) -> bool:
    head, mark, _ = url.partition(";base64,")
    if mark and head.startswith("data:"):
        media = head.removeprefix("data:").partition(";")[0].lower()
        return media in _PICTURES or (media.startswith("image/") and not provider.native)
    return url[:8].lower().startswith(("http://", "https://"))


def _tools(request: Request, claude: Claude | None) -> Iterator[Refused]:
    name = features.name(request.home, "choice")
    if claude is not None and not claude.forced and thinking.is_forced(request):
        yield Refused("tool-choice", f"`{name}`: this model cannot be made to call a tool")


def _form(request: Request, claude: Claude | None, provider: Provider) -> Iterator[Refused]:
    form: Form | None = request.form
    if form is None:
        return
    name = features.name(request.home, "form")
    if not isinstance(form.schema, dict):
        yield Refused("json-object", f"`{name}`: Messages has JSON by a schema alone")
    elif not provider.native or claude is None or not claude.schema:
        yield Refused("json-schema", f"`{name}`: this target holds no answer in Messages to a schema")
    else:
        try:
            forms.fitted(form.schema)
        except forms.UnfitError as error:
            yield Refused("json-schema", f"`{name}`: Anthropic takes no such schema: {error}")


def _begun(request: Request) -> bool:
    """Whether the last that is said is the assistant's."""
    last = next((turn for turn in reversed(request.turns) if turn.parts), None)
    return last is not None and last.role is Role.ASSISTANT
