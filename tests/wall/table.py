"""The scorecard in words: a line a scenario, the failures with their reasons, the figures, and `N/M pass`."""

from __future__ import annotations

from statistics import quantiles
from typing import Final

from wall.cases import ALL, Scenario
from wall.runner import Result, Verdict

_HEADS: Final = tuple(f"{form.dialect}{'' if form.streamed else ' whole'}" for form in ALL)
_ABOUT: Final = """# Scorecard

What clients of `pointsman up` see when models fail. Behind it stands a fake provider in which the model's name picks
the fault; it is asked over HTTP in each dialect, streamed and whole, and a strict reader judges each answer: the right
text, whole, once, with one end, in the dialect's grammar, in time, and no target hammered. S01 to S16 are the published
catalogue of gateway failover with its thresholds, the rest are ours. `make scorecard` makes this page again.

"""
_CROSSED: Final = (
    "with targets of which none speaks its client's dialect, so that every request and every answer is translated"
)


def lines(result: Result) -> list[str]:
    """For a terminal; the last line is the sum."""
    width = max(len(scenario.title) for scenario in result.scenarios)
    head = f"{'':4} {'':{width}} " + " ".join(f"{name:>15}" for name in _HEADS)
    rows = [
        f"{scenario.ident:4} {scenario.title:{width}} " + " ".join(f"{cell:>15}" for cell in _cells(result, scenario))
        for scenario in result.scenarios
    ]
    return [head, *rows, "", *_failures(result), *figures(result), last(result)]


def markdown(result: Result, crossed: Result) -> str:
    """For docs/. `crossed`: of the run in which no target speaks its client's dialect."""
    head = ["| | Scenario | " + " | ".join(_HEADS) + " |", "|---|---|" + "---|" * len(_HEADS)]
    rows = [
        f"| {scenario.ident} | {scenario.title} | " + " | ".join(_cells(result, scenario)) + " |"
        for scenario in result.scenarios
    ]
    failures = [f"- {line}" for line in _failures(result) if line]
    figured = [f"- {line}" for line in figures(result)]
    again = "\n".join([*(f"- {line}" for line in _failures(crossed) if line), f"**{last(crossed)}** {_CROSSED}"])
    parts = ["\n".join([*head, *rows]), "\n".join(failures), "\n".join(figured), f"**{last(result)}**", again]
    return _ABOUT + "\n\n".join(part for part in parts if part) + "\n"


def last(result: Result) -> str:
    return f"{result.passed}/{len(result.verdicts)} pass"


def figures(result: Result) -> list[str]:
    """What was measured on the way."""
    rescues = sorted(second for verdict in result.verdicts for second in verdict.rescues)
    hopeless = {scenario.ident for scenario in result.scenarios if scenario.hopeless}
    cut = sum(verdict.cut for verdict in result.verdicts if verdict.scenario not in hopeless)
    rescued = sum(verdict.rescued for verdict in result.verdicts if verdict.scenario not in hopeless)
    told = [f"streams cut after their first output that may be rescued: {cut}, rescued {rescued}"]
    if len(rescues) > 1:
        cuts = quantiles(rescues, n=100, method="inclusive")
        told.append(
            f"from a fault to the next target's first byte: p50 {cuts[49] * 1e3:.1f} ms, p99 {cuts[98] * 1e3:.0f} ms, "
            f"of {len(rescues)}"
        )
    for ident, what in (("S06", "no answer at all"), ("S07", "a late first token"), ("S09", "a stall of 30 s")):
        took = [verdict.seconds for verdict in result.verdicts if verdict.scenario == ident]
        if took:
            told.append(f"{what}: an answer after {max(took):.1f} s at most")
    return [*told, f"run in {result.seconds:.0f} s"]


def _cells(result: Result, scenario: Scenario) -> list[str]:
    by_form = {verdict.form: verdict for verdict in result.verdicts if verdict.scenario == scenario.ident}
    return [_cell(by_form.get(form)) for form in ALL]


def _cell(verdict: Verdict | None) -> str:
    if verdict is None:
        return "--"
    return "FAIL" if verdict.reasons else "ok"


def _failures(result: Result) -> list[str]:
    failed = [
        f"{verdict.scenario} {verdict.form.name}: {'; '.join(verdict.reasons)[:600]}"
        for verdict in result.verdicts
        if verdict.reasons
    ]
    return [*failed, *result.troubles, *([""] if failed or result.troubles else [])]
