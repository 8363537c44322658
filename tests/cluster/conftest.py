"""One real control plane for the whole session, in a network namespace of its own, and a namespace for each test.

The session enters that namespace before its first test, if a test of this folder is to run: from then on, nothing
that it does can reach another machine. What has to be fetched or built is so before.
"""

import itertools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed import controlplane, gpunodes, netns
from testbed.__main__ import prepare
from testbed.controlplane import ControlPlane
from testbed.operatorprocess import OperatorProcess, install_rbac, kubeconfig_for

_HERE = Path(__file__).parent
_CRDS = _HERE.parent.parent / "crds"
# A node that is lost keeps its Pods for 5 minutes otherwise.
_FLAGS = [f"kube-apiserver:--default-{what}-toleration-seconds=4" for what in ("not-ready", "unreachable")]
_numbers = itertools.count(1)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(_HERE):
            item.add_marker("cluster")


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> None:
    items = [item for item in session.items if item.get_closest_marker("cluster")]
    if session.config.option.collectonly or not items:
        return
    with session.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        list(prepare(real_node=any(item.get_closest_marker("node") for item in session.items)))
    try:
        netns.enter()
    except OSError as error:
        for item in items:
            item.add_marker(pytest.mark.skip(reason=f"no network namespace: {error}"))


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """The control plane, with Pointsman's CRDs if they are generated already."""
    crds = _CRDS if any(_CRDS.glob("*.yaml")) else None
    with controlplane.running(tmp_path_factory.mktemp("controlplane"), crds, _FLAGS) as control_plane:
        if control_plane.simulated:
            gpunodes.create_storage_class(control_plane.api)
        yield control_plane


@pytest.fixture
def simulated(cluster: ControlPlane) -> ControlPlane:
    """The control plane, for tests that need its scheduler, controllers and simulated nodes."""
    if not cluster.simulated:
        pytest.skip("KUBEBUILDER_ASSETS has no scheduler, controllers and simulated nodes")
    return cluster


@pytest.fixture(scope="module")
def operator(cluster: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OperatorProcess]:
    """The operator, with exactly the shipped rights."""
    account = install_rbac(cluster.api)
    kubeconfig = kubeconfig_for(cluster.api, cluster.kubeconfig, account, tmp_path_factory.mktemp("operator"))
    with OperatorProcess(kubeconfig) as process:
        yield process


@pytest.fixture
def namespace(cluster: ControlPlane, request: pytest.FixtureRequest) -> Iterator[str]:
    """The name of a fresh namespace, called after the test and deleted after it."""
    words = re.sub(r"[^a-z0-9]+", "-", request.node.name.removeprefix("test_").lower())[:40].strip("-")
    name = f"{words}-{next(_numbers)}"
    cluster.api.post("/api/v1/namespaces", {"metadata": {"name": name}})
    yield name
    cluster.api.delete(f"/api/v1/namespaces/{name}")
