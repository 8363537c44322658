"""Installed by helm on a real node: from `kubectl apply` to answers that survive the deletion of the engine's Pod."""

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed import images, streams
from testbed.helmrelease import CRDS, HelmRelease, refusals
from testbed.node import RealNode
from testbed.streams import Answer, Load
from testbed.tinymodel import LONG
from testbed.waiting import until

pytestmark = [pytest.mark.node, pytest.mark.timeout(600)]

QWEN, NEARBY = "qwen/tiny/long", "nearby/nearby-model"
ENGINE = "pointsman.dev/provider=qwen"
TOKENS = 300  # long enough that streams are under way when the engine dies, a second after its Pod is deleted
SIDECAR = images.REPOSITORY / "manifests" / "samples" / "sidecar.yaml"
LIST = "import urllib.request as r; print(r.urlopen('http://localhost:8080/v1/models', timeout=5).read().decode())"


@pytest.fixture(scope="module")
def release(node: RealNode, engine_image: str, pointsman_image: str) -> Iterator[HelmRelease]:
    """The chart, installed; a provider that it runs, one that was there, and a route over both that is in force."""
    with HelmRelease(node) as made:
        began = time.monotonic()
        made.install()
        made.apply(Path(__file__).with_name("models.yaml").read_text())
        in_force(made)
        print(f"{time.monotonic() - began:.1f} s from `helm install` to all providers Ready and the route in force")
        yield made


def in_force(release: HelmRelease) -> None:
    """Both providers serve, and every gateway runs the table that says so."""
    for what, condition in (("lmp/qwen", "Ready"), ("lmp/nearby", "Ready"), ("lmr/assistant", "Degraded=False")):
        release.wait(what, condition)
    release.wait("lmr/assistant", "Programmed")


@pytest.fixture(scope="module")
def url(release: HelmRelease) -> str:
    """The gateway's Service."""
    address = release.field("service/pointsman-gateway", ".spec.clusterIP")
    return f"http://127.0.0.1:{release.node.forward(address, 8080)}"


def test_applied_objects_become_answers(release: HelmRelease, url: str) -> None:
    """Every gateway has acknowledged the table, `kubectl get pointsman` shows the whole, and the primary answers."""
    assert release.field("lmr/assistant", ".status.acknowledgedBy") == "2/2"
    printed = release.kubectl("get", "pointsman")
    assert [line.split()[0].rpartition("/")[2] for line in printed.splitlines() if ".pointsman.dev/" in line] == [
        "nearby", "qwen", "assistant"
    ]  # fmt: skip
    assert QWEN in printed
    answer = asyncio.run(streams.ask(url))
    assert (answer.who, answer.finish, answer.error) == (QWEN, "length", "")
    assert LONG.startswith(answer.text)


def test_an_engine_that_is_killed_fails_no_request(release: HelmRelease, url: str) -> None:
    """Its Pod goes at once under ten streams: the fallback answers, and the primary again when its next Pod serves."""
    [before] = release.pods(ENGINE)
    answers, killed = asyncio.run(loaded(release, url, ["--force", "--grace-period=0"]))
    [after] = release.pods(ENGINE)
    assert after != before
    report(answers, killed)
    assert streams.failures(answer for answer in answers if answer.began > killed + 2) == []
    assert streams.failures(answers) == []
    assert {answer.who for answer in answers} == {QWEN, NEARBY}
    # Also those that had begun to be read when the engine died are whole, to the letter.
    assert resumed(release) > 0
    assert {answer.text for answer in answers} == {asyncio.run(streams.ask(url, tokens=TOKENS)).text}


def resumed(release: HelmRelease) -> float:
    """How many answers another target took up where they broke off."""
    gateways = release.counters("gateway")
    return sum(n for g in gateways for name, n in g.items() if name.startswith("pointsman_gateway_streams_resumed"))


def test_an_engine_that_is_told_to_go_fails_no_request(release: HelmRelease, url: str) -> None:
    """As in a rollout: what is under way is answered by the old Pod, what comes then by the fallback."""
    in_force(release)
    before = resumed(release)
    answers, deleted = asyncio.run(loaded(release, url, ["--wait=false"]))
    report(answers, deleted)
    assert streams.failures(answers) == []
    assert {answer.who for answer in answers} == {QWEN, NEARBY}
    assert resumed(release) == before


