"""Two engines that cover each other, both changed in one apply, on a real control plane: one after the other."""

from __future__ import annotations

import copy
import threading
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from cluster.test_handover import NAME, PROVIDER, Engine, Load, Yard, _around, operator
from testbed import gpunodes
from testbed.gatewaypod import GatewayPod
from testbed.podservers import PodServers
from testbed.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Self

    from testbed.api import Object
    from testbed.controlplane import ControlPlane
    from testbed.operatorprocess import OperatorProcess

__all__ = ["operator"]

BOTH = ("qwen", "qwen2")


class Pair(Yard):
    """Two GPU nodes' worth of engines, each the other's fallback, and nothing else."""

    def start_both(self) -> Self:
        enter = self._stack.enter_context
        enter(gpunodes.present(self.api, f"engine-{self.namespace}", gpus=2))
        for name in BOTH:
            enter(PodServers(self.api, self.namespace, f"pointsman.dev/provider={name}", self._engine))
        second = copy.deepcopy(PROVIDER)
        second["metadata"]["name"] = "qwen2"
        route = _around("http://127.0.0.1:1", True)[1]
        route["spec"]["fallbacks"] = [{"provider": "qwen2", "model": NAME}]
        self.apply(PROVIDER, second, route)
        until(lambda: all(self.told(name, "Ready") == "True" for name in BOTH), 90, what="both engines")
        self.gateway = enter(GatewayPod(self.api, self.namespace, f"engine-{self.namespace}", self._folder))
        until(self._programmed, 30, what="a gateway that runs the table")
        return self

    def of(self, name: str) -> Object:
        return dict(self.api.get(self._path("modelproviders", name)).get("status") or {})

    def told(self, name: str, kind: str) -> str:
        return next((str(each["status"]) for each in self.of(name).get("conditions") or [] if each["type"] == kind), "")

    def ready(self) -> int:
        return sum(int(self.of(name).get("readyReplicas") or 0) for name in BOTH)

    def lengths(self) -> list[str]:
        path = f"/api/v1/namespaces/{self.namespace}/pods"
        return [
            each
            for name in BOTH
            for pod in self.api.items(path, labelSelector=f"pointsman.dev/provider={name}")
            for each in pod["spec"]["containers"][0]["args"]
            if each.startswith("--max-model-len")
        ]

    def settled(self) -> bool:
        away = [self.told(name, "Maintenance") for name in BOTH]
        return self.lengths() == ["--max-model-len=4096"] * 2 and away == ["False"] * 2 and self.ready() == 2


@pytest.fixture
def pair(simulated: ControlPlane, operator: OperatorProcess, namespace: str, tmp_path: Path) -> Iterator[Pair]:
    with Pair(simulated, operator, namespace, tmp_path) as made:
        yield made


@pytest.mark.timeout(240)
def test_one_after_the_other(pair: Pair) -> None:
    """No request fails, and at every moment one of the two is ready."""
    pair.start_both()
    old: list[Engine] = list(pair.engines.values())
    least, ended = [2], threading.Event()

    def watch() -> None:
        while not ended.wait(0.1):
            least.append(pair.ready())

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        with Load(pair.gateway.url) as load:
            pair.until(lambda: load.by("qwen") >= 3, 30, what="answers")
            for name in BOTH:
                change = {"spec": {"deploy": {"engine": {"maxModelLen": 4096}}}}
                pair.api.patch(pair._path("modelproviders", name), change)
            pair.until(pair.settled, 100, what="both new engines")
    finally:
        ended.set()
        watching.join()
    print(f"answers: {dict(Counter(name for _, name in load.answered))}, failures: {load.failures}")
    assert not load.failures
    assert min(least) == 1
    assert [each.cut for each in old] == [0, 0]
    assert not pair.resumed()
