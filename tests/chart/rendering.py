"""The chart, rendered by a real helm."""

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from testbed import tools

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "pointsman"
NAMESPACE = "pointsman-system"

Object = dict[str, Any]


def helm(*arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run helm in the repository's root; standard output and error as text."""
    done = subprocess.run([tools.helm(), *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    assert not check or done.returncode == 0, done.stderr
    return done


@dataclass(frozen=True)
class Rendered:
    """What `helm template` gave."""

    text: str

    @property
    def objects(self) -> list[Object]:
        return [body for body in yaml.safe_load_all(self.text) if body]

    def kinds(self) -> list[str]:
        return sorted(body["kind"] for body in self.objects)

    def all(self, kind: str) -> list[Object]:
        return [body for body in self.objects if body["kind"] == kind]

    def one(self, kind: str, ending: str = "") -> Object:
        """The only object of a kind whose name ends so."""
        [found] = [body for body in self.all(kind) if body["metadata"]["name"].endswith(ending)]
        return found

    def pod(self, ending: str) -> Object:
        """The Pod's spec of a Deployment."""
        spec: Object = self.one("Deployment", ending)["spec"]["template"]["spec"]
        return spec


def render(*sets: str, apis: Sequence[str] = (), tests: bool = False, namespace: str = NAMESPACE) -> Rendered:
    """`helm template` with values PATH=VALUE or PATH=JSON; `apis` are API versions that the cluster would have."""
    words = ["template", "pointsman", str(CHART), "--namespace", namespace]
    words += [] if tests else ["--skip-tests"]
    words += [word for each in sets for word in ("--set-json" if "=[" in each else "--set", each)]
    words += [word for api in apis for word in ("--api-versions", api)]
    return Rendered(helm(*words).stdout)
