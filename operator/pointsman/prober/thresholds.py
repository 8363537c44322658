"""From the findings of single probes to a provider's standing, and when to look again. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from pointsman.served import Probed, State

if TYPE_CHECKING:
    from pointsman.served import Finding, ServedModel

# The server answers and says that it serves nobody: another probe would hear the same, so no threshold applies.
AT_ONCE: Final = frozenset({"Unauthorized", "Forbidden", "QuotaExceeded", "ModelLoading", "Asleep"})
_PATIENT: Final = AT_ONCE - {"ModelLoading"}  # mended by people: asking more often helps nobody, and may lock a key
_SILENT: Final = "EngineStalled"
_BUSY: Final = "RateLimited"  # reachable and willing, only not now
_LONG: Final = 60.0
_DEAD_AFTER: Final = 30  # failures in a row


@dataclass(frozen=True, slots=True)
class Settings:
    """`period` in seconds; `steady`: the object states the period, so a dead server is not asked less often.

    `patience` is the threshold for an engine that only gives no sign of life: how many it takes differs by its kind.
    """

    period: float = 10.0
    failure_threshold: int = 3
    patience: int = 3
    success_threshold: int = 1
    steady: bool = False


def fold(previous: Probed, finding: Finding, now: float, latency: float, settings: Settings) -> Probed:
    """The standing after one more probe. `now` and `latency` in seconds.

    The first result counts at once either way; after that Down takes `failure_threshold` failures in a row, or one
    that leaves no doubt, and Up `success_threshold` successes. Models are those of the last success, also if none.
    """
    if finding.ok or finding.reason == _BUSY:
        return _succeeded(previous, finding, now, latency, settings.success_threshold)
    failures = previous.failures + 1
    base = replace(
        previous, failures=failures, successes=0, latency=latency, credentials_valid=_credentials(previous, finding)
    )
    threshold = settings.patience if finding.reason == _SILENT else settings.failure_threshold
    sure = finding.certain or finding.reason in AT_ONCE
    held = previous.state is State.UP and failures < threshold and not sure
    return base if held else _standing(base, State.DOWN, finding)


def news(previous: Probed, now: Probed) -> bool:
    """Whether anything changed that a status or a table shows; counters and times change with every probe."""
    return replace(previous, failures=0, successes=0) != replace(now, failures=0, successes=0)


def next_due(probed: Probed, settings: Settings, jitter: float) -> float:
    """Seconds until the next probe. `jitter` in 0..1 spreads probes by a tenth of the period either way.

    After a failure soon (1, 2, 4 s ...), so that a dead server is noticed and one that is back too, up to the period;
    a server that stays dead is asked less and less often, every minute at last.
    """
    return _delay(probed, settings) * (0.9 + 0.2 * min(max(jitter, 0.0), 1.0))


def _delay(probed: Probed, settings: Settings) -> float:
    if probed.reason == _BUSY:
        return max(settings.period, _LONG)
    if not probed.failures or probed.reason in _PATIENT:
        return settings.period
    soon = 2.0 ** min(probed.failures - 1, 16)
    if settings.steady or probed.failures <= _DEAD_AFTER:
        return min(soon, settings.period)
    longer = settings.period * 2.0 ** min(probed.failures - _DEAD_AFTER, 16)
    return max(settings.period, min(longer, _LONG))


def _succeeded(previous: Probed, finding: Finding, now: float, latency: float, threshold: int) -> Probed:
    # Counting further than the threshold would only make equal standings differ.
    successes = min(previous.successes + 1, threshold)
    base = replace(
        previous,
        failures=0,
        successes=successes,
        latency=latency,
        last_ok=now,
        credentials_valid=_credentials(previous, finding),
    )
    if finding.ok:
        base = replace(base, models=_models(previous, finding), models_known=True)
    # A busy answer is no proof that refused credentials are good now.
    refused = finding.reason == _BUSY and previous.reason in _PATIENT
    held = previous.state is State.DOWN and (successes < threshold or refused)
    return base if held else _standing(base, State.UP, finding)


def _standing(base: Probed, state: State, finding: Finding) -> Probed:
    # The message stays while the reason does: error texts differ from one answer to the next, in ids and times.
    if (base.state, base.reason) == (state, finding.reason):
        return base
    return replace(base, state=state, reason=finding.reason, message=finding.message)


def _credentials(previous: Probed, finding: Finding) -> bool | None:
    """What the finding tells. One that cannot tell changes nothing, unless it is a success after a refusal."""
    if finding.credentials_valid is not None:
        return finding.credentials_valid
    return None if finding.ok and previous.credentials_valid is False else previous.credentials_valid


def _models(previous: Probed, finding: Finding) -> tuple[ServedModel, ...]:
    """In order of id, as servers list in any order. A window that is told while a model is loaded is remembered."""
    windows = {model.id: model.context_window for model in previous.models}
    return tuple(
        replace(model, context_window=model.context_window or windows.get(model.id, 0))
        for model in sorted(finding.models, key=lambda model: model.id)
    )
