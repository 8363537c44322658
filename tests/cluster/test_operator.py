"""The operator on a real API server, with the ServiceAccount and exactly the RBAC that are shipped."""

import base64
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import httpx
import pytest

from pointsman import table
from testbed import gpunodes
from testbed.api import Api, ApiError, Object
from testbed.controlplane import ControlPlane
from testbed.operatorprocess import OperatorProcess, decoded, install_rbac, kubeconfig_for
from testbed.waiting import until

WRITES = "pointsman_api_writes_total"


class Server:
    """A model server and a gateway in one: what it serves, which key it wants, and which table it says it runs."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        self.key, self.hash, self.keys_seen = "", "", list[str]()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, body = server.answer(self.path, self.headers.get("Authorization", ""))
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None: ...

        self._http = ThreadingHTTPServer((host, port), Handler)
        self.url = f"http://{host}:{self._http.server_port}"
        Thread(target=self._http.serve_forever, daemon=True).start()

    def answer(self, path: str, authorization: str) -> tuple[int, bytes]:
        if path == "/-/config":
            return 200, b'{"hash": "%s"}' % self.hash.encode()
        self.keys_seen.append(authorization.removeprefix("Bearer "))
        if self.key and self.keys_seen[-1] != self.key:
            return 401, b'{"error": {"message": "wrong key"}}'
        return 200, b'{"object": "list", "data": [{"id": "m", "object": "model", "max_model_len": 32768}]}'

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()


class Space:
    """A namespace, and short words for what tests do in it."""

    def __init__(self, api: Api, name: str) -> None:
        self.api, self.name = api, name

    def path(self, plural: str, name: str = "") -> str:
        groups = {"modelproviders": "/apis/pointsman.dev/v1alpha1", "modelroutes": "/apis/pointsman.dev/v1alpha1"}
        groups |= {"deployments": "/apis/apps/v1"}
        return f"{groups.get(plural, '/api/v1')}/namespaces/{self.name}/{plural}" + (f"/{name}" if name else "")

    def provider(self, name: str, url: str, secret: str | None = None) -> None:
        credentials = {"credentials": {"secretRef": {"name": secret}}} if secret else {}
        spec: Object = {"type": "OpenAICompatible", "endpoint": {"baseUrl": url} | credentials}
        spec["probe"] = {"period": "1s"}
        self.create("ModelProvider", "modelproviders", name, spec)

    def route(self, name: str, *providers: str) -> None:
        targets = [{"provider": provider, "model": "m"} for provider in providers]
        spec = {"modelName": name, "primary": targets[0], "fallbacks": targets[1:]}
        self.create("ModelRoute", "modelroutes", name, spec)

    def create(self, kind: str, plural: str, name: str, spec: Object) -> None:
        body = {"apiVersion": "pointsman.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec}
        self.api.post(self.path(plural), body)

    def secret(self, name: str, token: str) -> None:
        body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": {"token": token}}
        self.api.apply(self.path("secrets", name), body)

    def condition(self, plural: str, name: str, kind: str) -> tuple[str, str]:
        """(status, reason) of a condition; ("", "") while there is none."""
        conditions = self.api.get(self.path(plural, name)).get("status", {}).get("conditions", ())
        return next(((each["status"], each["reason"]) for each in conditions if each["type"] == kind), ("", ""))

    def find(self, plural: str, name: str) -> Object | None:
        try:
            return self.api.get(self.path(plural, name))
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def table(self) -> table.RoutingTable | None:
        """The published table, checked."""
        body = self.find("configmaps", "pointsman-routing")
        return table.load(body["data"]["routing.json"].encode()) if body else None

    def keys(self) -> dict[str, str]:
        return decoded(self.find("secrets", "pointsman-credentials") or {})

    def providers(self) -> set[str]:
        published = self.table()
        return {each.name for each in published.providers} if published else set()

    def versions(self) -> dict[str, str]:
        kinds = ("modelproviders", "modelroutes", "configmaps", "secrets", "deployments", "services")
        items = [item for plural in kinds for item in self.api.items(self.path(plural))]
        return {item["metadata"]["uid"]: item["metadata"]["resourceVersion"] for item in items}


@pytest.fixture(scope="module")
def kubeconfig(cluster: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Path:
    account = install_rbac(cluster.api)
    return kubeconfig_for(cluster.api, cluster.kubeconfig, account, tmp_path_factory.mktemp("operator"))


@pytest.fixture
def operator(kubeconfig: Path) -> Iterator[OperatorProcess]:
    with OperatorProcess(kubeconfig) as process:
        yield process


@pytest.fixture
def space(cluster: ControlPlane, namespace: str) -> Space:
    return Space(cluster.api, namespace)


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


def at_rest(operator: OperatorProcess) -> float:
    """Wait until the operator has written nothing for two seconds; how much it wrote in all."""
    last, since = operator.metric(WRITES), time.monotonic()

    def quiet() -> bool:
        nonlocal last, since
        if (now := operator.metric(WRITES)) != last:
            last, since = now, time.monotonic()
        return time.monotonic() - since > 2

    until(quiet, 60, 0.2, what="an operator at rest")
    return last


def test_from_objects_to_a_table(operator: OperatorProcess, space: Space, server: Server) -> None:
    """A provider and a route become a table, keys beside it, and conditions that tell how things stand."""
    server.key = "s3cret"
    space.secret("key", "s3cret")
    space.provider("here", server.url, "key")
    space.route("assistant", "here", "gone")
    until(lambda: space.condition("modelproviders", "here", "Ready") == ("True", "Ready"), what="a ready provider")
    until(lambda: space.condition("modelroutes", "assistant", "Ready")[0] == "True", what="a ready route")
    assert space.condition("modelroutes", "assistant", "ResolvedRefs") == ("False", "ProviderNotFound")
    published = until(space.table, what="a table")
    assert [each.name for each in published.providers] == ["here"]
    assert published.providers[0].state == "Up"
    assert [model.id for model in published.providers[0].models] == ["m"]
    assert space.keys() == {"here": "s3cret"}
    status = space.api.get(space.path("modelproviders", "here"))["status"]
    assert status["observedGeneration"] == 1
    assert status["modelCount"] == 1


def test_a_deleted_provider_leaves_the_table_within_two_seconds(
    operator: OperatorProcess, space: Space, server: Server
) -> None:
    """And its key leaves the credentials."""
    space.secret("key", "a")
    space.provider("one", server.url, "key")
    space.provider("two", server.url)
    space.route("assistant", "one", "two")
    until(lambda: space.providers() == {"one", "two"} and space.keys() == {"one": "a"}, what="both in the table")
    space.api.delete(space.path("modelproviders", "one"))
    until(lambda: space.providers() == {"two"}, 2, what="a table without it")
    until(lambda: space.keys() == {}, 2, what="credentials without it")


def test_the_last_route_takes_the_table_with_it(operator: OperatorProcess, space: Space, server: Server) -> None:
    """What is ours goes; what only bears our names stays."""
    space.provider("one", server.url)
    space.route("assistant", "one")
    until(space.table, what="a table")
    space.api.delete(space.path("modelroutes", "assistant"))
    until(lambda: space.find("configmaps", "pointsman-routing") is None, what="no table")
    until(lambda: space.find("secrets", "pointsman-credentials") is None, what="no credentials")


def test_a_restart_writes_nothing(operator: OperatorProcess, space: Space, server: Server) -> None:
    """SIGKILL in a settled cluster: the next process finds everything as it would make it."""
    space.secret("key", "a")
    space.provider("up", server.url, "key")
    space.provider("down", "http://127.0.0.1:9")
    deploy = {"model": {"source": "hf://o/m"}, "gpus": 8, "resources": {"cpu": "1000m", "memory": "1024Mi"}}
    space.create("ModelProvider", "modelproviders", "deployed", {"type": "VLLM", "deploy": deploy})
    space.route("assistant", "up", "down", "deployed")
    until(lambda: space.condition("modelroutes", "assistant", "Ready")[0] == "True", what="a ready route")
    until(lambda: space.condition("modelproviders", "down", "Ready")[0] == "False", what="a provider that is down")
    until(lambda: space.condition("modelproviders", "deployed", "WorkloadReady")[0] == "False", what="no GPU")
    assert at_rest(operator) > 0
    before = space.versions()
    operator.kill()
    operator.start()
    assert at_rest(operator) == 0, operator.log()
    assert space.versions() == before


def test_what_others_changed_is_put_right(operator: OperatorProcess, space: Space, server: Server) -> None:
    """A table that was edited, credentials that were deleted, a Deployment that was scaled by hand."""
    space.secret("key", "a")
    space.provider("one", server.url, "key")
    deploy = {"model": {"source": "hf://o/m"}, "replicas": 1}
    space.create("ModelProvider", "modelproviders", "deployed", {"type": "VLLM", "deploy": deploy})
    space.route("assistant", "one", "deployed")
    until(lambda: set(space.keys()) == {"one", "deployed"}, what="both keys")
    keys = space.keys()
    until(lambda: space.find("deployments", "deployed"), what="all objects")
    at_rest(operator)
    api = space.api
    api.patch(space.path("configmaps", "pointsman-routing"), {"data": {"routing.json": "{}"}})
    api.delete(space.path("secrets", "pointsman-credentials"))
    api.patch(space.path("deployments", "deployed"), {"spec": {"replicas": 5}})
    api.delete(space.path("services", "deployed"))

    def is_right() -> bool:
        body = space.find("configmaps", "pointsman-routing")
        edited = body is None or body["data"]["routing.json"] == "{}"
        scaled = api.get(space.path("deployments", "deployed"))["spec"]["replicas"] != 1
        return not (edited or scaled) and space.keys() == keys and bool(space.find("services", "deployed"))

    until(is_right, what="everything as before")
    until(lambda: space.table() is not None, what="a sound table")


def test_a_rotated_key_is_taken_up(operator: OperatorProcess, space: Space, server: Server) -> None:
    """The Secret is only ever read, never watched: within half a minute the new key is probed with and published."""
    server.key = "old"
    space.secret("key", "old")
    space.provider("one", server.url, "key")
    space.route("assistant", "one")
    until(lambda: space.keys() == {"one": "old"}, what="the old key")
    server.key = "new"
    until(lambda: space.condition("modelproviders", "one", "CredentialsValid")[0] == "False", what="a refused key")
    space.secret("key", "new")
    until(lambda: space.keys() == {"one": "new"}, 45, what="the new key")
    until(lambda: space.condition("modelproviders", "one", "Ready") == ("True", "Ready"), what="a ready provider")
    assert server.keys_seen[-1] == "new"


def test_a_secret_that_comes_late_is_found(operator: OperatorProcess, space: Space, server: Server) -> None:
    """A provider says what it lacks, and is ready soon after it is there."""
    server.key = "k"
    space.provider("one", server.url, "key")
    missing = ("False", "SecretNotFound")
    until(lambda: space.condition("modelproviders", "one", "SecretResolved") == missing, what="a missing Secret")
    space.secret("key", "k")
    until(lambda: space.condition("modelproviders", "one", "Ready") == ("True", "Ready"), what="a ready provider")


def test_gateways_acknowledge(operator: OperatorProcess, space: Space, simulated: ControlPlane, server: Server) -> None:
    """Programmed when every gateway runs the table; a gateway's Pod is nudged for each new one."""
    with gpunodes.present(simulated.api, f"engine-{space.name}") as node:
        container = {"name": "gateway", "image": "none", "ports": [{"name": "gateway", "containerPort": 8080}]}
        pod = {"nodeName": node, "containers": [container], "tolerations": [{"operator": "Exists"}]}
        meta = {"name": "gateway-0", "labels": {"pointsman.dev/gateway": "true"}}
        space.api.post(space.path("pods"), {"metadata": meta, "spec": pod})
        address = until(lambda: space.api.get(space.path("pods", "gateway-0"))["status"].get("podIP"), what="a Pod")
        gateway = Server(address, 8080)
        ready = {"type": "Ready", "status": "True"}
        space.api.patch(
            space.path("pods", "gateway-0") + "/status", {"status": {"conditions": [ready]}}, "strategic-merge"
        )
        space.provider("one", server.url)
        space.route("assistant", "one")
        published = until(space.table, what="a table")
        until(lambda: space.condition("modelroutes", "assistant", "Programmed") == ("False", "Pending"), what="a wait")
        gateway.hash = published.hash
        until(
            lambda: space.condition("modelroutes", "assistant", "Programmed") == ("True", "Programmed"), what="an ack"
        )
        pod = space.api.get(space.path("pods", "gateway-0"))
        assert pod["metadata"]["annotations"]["pointsman.dev/routing-hash"] == published.hash
        assert space.api.get(space.path("modelroutes", "assistant"))["status"]["acknowledgedBy"] == "1/1"
        gateway.close()


