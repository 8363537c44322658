"""The sixteen scenarios of the published catalogue of gateway failover, with its thresholds."""

from __future__ import annotations

from typing import Final

from wall.cases import Scenario
from wall.drives import once, series, then_alive
from wall.judge import accounted, all_of, attempts, by_form, first_token, refused, returned, whole, within

CATALOGUE: Final = (
    Scenario("S01", "429 with Retry-After, once", ("once-429", "ok"), whole(), once),
    Scenario("S02", "429, always", ("status-429", "ok"), whole(), once),
    Scenario("S03", "500, once", ("once-500", "ok"), whole(), once),
    Scenario("S04", "503, always", ("status-503", "ok"), whole(), once),
    Scenario("S05", "reset before the head", ("reset", "ok"), whole(), once),
    Scenario(
        "S06", "no answer for 120 s", ("silent", "ok"), all_of(whole(), within(100), attempts(0, 1, 1)), once,
        limit=105, long=True,
    ),
    Scenario(
        "S07", "first token after 20 s", ("late-20", "ok"),
        all_of(whole(), by_form(first_token(15), within(45))), once, long=True,
    ),
    Scenario("S08", "cut after 40 of 60 words", ("cut-40", "ok"), whole(), once),
    Scenario("S09", "stall of 30 s", ("pause-40", "ok"), all_of(whole(), within(45)), then_alive, long=True),
    Scenario("S10", "malformed event in mid-answer", ("broken-40", "ok"), whole(), once),
    Scenario("S11", "the last event never comes", ("unfinished-open", "ok"), all_of(whole(), within(8)), once),
    Scenario("S12", "400 context_length_exceeded", ("context", "ok"), whole(), once),
    Scenario(
        "S13", "400 content policy: the client's to hear", ("policy", "ok"),
        all_of(refused(400, "content_policy"), attempts(0, 1, 1), attempts(1, 0, 0)), once,
    ),
    Scenario("S14", "cut, and the fallback takes no prefill", ("cut-40", "ok-noprefill"), whole(), once),
    Scenario(
        "S15", "503 for 60 s, 20 requests, and back", ("outage-60", "ok"), all_of(whole(), returned(30, 60)),
        series(20, 4.0, 92.0), long=True,
    ),
    Scenario("S16", "accounting", ("status-503", "ok"), all_of(whole(), accounted(1)), once),
)  # fmt: skip
