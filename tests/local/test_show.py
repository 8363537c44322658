"""`pointsman render` and `explain` name what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from local.reports import fleet
from pointsman.__main__ import main


def test_what_is_refused_is_named_beside_the_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """On standard error, with the reason; 1, as no provider is left."""
    path = str(
        fleet(tmp_path, "http://127.0.0.1:1", models=[{"id": "tiny", "compat": {"openRouterRouting": {"zdr": True}}}])
    )
    assert main(["render", path]) == 1
    said = capsys.readouterr()
    assert (
        "warning: provider box is refused: InvalidSpec: spec.models[0].compat.openRouterRouting: only for" in said.err
    )
    assert json.loads(said.out)["providers"] == []
    main(["explain", path, "one"])
    assert "provider box is refused" in capsys.readouterr().err


def test_what_is_accepted_is_not_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """0, and nothing on standard error."""
    assert main(["render", str(fleet(tmp_path, "http://127.0.0.1:1"))]) == 0
    assert capsys.readouterr().err == ""