async def loaded(release: HelmRelease, url: str, how: list[str]) -> tuple[list[Answer], float]:
    """Ten clients stream while the engine's Pod is deleted, and until the primary answers again; when that began."""
    async with Load(url, streams=10, tokens=TOKENS) as load:
        await load.answered(QWEN, since=0)
        deleted = time.monotonic()
        await asyncio.to_thread(release.kubectl, "delete", "pods", "--selector", ENGINE, *how)
        fell = await load.answered(NEARBY, since=deleted)
        await asyncio.to_thread(release.wait, "lmr/assistant", "Degraded")
        await load.answered(QWEN, since=fell.ended)
    return load.answers, deleted


def report(answers: list[Answer], deleted: float) -> None:
    first = min(answer.ended for answer in answers if answer.who == NEARBY and answer.ended > deleted)
    back = min(answer.ended for answer in answers if answer.who == QWEN and answer.began > first)
    longest = max(answer.ended - answer.began for answer in answers)
    broken = len(streams.failures(answers))
    print(
        f"{len(answers)} answers, {broken} failed, the longest took {longest:.2f} s; after the deletion: "
        f"the fallback's first answer at {first - deleted:.2f} s, the primary's next at {back - deleted:.2f} s"
    )


def test_a_sidecar_serves_its_pod(release: HelmRelease) -> None:
    """The sample: a native sidecar starts before the application, answers it at localhost, and is counted."""
    release.apply(SIDECAR.read_text().replace("image: pointsman:0.1.0", f"image: {images.POINTSMAN}"))
    release.wait("pod/with-gateway", "Ready")
    served = json.loads(release.kubectl("exec", "with-gateway", "--container=client", "--", "python3", "-c", LIST))
    assert {"assistant", "Local", QWEN, NEARBY} <= {model["id"] for model in served["data"]}
    # The application asked as soon as it ran, and was answered.
    said = until(lambda: release.kubectl("logs", "with-gateway", "--container=client"), what="the client's first line")
    assert said.startswith(f"assistant; answered={QWEN}")
    until(lambda: release.field("lmr/assistant", ".status.acknowledgedBy") == "3/3", what="three acknowledgements")
    release.kubectl("delete", "pod", "with-gateway", "--force", "--grace-period=0")
    until(lambda: release.field("lmr/assistant", ".status.acknowledgedBy") == "2/2", what="two acknowledgements")


def test_helm_test_passes(release: HelmRelease) -> None:
    """A Pod of the chart reaches the operator and every gateway by their names."""
    assert "Phase:          Succeeded" in release.helm("test")


def test_nothing_went_wrong_unseen(release: HelmRelease) -> None:
    """No request was refused for want of a right, no reconciliation failed, nothing restarted, no traceback."""
    assert sum(refusals(release.node).values()) == release.refused, refusals(release.node)
    [counters] = release.counters("operator")
    assert counters['pointsman_resyncs_total{result="ok"}'] > 0
    wrong = ("pointsman_reconcile_errors_total", "pointsman_config_render_failures_total", 'result="failed"')
    assert {name: n for name, n in counters.items() if n and any(word in name for word in wrong)} == {}
    logs = release.logs()
    assert not [word for word in ("Traceback", "Forbidden", "forbidden", " ERROR ") if word in logs], logs
    query = ("get", "pods", "--all-namespaces", "--selector=app.kubernetes.io/instance=pointsman")
    restarts = release.node.kubectl(*query, "--output=jsonpath={.items[*].status.containerStatuses[*].restartCount}")
    assert set(restarts.split()) == {"0"}


def test_uninstalled_it_leaves_the_kinds_and_nothing_else(release: HelmRelease) -> None:
    """The operator takes along what it made for objects that are deleted, helm the rest; the CRDs stay."""
    release.kubectl("delete", "pointsman", "--all")
    made = ("configmap/pointsman-routing", "secret/pointsman-credentials", "deployment.apps/qwen", "service/qwen")
    until(lambda: not release.remaining() & set(made), what="the operator has removed what it made")
    release.helm("uninstall")
    kept = {f"customresourcedefinition.apiextensions.k8s.io/{name}" for name in CRDS}
    until(lambda: release.remaining() == kept, 60, every=0.5, what="only the CRDs remain")
