"""A namespace with an operator over it, and short words for what tests of deployed providers do in it."""

from typing import Any

import yaml

from testbed.api import Object
from testbed.controlplane import ControlPlane
from testbed.stranger import Stranger

MODEL = "org/model"


class Space:
    """A namespace with an operator over it, and what the tests do in it."""

    def __init__(self, control_plane: ControlPlane, name: str) -> None:
        self.control_plane, self.api, self.name = control_plane, control_plane.api, name
        self.stranger = Stranger(self.kubectl)

    def kubectl(self, *words: str, stdin: str | None = None) -> str:
        return self.control_plane.kubectl("--namespace", self.name, *words, stdin=stdin)

    def apply(self, *bodies: Object) -> None:
        self.kubectl("apply", "--filename", "-", stdin=yaml.safe_dump_all(bodies))

    def deploy(self, name: str = "qwen", **deploy: Any) -> None:
        """A provider that is to run here."""
        self.apply(provider(name, {"type": "VLLM", "deploy": {"model": {"source": f"hf://{MODEL}"}, **deploy}}))

    def pods(self, selector: str = "pointsman.dev/provider=qwen") -> list[Object]:
        found = self.api.items(f"/api/v1/namespaces/{self.name}/pods", labelSelector=selector)
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]

    def status(self, plural: str, name: str) -> Object:
        path = f"/apis/pointsman.dev/v1alpha1/namespaces/{self.name}/{plural}/{name}"
        status: Object = self.api.get(path).get("status") or {}
        return status

    def condition(self, plural: str, name: str, kind: str) -> tuple[str, str]:
        """(status, reason); ("", "") while there is none."""
        conditions = self.status(plural, name).get("conditions") or ()
        return next(((each["status"], each["reason"]) for each in conditions if each["type"] == kind), ("", ""))

    def is_ready(self, name: str = "qwen") -> bool:
        return self.condition("modelproviders", name, "Ready")[0] == "True"


def provider(name: str, spec: Object) -> Object:
    return {
        "apiVersion": "pointsman.dev/v1alpha1", "kind": "ModelProvider", "metadata": {"name": name}, "spec": spec,
    }  # fmt: skip


def route(name: str, primary: Object, *fallbacks: Object) -> Object:
    spec = {"modelName": name, "primary": primary, "fallbacks": list(fallbacks)}
    return {"apiVersion": "pointsman.dev/v1alpha1", "kind": "ModelRoute", "metadata": {"name": name}, "spec": spec}
