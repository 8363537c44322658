"""What `pointsman doctor` said, and what it is asked about."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.quirky import QuirkyServer

Json = dict[str, Any]


@dataclass
class Report:
    """What the doctor said of one server."""

    status: int
    checks: list[Json]

    def grades(self) -> dict[str, str]:
        """The worst grade by the check's name."""
        order = ("well", "note", "warning", "broken")
        out: dict[str, str] = {}
        for check in self.checks:
            out[check["name"]] = max(out.get(check["name"], "well"), check["grade"], key=order.index)
        return out

    def wrong(self) -> dict[str, str]:
        return {name: grade for name, grade in self.grades().items() if grade in {"warning", "broken"}}

    def __getitem__(self, name: str) -> Json:
        """The first check of that name that is not well, else the first."""
        found = [check for check in self.checks if check["name"] == name]
        return next((check for check in found if check["grade"] != "well"), found[0])


Doctor = Callable[..., Report]


def at(server: QuirkyServer, *more: str) -> tuple[str, ...]:
    return ("--url", server.url, "--timeout", "5", *more)


def fleet(tmp_path: Path, url: str, model: str = "tiny", **spec: Any) -> Path:
    """A file with one provider `box`, that states one model, and a route to it."""
    path = tmp_path / "fleet.yaml"
    provider = {
        "apiVersion": "pointsman.dev/v1alpha1",
        "kind": "ModelProvider",
        "metadata": {"name": "box"},
        "spec": {
            "type": "OpenAICompatible",
            "endpoint": {"baseUrl": url},
            "models": [{"id": model, "contextWindow": 65536}],
            "dataPolicy": {"location": "OnPremises"},
        }
        | spec,
    }
    route = {
        "apiVersion": "pointsman.dev/v1alpha1",
        "kind": "ModelRoute",
        "metadata": {"name": "one"},
        "spec": {"modelName": "one", "primary": {"provider": "box", "model": model}},
    }
    path.write_text("\n---\n".join(json.dumps(body) for body in (provider, route)))
    return path
