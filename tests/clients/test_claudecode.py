"""Claude Code through the gateway, onto each dialect."""

from pathlib import Path

import pytest

from clients.yard import FILE, NOTE, WORD, Yard, errand
from matrix.speech import DIALECTS, MESSAGES
from testbed import claudecode

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize("dead", [False, True], ids=["healthy", "dead"])
@pytest.mark.parametrize("backend", DIALECTS)
async def test_it_runs_an_errand(yard: Yard, tmp_path: Path, backend: str, dead: bool) -> None:
    """`claude -p` calls a tool, hands back what that gave, and says what is answered to it."""
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / FILE).write_text(NOTE)
    prompt = f"What does note.txt say, in the folder {tmp_path / 'work'}"
    ran = await claudecode.ask(tmp_path, yard.url, errand(backend, dead=dead), prompt)
    assert ran.status == 0, str(ran)
    told = ran.document
    assert (told["is_error"], told["num_turns"], told["stop_reason"]) == (False, 2, "end_turn"), str(ran)
    assert WORD in told["result"]
    usage = told["modelUsage"][errand(backend, dead=dead)]
    assert (usage["inputTokens"], usage["cacheReadInputTokens"]) == (1100, 1000)
    seen = yard.seen(backend)
    if backend != MESSAGES:
        assert [complaint for one in seen for complaint in one.complaints] == []
