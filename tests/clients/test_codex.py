"""Codex through the gateway, onto each dialect."""

from pathlib import Path

import pytest

from clients.yard import FILE, NOTE, WORD, Yard, errand
from matrix.speech import DIALECTS, RESPONSES
from testbed import codex

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize("dead", [False, True], ids=["healthy", "dead"])
@pytest.mark.parametrize("backend", DIALECTS)
async def test_it_runs_an_errand(yard: Yard, tmp_path: Path, backend: str, dead: bool) -> None:
    """`codex exec` calls a tool, hands back what that gave, and says what is answered to it."""
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / FILE).write_text(NOTE)
    ran = await codex.execute(tmp_path, yard.url, errand(backend, dead=dead), "What does note.txt say?")
    assert ran.status == 0, str(ran)
    messages = [line["item"]["text"] for line in ran.lines if line.get("item", {}).get("type") == "agent_message"]
    assert WORD in messages[-1], str(ran)
    [usage] = [line["usage"] for line in ran.lines if line["type"] == "turn.completed"]
    assert (usage["input_tokens"], usage["cached_input_tokens"]) == (2100, 1000)
    seen = yard.seen(backend)
    assert len(seen) == 2
    if backend != RESPONSES:
        assert [complaint for one in seen for complaint in one.complaints] == []
