"""What came out, for a terminal and for docs/."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from typing import Final

from differential.findings import SECTIONS, Finding
from differential.gateways import OURS, THEIRS, VERSION
from differential.runner import Outcome

_ABOUT: Final = f"""# Our translation beside LiteLLM's

The same requests of the three dialects' clients, through Pointsman and through LiteLLM {VERSION}, to the same scripted
vendors of the two other dialects. Clients are the official SDKs with their stream helpers. Looked at are what the
vendor was asked, by the vendors' own types and documentation, and what the client got. Both gateways run as they come;
LiteLLM's backends are `openai/`, `openai/responses/` and `anthropic/`, with `use_chat_completions_api` for Responses
clients of chat and `use_chat_completions_url_for_anthropic_messages` for Messages clients of chat. The models are
gpt-4.1, gpt-5.1 and claude-sonnet-4-6. Messages clients that think are taken to Responses by LiteLLM even then, so that
this pair is not compared for reasoning. With models of other makers, or other settings, LiteLLM may do otherwise.

`PYTHONPATH=operator:tests python -m differential --write docs/translation-beside-litellm.md` makes this page again.

"""


_STREAMS: Final = """## Every stream

Breaches of the client's dialect on the wire, which the SDKs forgive and other clients may not. The four that most
streams have; they are not counted as differences of an input.
"""


def last(outcomes: Iterable[Outcome]) -> str:
    """The sum."""
    all_of = list(outcomes)
    same = sum(one.same for one in all_of)
    return f"{len(all_of)} inputs, {same} same, {len(all_of) - same} different"


def lines(outcomes: list[Outcome], *, bodies: bool = False) -> list[str]:
    """What is wrong behind either gateway, an input each; the last line is the sum."""
    told = [one for one in outcomes if not one.same or one.wrong[OURS]]
    return [*(line for one in told for line in _lines(one, bodies=bodies)), *_unexplained(outcomes), last(outcomes)]


def _lines(one: Outcome, *, bodies: bool) -> list[str]:
    said = [f"{one.input.slug}: right: {one.right}{' (same)' if one.same else ''}"]
    said += [f"    {name}: {line[:400]}" for name in (OURS, THEIRS) for line in one.wrong[name]]
    if bodies:
        for name in (OURS, THEIRS):
            seen = one.seen[name]
            said += [f"    {name} asked {json.dumps(body, ensure_ascii=False)[:3000]}" for body in seen.asked]
            said.append(f"    {name} status {seen.last.status} {seen.last.decision} got {seen.said[:3000]}")
    return said


def markdown(outcomes: list[Outcome]) -> str:
    """The page."""
    parts = [_sums(outcomes), _streams(outcomes), *(_section(title, of, outcomes) for title, of in SECTIONS)]
    rest = _unexplained(outcomes)
    parts += ["## Not explained yet\n\n" + "\n".join(f"- {line}" for line in rest)] if rest else []
    return _ABOUT + "\n\n".join(parts) + f"\n\n**{last(outcomes)}**\n"


_RIGHT: Final = {
    "both": "said otherwise, and either is right",
    "more": "refused by Pointsman with a reason, carried by LiteLLM",
    "less": "refused by LiteLLM with a reason, carried by Pointsman",
    "ours": "Pointsman alone is right",
    "theirs": "LiteLLM alone is right",
    "neither": "neither is right",
}


def _kind(one: Outcome) -> str:
    if one.right != "both":
        return one.right
    ours, theirs = one.seen[OURS].refused, one.seen[THEIRS].refused
    return "both" if ours == theirs else "more" if ours else "less"


def _sums(outcomes: list[Outcome]) -> str:
    same = Counter("both" if one.right == "both" else "neither" for one in outcomes if one.same)
    kinds = Counter(_kind(one) for one in outcomes if not one.same)
    rows = [f"| the same, and right | {same['both']} |", f"| the same, and neither is right | {same['neither']} |"]
    rows += [f"| {says} | {kinds[kind]} |" for kind, says in _RIGHT.items()]
    return "\n".join(["| | inputs |", "|---|---|", *rows])


def _streams(outcomes: list[Outcome]) -> str:
    rows: list[str] = []
    for client in ("chat", "responses", "messages"):
        streams = [one for one in outcomes if one.input.stream and one.input.client == client]
        for name in (OURS, THEIRS):
            read = [one.seen[name] for one in streams if one.seen[name].last.wire and not one.seen[name].last.error]
            found = Counter(line for seen in read for line in dict.fromkeys(seen.breaches))
            said = "; ".join(f"{line} ({count})" for line, count in found.most_common(4)) or "none"
            rows.append(f"| {client} | {name} | {len(read)} | {said} |")
    head = _STREAMS
    return "\n".join(
        [head, "| client | gateway | streams | breaches (streams that have them) |", "|---|---|---|---|", *rows]
    )


def _section(title: str, findings: tuple[Finding, ...], outcomes: list[Outcome]) -> str:
    rows = [row for finding in findings if (row := _row(finding, outcomes))]
    head = "| inputs | how many | Pointsman right | LiteLLM right | what happens |"
    return "\n".join([f"## {title}\n", head, "|---|---|---|---|---|", *rows])


def _row(finding: Finding, outcomes: list[Outcome]) -> str:
    of = [one for one in outcomes if one.input.topic.name in finding.topics]
    if not of:
        return ""
    ours, theirs = (sum(not one.wrong[name] for one in of) for name in (OURS, THEIRS))
    return f"| {', '.join(finding.topics)} | {len(of)} | {ours} | {theirs} | {finding.says} |"


def _unexplained(outcomes: list[Outcome]) -> list[str]:
    known = {topic for _, findings in SECTIONS for finding in findings for topic in finding.topics}
    names = dict.fromkeys(one.input.topic.name for one in outcomes if not one.same or one.wrong[OURS])
    return [f"{name}: differs, and no sentence says why" for name in names if name not in known]
