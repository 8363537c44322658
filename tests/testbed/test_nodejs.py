"""Node.js and its packages come from the cache, pinned."""

import json
import subprocess

from testbed import aimock, nodejs


def test_the_node_is_the_pinned_one() -> None:
    """Whatever else this machine has."""
    said = subprocess.run([str(nodejs.node()), "--version"], capture_output=True, text=True, check=True).stdout
    assert said.strip() == f"v{nodejs.VERSION}"


def test_a_package_is_there_in_its_version_and_runs() -> None:
    """Its programs are run by that node, with no script of it run at the installation."""
    folder = nodejs.npm_package(*aimock.PACKAGE)
    described = json.loads((folder / "node_modules" / aimock.PACKAGE[0] / "package.json").read_text())
    assert described["version"] == aimock.PACKAGE[1]
    command = [*nodejs.script(folder, "llmock"), "--help"]
    done = subprocess.run(command, env=nodejs.environment(), capture_output=True, text=True, check=True)
    assert "--chaos-drop" in done.stdout
