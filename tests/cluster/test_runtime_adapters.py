"""Adapters at run time, from the object to the engines: they come and go, and no Pod is replaced for them."""

import httpx
import pytest

from testbed import gpunodes, standin
from testbed.api import Object
from testbed.controlplane import ControlPlane
from testbed.operatorprocess import OperatorProcess, decoded
from testbed.podservers import PodServers
from testbed.space import MODEL, Space
from testbed.waiting import until


@pytest.fixture
def space(simulated: ControlPlane, operator: OperatorProcess, namespace: str) -> Space:
    return Space(simulated, namespace)


def listed(space: Space, pod: Object) -> dict[str, str]:
    """Name and source of the adapters that the engine behind a Pod has."""
    key = decoded(space.api.get(f"/api/v1/namespaces/{space.name}/secrets/pointsman-engine-keys"))["qwen"]
    url = f"http://{pod['status']['podIP']}:8000/v1/models"
    assert httpx.get(url, trust_env=False).status_code == 401, "the engine has a key"
    cards = httpx.get(url, headers={"Authorization": f"Bearer {key}"}, trust_env=False).json()["data"]
    return {card["id"]: card["root"] for card in cards if card["parent"]}


def model(**adapters: str) -> Object:
    entries = [{"name": name, "source": f"hf://{source}"} for name, source in adapters.items()]
    return {"source": f"hf://{MODEL}", "adapterLoading": "AtRuntime", "adapters": entries}


def test_adapters_come_and_go_without_a_rollout(space: Space) -> None:
    """Added, given another source, removed: both replicas follow, their Pods stay, and the status says so."""
    with (
        gpunodes.present(space.api, "engine-adapters"),
        PodServers(space.api, space.name, "pointsman.dev/provider=qwen", standin.of_pod(space.api)),
    ):
        space.deploy(replicas=2, model=model(law="o/law"))
        until(lambda: len([pod for pod in space.pods() if pod["status"].get("podIP")]) == 2, 30, what="two Pods")
        pods = space.pods()

        def all_have(**wanted: str) -> None:
            until(lambda: all(listed(space, pod) == wanted for pod in pods), 30, what=f"{wanted} on both")
            loaded = ("True", "AdaptersLoaded")
            until(lambda: space.condition("modelproviders", "qwen", "AdaptersLoaded") == loaded, 15)

        until(space.is_ready, 40)
        all_have(law="o/law")
        known = until(lambda: {each["id"] for each in space.status("modelproviders", "qwen").get("models", ())}, 15)
        assert known <= {MODEL, "law"}
        until(lambda: "law" in {each["id"] for each in space.status("modelproviders", "qwen")["models"]}, 15)
        space.deploy(replicas=2, model=model(law="o/law-2", code="o/code"))
        all_have(law="o/law-2", code="o/code")
        space.deploy(replicas=2, model=model(code="o/code"))
        all_have(code="o/code")
        assert {pod["metadata"]["uid"] for pod in space.pods()} == {pod["metadata"]["uid"] for pod in pods}
