"""The doctor, called as people call it."""

from __future__ import annotations

import json

import pytest

from local.reports import Doctor, Report
from pointsman.__main__ import main


@pytest.fixture
def doctor(capsys: pytest.CaptureFixture[str]) -> Doctor:
    """Call it with arguments; the report must be of one server."""

    def run(*arguments: str) -> Report:
        status = main(["doctor", *arguments, "--json"])
        said = capsys.readouterr()
        body = json.loads(said.out)
        [provider] = body["providers"]
        assert body["ok"] is provider["ok"] is (status == 0)
        for check in provider["checks"]:
            assert check["remedy"] or check["grade"] in {"well", "note"}, check
            assert "\n" not in check["text"] + check["remedy"]
        return Report(status, provider["checks"])

    return run
