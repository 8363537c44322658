"""Real engines behind simulated Pods: for every running Pod of a label, a llama-server listens at the Pod's address.

It plays the kubelet's part as well: a Pod is Ready while its server's /health answers 200, and a Pod that goes
takes its server with it. Needs `netns.enter()` before, and Pods on an `engine-` node (see `gpunodes`).
"""

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from testbed import podstatus
from testbed.api import Api, ApiError, Object
from testbed.llama import LlamaServer
from testbed.waiting import until

Start = Callable[[Object, str, int], LlamaServer]


class PodServers:
    """Start, probe and stop the servers of one namespace's Pods, from a thread, for as long as the block lasts.

    `server(pod, address, port)` makes the server of a Pod, not yet started; by default a `text` model under the
    alias `tiny`. The port is the first one that the Pod's containers name, else 8000.
    """

    def __init__(self, api: Api, namespace: str, selector: str, server: Start | None = None) -> None:
        self._api, self._namespace, self._selector = api, namespace, selector
        self._make: Start = server or (lambda _pod, address, port: LlamaServer(host=address, port=port))
        self._servers: dict[str, LlamaServer] = {}
        self._held: set[str] = set()
        self._lost: set[str] = set()
        self._ready: dict[str, bool] = {}
        self._lock, self._ended = threading.RLock(), threading.Event()
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._watch, name=f"podservers {namespace}", daemon=True)

    def kill(self, pod: str) -> None:
        """SIGKILL the Pod's server and leave it dead until `restart`; the Pod turns unready at the next probe."""
        with self._lock:
            self._held.add(pod)
            self._servers[pod].kill()

    def restart(self, pod: str) -> None:
        """Start the Pod's server again, at the same address."""
        with self._lock:
            self._servers[pod].restart()
            self._held.discard(pod)

    def lose(self, pod: str) -> None:
        """SIGKILL the Pod's server, and say no more of the Pod, as when its node is lost with its kubelet."""
        with self._lock:
            self._lost.add(pod)
            self._servers[pod].kill()

    def server(self, pod: str, timeout: float = 30.0) -> LlamaServer:
        """The Pod's server, once it is started and the Pod is Ready."""
        until(lambda: self._failed() or self._ready.get(pod), timeout, what=f"a server behind Pod {pod}")
        return self._servers[pod]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()
        for server in self._servers.values():
            server.close()
        if self._failure and error is None:
            raise self._failure

    def _failed(self) -> bool:
        if self._failure:
            raise self._failure
        return False

    def _watch(self) -> None:
        try:
            while not self._ended.wait(0.1):
                self._step()
        except Exception as error:  # noqa: BLE001 - a thread's end: the main thread raises it
            self._failure = error

    def _step(self) -> None:
        path = f"/api/v1/namespaces/{self._namespace}/pods"
        pods = {pod["metadata"]["name"]: pod for pod in self._api.items(path, labelSelector=self._selector)}
        with self._lock:
            for name in self._servers.keys() - {name for name, pod in pods.items() if _is_running(pod)}:
                self._servers.pop(name).close()
                self._ready.pop(name, None)
            for name, pod in pods.items():
                if _is_running(pod) and name not in self._lost:
                    self._serve(name, pod)

    def _serve(self, name: str, pod: Object) -> None:
        if name not in self._servers:
            self._servers[name] = self._make(pod, pod["status"]["podIP"], _port(pod)).launch()
        server = self._servers[name]
        if not server.alive and name not in self._held:
            raise RuntimeError(f"the server behind Pod {name} ended by itself:\n{server.log()[-2000:]}")
        ready = server.alive and server.healthy(timeout=0.5)
        if ready != self._ready.get(name, False):
            try:
                podstatus.set_ready(self._api, self._namespace, name, ready)
            except ApiError as error:
                if error.status != 404:  # it was deleted meanwhile, which the next step sees
                    raise
            self._ready[name] = ready


def _is_running(pod: Object) -> bool:
    status = pod["status"]
    return status.get("phase") == "Running" and "podIP" in status and "deletionTimestamp" not in pod["metadata"]


def _port(pod: Object) -> int:
    ports = [port["containerPort"] for c in pod["spec"]["containers"] for port in c.get("ports", [])]
    return int(ports[0]) if ports else 8000
