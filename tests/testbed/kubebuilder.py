"""An API server and etcd out of `KUBEBUILDER_ASSETS`, for those who have these binaries already.

Only these two run: objects, defaulting, validation, admission and access control are real, but nothing schedules,
collects garbage or answers for a Node.
"""

import base64
import json
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx

from testbed.ports import free_port
from testbed.waiting import until


@contextmanager
def running(assets: Path, directory: Path, crds: Path | None) -> Iterator[tuple[Path, str]]:
    """Give (kubeconfig of cluster-admin, the server's URL) while both processes run."""
    directory.mkdir(parents=True, exist_ok=True)
    token, port, client, peer = secrets.token_hex(16), free_port(), free_port(), free_port()
    (directory / "tokens.csv").write_text(f"{token},admin,admin,system:masters\n")
    _openssl_key(directory / "sa.key")
    server = f"https://127.0.0.1:{port}"
    with ExitStack() as stack:
        stack.enter_context(_process(_etcd(assets, directory, client, peer), directory))
        stack.enter_context(_process(_apiserver(assets, directory, client, port), directory))
        until(lambda: _ready(server, token), 60, what=f"{assets}/kube-apiserver (logs in {directory})")
        kubeconfig = _write_kubeconfig(directory, server, token)
        if crds:
            kubectl = [str(assets / "kubectl"), "--kubeconfig", str(kubeconfig)]
            subprocess.run([*kubectl, "apply", "--server-side", "-f", str(crds)], check=True, capture_output=True)
            wait = ["wait", "--for=condition=Established", "--timeout=30s", "-f", str(crds)]
            subprocess.run([*kubectl, *wait], check=True, capture_output=True)
        yield kubeconfig, server


def _etcd(assets: Path, directory: Path, client: int, peer: int) -> list[str]:
    urls = {"client": f"http://127.0.0.1:{client}", "peer": f"http://127.0.0.1:{peer}"}
    return [
        str(assets / "etcd"), "--data-dir", str(directory / "etcd"), "--unsafe-no-fsync",
        "--listen-client-urls", urls["client"], "--advertise-client-urls", urls["client"],
        "--listen-peer-urls", urls["peer"], "--initial-advertise-peer-urls", urls["peer"],
        "--initial-cluster", f"default={urls['peer']}",
    ]  # fmt: skip


def _apiserver(assets: Path, directory: Path, etcd: int, port: int) -> list[str]:
    return [
        str(assets / "kube-apiserver"), f"--etcd-servers=http://127.0.0.1:{etcd}", f"--secure-port={port}",
        "--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", "--endpoint-reconciler-type=none",
        f"--cert-dir={directory}", f"--token-auth-file={directory / 'tokens.csv'}", "--authorization-mode=RBAC",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={directory / 'sa.key'}",
        f"--service-account-signing-key-file={directory / 'sa.key'}",
        "--service-cluster-ip-range=10.0.0.0/24",
        "--disable-admission-plugins=ServiceAccount",  # no controller makes the default account that it wants
    ]  # fmt: skip


@contextmanager
def _process(command: list[str], directory: Path) -> Iterator[None]:
    with (
        (directory / f"{Path(command[0]).name}.log").open("wb") as log,
        subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log) as process,
    ):
        try:
            yield
        finally:
            process.kill()


def _openssl_key(file: Path) -> None:
    command = ["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", str(file)]
    subprocess.run(command, check=True, capture_output=True)


def _ready(server: str, token: str) -> bool:
    try:
        # Not verified: the server makes its own certificate, on this machine, only as it starts.
        return httpx.get(f"{server}/readyz", headers={"authorization": f"Bearer {token}"}, verify=False).is_success
    except httpx.HTTPError:
        return False


def _write_kubeconfig(directory: Path, server: str, token: str) -> Path:
    authority = base64.b64encode((directory / "apiserver.crt").read_bytes()).decode()
    config = {
        "apiVersion": "v1", "kind": "Config", "current-context": "test",
        "clusters": [{"name": "test", "cluster": {"server": server, "certificate-authority-data": authority}}],
        "users": [{"name": "admin", "user": {"token": token}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "admin"}}],
    }  # fmt: skip
    file = directory / "kubeconfig"
    file.write_text(json.dumps(config))
    file.chmod(0o600)
    return file