def test_it_needs_every_right_that_it_has_and_no_other(operator: OperatorProcess, space: Space) -> None:
    """With the shipped rules nothing is forbidden, and another namespace's Secrets cannot even be listed."""
    space.secret("key", "a")
    assert "403" not in operator.log()
    assert operator.metric('pointsman_resyncs_total{result="failed"}') == 0
    base = operator._kubeconfig
    client = Api.from_kubeconfig(base, token=_token(base))
    with pytest.raises(ApiError) as error:
        client.get("/api/v1/secrets")
    assert error.value.status == 403
    client.close()


def _token(kubeconfig: Path) -> str:
    text = kubeconfig.read_text()
    return text.split("token:", 1)[1].split()[0]


def test_metrics_of_objects_go_with_them(operator: OperatorProcess, space: Space, server: Server) -> None:
    """No series outlives its object."""
    space.provider("one", server.url)
    space.route("assistant", "one")
    series = f'pointsman_provider_ready{{namespace="{space.name}"'
    until(lambda: operator.metric(series.replace("{", r"\{")) == 1, what="a ready provider's metric")
    space.api.delete(space.path("modelproviders", "one"))
    space.api.delete(space.path("modelroutes", "assistant"))

    def gone() -> bool:
        text = httpx.get(f"http://127.0.0.1:{operator.metrics_port}/metrics", trust_env=False).text
        return not [line for line in text.splitlines() if f'namespace="{space.name}"' in line]

    until(gone, what="no series of the namespace")


def test_a_replaced_secret_value_is_not_in_any_annotation(
    operator: OperatorProcess, space: Space, server: Server
) -> None:
    """The hash by which we know what we applied is made of a Secret's keys, not of its values."""
    space.secret("key", "first")
    space.provider("one", server.url, "key")
    space.route("assistant", "one")
    until(lambda: space.keys() == {"one": "first"}, what="credentials")
    body = space.find("secrets", "pointsman-credentials")
    assert body
    annotations = body["metadata"]["annotations"]
    assert base64.b64encode(b"first").decode() not in str(annotations)
    assert set(annotations) == {"pointsman.dev/applied"}
