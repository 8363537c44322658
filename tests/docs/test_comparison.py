"""docs/comparison.md claims nothing that no test shows."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROWS = [
    line.split(" | ")
    for line in (ROOT / "docs" / "comparison.md").read_text().splitlines()
    if line.startswith("| ") and line.count(" | ") == 3 and not line.startswith("| |")
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0].removeprefix("| ").replace(" ", "-"))
def test_every_row_names_tests_that_are_there(row: list[str]) -> None:
    """A file or folder of tests; where a test is named, the file holds it."""
    named = re.findall(r"`(tests/[\w/]+(?:\.py)?)(?:::(\w+))?`", row[-1])
    assert named, row[0]
    for path, test in named:
        assert (ROOT / path).exists(), path
        assert not test or f"def {test}(" in (ROOT / path).read_text(), f"{path}::{test}"


def test_there_are_rows() -> None:
    """The pattern above fits the page."""
    assert len(ROWS) > 20
