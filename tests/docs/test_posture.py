"""docs/posture.md says what the code says."""

from pathlib import Path

from pointsman.fleet import posture

PAGE = Path(__file__).parent.parent.parent / "docs" / "posture.md"


def test_every_warning_is_explained() -> None:
    """To mend the page: `make docs`."""
    assert PAGE.read_text().endswith(posture.document())
