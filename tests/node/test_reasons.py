"""On a real node, rendered by the operator: an engine that is well is as confined as it should be, others say why not.

A NetworkPolicy is looked at, not felt: the node's network (CNI ptp) enforces none.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed.helmrelease import HelmRelease
from testbed.node import RealNode
from testbed.stranger import Stranger
from testbed.waiting import until

pytestmark = [pytest.mark.node, pytest.mark.timeout(600)]

SHM = 64 << 20
WELL = "deployment/well"
INSIDE = """
import json, os, tempfile
status = dict(line.split(":\\t", 1) for line in open("/proc/1/status").read().splitlines() if ":\\t" in line)
shm = os.statvfs("/dev/shm")
def writable(folder):
    with tempfile.TemporaryFile(dir=folder):
        return True
os.makedirs(os.environ["HF_HOME"], exist_ok=True)
print(json.dumps({
    "uid": os.getuid(), "capabilities": int(status["CapEff"], 16), "seccomp": int(status["Seccomp"]),
    "shm": shm.f_blocks * shm.f_frsize, "privileges": int(status["NoNewPrivs"]),
    "writable": [writable(folder) for folder in (os.environ["HOME"], os.environ["HF_HOME"], "/tmp", "/dev/shm")],
    "opt": os.access("/opt", os.W_OK), "token": os.path.exists("/var/run/secrets/kubernetes.io"),
}))
"""


@pytest.fixture(scope="module")
def release(node: RealNode, engine_image: str, pointsman_image: str) -> Iterator[HelmRelease]:
    """The chart, installed, and all the engines at once."""
    with HelmRelease(node) as made:
        made.install()
        made.apply(Path(__file__).with_name("reasons.yaml").read_text())
        yield made


@pytest.fixture
def stranger(release: HelmRelease) -> Stranger:
    return Stranger(release.kubectl)


def test_a_well_engine_is_confined(release: HelmRelease) -> None:
    """Its probes pass; not root, no capabilities, a filter, writable folders, /dev/shm of its size, no API token."""
    release.wait("lmp/well", "Ready")
    inside = json.loads(release.kubectl("exec", WELL, "--container=vllm", "--", "python3", "-c", INSIDE))
    assert inside == {
        "uid": 1000, "capabilities": 0, "seccomp": 2, "privileges": 1, "shm": SHM, "writable": [True] * 4,
        "opt": False, "token": False,
    }  # fmt: skip
    assert release.field(WELL, ".status.readyReplicas") == "1"
    assert release.field("lmp/well", ".status.phase") == "Ready"


def test_a_well_engine_has_its_key(release: HelmRelease) -> None:
    """From the Secret, not from the arguments; without it nobody is answered, and the operator has it."""
    spec = json.loads(release.kubectl("get", WELL, "--output=json"))["spec"]["template"]["spec"]
    key = next(each for each in spec["containers"][0]["env"] if each["name"] == "VLLM_API_KEY")
    assert key["valueFrom"]["secretKeyRef"]["name"] == "pointsman-engine-keys"
    ask = "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/v1/models')"
    refused = release.kubectl("exec", WELL, "--container=vllm", "--", "sh", "-c", f'python3 -c "{ask}" 2>&1 || true')
    assert "401" in refused
    assert release.field("lmp/well", ".status.models[0].id") == "tiny/text"


def test_only_gateways_are_let_in(release: HelmRelease) -> None:
    """A NetworkPolicy is there for the engine's Pods and names the gateways; here nothing enforces it."""
    policies = json.loads(release.kubectl("get", "networkpolicies", "--output=json"))["items"]
    [ours] = [each for each in policies if each["spec"]["podSelector"]["matchLabels"].items()
              >= {"pointsman.dev/provider": "well"}.items()]  # fmt: skip
    assert "Ingress" in ours["spec"]["policyTypes"]
    assert "pointsman.dev/gateway" in json.dumps(ours["spec"]["ingress"])


@pytest.mark.parametrize(
    ("provider", "reason", "words"),
    [
        ("absent", "ImagePullFailed", ("pointsman.dev/no-such-image:v1", "spec.deploy.image")),
        ("tokenless", "SecretNotFound", ("hub-token", "Secret")),
        ("greedy", "OOMKilled", ("128Mi", "spec.deploy.resources")),
        ("long", "KVCacheTooSmall", ("1048448", "spec.deploy.engine.maxModelLen")),
        ("gated", "ModelAccessDenied", ("gated", "tokenSecretRef")),
        ("stalled", "EngineStalled", ()),
        ("slow", "StartupTimeout", ("spec.deploy.startupTimeout",)),
    ],
)
def test_a_stranger_learns_why(stranger: Stranger, provider: str, reason: str, words: tuple[str, ...]) -> None:
    """`kubectl get lmp` shows the reason, `kubectl describe lmp` what happened and what to do, an Event told it."""
    stranger.learns(provider, reason, *words, timeout=90)


def test_the_length_that_fits_is_a_field(release: HelmRelease) -> None:
    """For scripts: what vLLM says would fit, without reading a message."""
    until(lambda: release.field("lmp/long", ".status.suggestedMaxModelLen") == "1048448", 60)


def test_a_secret_that_comes_mends_it(release: HelmRelease) -> None:
    """Nothing but the token is missing: once it is there, the engine starts by itself."""
    release.kubectl("create", "secret", "generic", "hub-token", "--from-literal=token=hf_x")
    release.wait("lmp/tokenless", "Ready", seconds=90)
