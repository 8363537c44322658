"""The matrix in words: a line a case, the failures with their reasons, and `N/M pass`."""

from __future__ import annotations

from typing import Final

from matrix.cases import Case
from matrix.runner import Result, Verdict
from matrix.speech import DIALECTS

_PAIRS: Final = [(client, backend) for client in DIALECTS for backend in DIALECTS]
_ABOUT: Final = """# Matrix

Every client before every backend, through `pointsman up`. Clients are the official SDKs with their stream helpers:
OpenAI's on chat completions and on Responses, Anthropic's on Messages. Behind the gateway stands a scripted server,
which reads each request by the vendor's own types, refuses what the vendor's reference does not have, and answers as
the vendor documents it. A cell is passed when the server was asked what the client meant, and the client's SDK says
what the server said: text, thoughts apart from it, calls with their arguments, why it ended, tokens, cached ones among
them. Streams are judged event by event too, those of Responses by the schema of the open specification.

`ok`: whole and streamed. `refused`: the backend's dialect cannot say it, so the target is passed over, with a word in
the header. `--`: does not apply. `make matrix` makes this page again.

"""


def lines(result: Result) -> list[str]:
    """For a terminal; the last line is the sum."""
    width = max(len(case.title) for case in result.cases)
    head = f"{'':{width}} " + " ".join(f"{client[:4] + '>' + backend[:4]:>9}" for client, backend in _PAIRS)
    rows = [f"{case.title:{width}} " + " ".join(f"{cell:>9}" for cell in _cells(result, case)) for case in result.cases]
    return [head, *rows, "", *_failures(result), f"run in {result.seconds:.0f} s", last(result)]


def markdown(result: Result) -> str:
    """For docs/."""
    head = "| A client of | " + " | ".join(f"{client} → {backend}" for client, backend in _PAIRS) + " |"
    rows = [f"| {case.title} | " + " | ".join(_cells(result, case)) + " |" for case in result.cases]
    failures = [f"- {line}" for line in _failures(result) if line]
    parts = ["\n".join([head, "|---|" + "---|" * len(_PAIRS), *rows]), "\n".join(failures), f"**{last(result)}**"]
    return _ABOUT + "\n\n".join(part for part in parts if part) + "\n"


def last(result: Result) -> str:
    return f"{result.passed}/{len(result.verdicts)} pass"


def _cells(result: Result, case: Case) -> list[str]:
    of_case = [verdict for verdict in result.verdicts if verdict.case == case.name]
    return [_cell([one for one in of_case if (one.client, one.backend) == pair]) for pair in _PAIRS]


def _cell(verdicts: list[Verdict]) -> str:
    if not verdicts:
        return "--"
    if not any(verdict.reasons for verdict in verdicts):
        return "refused" if verdicts[0].refused else "ok"
    return "FAIL" if all(verdict.reasons for verdict in verdicts) else "half"


def _failures(result: Result) -> list[str]:
    failed = [
        f"{one.case} {one.client} → {one.backend} {one.mode}: {'; '.join(one.reasons)[:600]}"
        for one in result.verdicts
        if one.reasons
    ]
    return [*failed, *result.troubles, *([""] if failed or result.troubles else [])]
