"""What `pointsman doctor` looks at and says: a provider as its patient, and checks, each with its remedy."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from pointsman.dialects.errors import read_error
from pointsman.fleet import openclaw_hosts
from pointsman.fleet.seen import normalised, speaks
from pointsman.kinds import kind
from pointsman.names import PROXIES, Location

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pointsman.api.provider import ModelEntry
    from pointsman.fleet.world import Provider
    from pointsman.names import Dialect, ProviderType
    from pointsman.served import Answer

Json = dict[str, Any]
_EXCERPT: Final = 160


class Grade(StrEnum):
    """How a check went. Only BROKEN makes the doctor's exit status 1."""

    WELL = "well"
    NOTE = "note"  # neither good nor bad: what could not be found out, or was not asked
    WARNING = "warning"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at. `name` is stable; `text` says what was found, `remedy` in one line what to do."""

    name: str
    grade: Grade
    text: str
    remedy: str = ""
    model: str = ""  # "": of the server as a whole


@dataclass(frozen=True, slots=True)
class Asked:
    """An answer, and how many seconds it took."""

    answer: Answer
    seconds: float = 0.0

    @property
    def fault(self) -> str:
        """Why it is no answer to the question, in one line: what the server said, or what became of the request."""
        if not self.answer.status:
            return self.answer.message or self.answer.error
        said = read_error(self.answer.status, self.answer.body).message
        line = " ".join("".join(char if char.isprintable() else " " for char in said).split())[:_EXCERPT]
        return f"{self.answer.status}: {line}" if line else str(self.answer.status)


@dataclass(frozen=True, slots=True)
class Patient:
    """A provider with an endpoint. `url` has no /v1; `models` is what its object states, by id."""

    name: str
    type: ProviderType
    url: str
    api: tuple[Dialect, ...]
    keyed: bool = False
    location: Location = Location.ON_PREMISES
    models: Mapping[str, ModelEntry] = field(default_factory=dict)

    @property
    def local(self) -> bool:
        """Reached without a network."""
        return openclaw_hosts.loopback(self.url)

    @property
    def external(self) -> bool:
        return self.location is Location.EXTERNAL

    def compat(self, model: str, key: str) -> Any:
        """What is stated of a model under a key of OpenClaw's compat; None: nothing."""
        entry = self.models.get(model)
        return (entry.compat or {}).get(key) if entry else None

    def set_model(self, model: str, what: str) -> str:
        """How to state something of a model, in an object and in OpenClaw's configuration."""
        return f'set {what} for "{model}" in spec.models[] (OpenClaw: models.providers.{self.name}.models[])'

    def set_provider(self, what: str, theirs: str) -> str:
        """The same of the provider; OpenClaw has another shape for it."""
        return f"set spec.{what} (OpenClaw: models.providers.{self.name}.{theirs})"


def patient(provider: Provider, *, keyed: bool) -> Patient | None:
    """The patient that a provider is; None for one that is refused, or deployed by the operator itself."""
    spec = provider.spec
    if spec is None or spec.endpoint is None:
        return None
    url = normalised(spec.endpoint.base_url)
    stated = spec.data_policy.location if spec.data_policy else None
    guessed = Location.EXTERNAL if kind(spec.type).hosted or spec.type in PROXIES else openclaw_hosts.location(url)
    models = {entry.id: entry for entry in spec.models or ()}
    return Patient(provider.meta.name, spec.type, url, speaks(spec), keyed, stated or guessed, models)
