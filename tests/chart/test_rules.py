"""The alerts: their logic by promtool, their pages by looking."""

import subprocess
from pathlib import Path

import pytest
import yaml

from pointsman.controller.metrics import Metrics, _families
from testbed import tools

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
RULES = ROOT / "charts" / "pointsman" / "files" / "rules.yaml"
ALERTS = {rule["alert"]: rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]}


@pytest.fixture(scope="module")
def promtool() -> Path:
    """Prometheus's own tool, out of Debian's package."""
    found = tools.promtool()
    if found is None:
        pytest.skip("no promtool: neither on PATH nor to be had as a Debian package")
    return found


def test_rules_are_sound(promtool: Path) -> None:
    """Promtool reads every expression and template."""
    done = subprocess.run([promtool, "check", "rules", RULES], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr + done.stdout


def test_alerts_fire_when_they_must_and_only_then(promtool: Path) -> None:
    """rules_test.yaml: each fires, does not fire, and is silent without its series."""
    command = [str(promtool), "test", "rules", str(HERE / "rules_test.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr + done.stdout


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_is_tested_and_has_a_page(alert: str) -> None:
    """A page that says what it means, how to look, how to mend; a promtool test that fires and one that does not."""
    page = ROOT / ALERTS[alert]["annotations"]["runbook_url"]
    assert page == ROOT / "docs" / "runbooks" / f"{alert}.md"
    text = page.read_text()
    assert all(heading in text for heading in (f"# {alert}", "## What it means", "## How to look", "## How to mend"))
    assert "kubectl" in text
    tests = yaml.safe_load((HERE / "rules_test.yaml").read_text())["tests"]
    expected = [t["exp_alerts"] for each in tests for t in each["alert_rule_test"] if t["alertname"] == alert]
    assert any(expected)
    assert not all(expected)


@pytest.mark.parametrize("alert", ALERTS)
def test_alerts_ask_for_metrics_that_the_operator_has(alert: str) -> None:
    """An alert on a misspelt metric would be silent for ever."""
    counters = {f"{family.name}_total" for family in Metrics().registry.collect()}
    known = {f"pointsman_{name}" for name in _families()} | counters | {"pointsman_queue_depth"}
    words = "".join(c if c.isalnum() or c == "_" else " " for c in ALERTS[alert]["expr"]).split()
    asked = {word for word in words if word.startswith("pointsman_")}
    assert asked
    assert asked <= known
