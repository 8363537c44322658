"""What the operator costs: CPU, memory and API writes for 500 providers and 50 routes on a real API server.

`make bench` runs it; the control plane is that of the tests, the providers' servers are one small HTTP server here.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testbed.api import Api, Object

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT / "operator"), str(ROOT / "tests")]

from testbed import controlplane  # noqa: E402 - after the path
from testbed.operatorprocess import OperatorProcess, install_rbac, kubeconfig_for  # noqa: E402
from testbed.waiting import until  # noqa: E402

NAMESPACE = "bench"
PATH = f"/apis/pointsman.dev/v1alpha1/namespaces/{NAMESPACE}"
WRITES = "pointsman_api_writes_total"


MODELS = b'{"object":"list","data":[{"id":"m","object":"model","max_model_len":32768}]}'
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(MODELS), MODELS)


def main() -> None:
    arguments = parser().parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        served() as url,
        controlplane.running(Path(folder) / "cp", ROOT / "crds") as plane,
    ):
        plane.api.post("/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
        config = kubeconfig_for(plane.api, plane.kubeconfig, install_rbac(plane.api), Path(folder))
        measure(plane.api, config, url, arguments.providers, arguments.routes)


def measure(api: Api, kubeconfig: Path, url: str, providers: int, routes: int) -> None:
    objects = providers + routes
    row("", "seconds", "CPU s", "CPU ms/object", "writes", "writes/object", "RSS MiB")
    with OperatorProcess(kubeconfig) as operator:
        report(operator, "started, nothing there", Meter(operator, 0.0), objects)
        meter = Meter(operator)
        create(api, url, providers, routes)
        created = time.monotonic() - meter.started
        until(lambda: ready(api, providers, routes), 300, 0.5, what="every object Ready")
        settled(operator)
        report(operator, f"created in {created:.1f} s, settled", meter, objects)
        kinds(operator)
        meter = Meter(operator)
        time.sleep(30)
        report(operator, "30 s at rest (3 probes each)", meter, objects)
        operator.kill()
        before = versions(api)
        meter = Meter(operator, 0.0)
        operator.start()
        settled(operator)
        report(operator, "after SIGKILL: restarted, settled", meter, objects)
        kinds(operator)
        print(f"objects changed by the restart: {sum(before[key] != value for key, value in versions(api).items())}")


class Meter:
    """What the operator has used up since here (or since it was started, with `at` 0)."""

    def __init__(self, operator: OperatorProcess, at: float | None = None) -> None:
        self.started = time.monotonic()
        self.cpu = cpu(operator) if at is None else 0.0
        self.writes = operator.metric(WRITES) if at is None else 0.0


def report(operator: OperatorProcess, what: str, meter: Meter, objects: int) -> None:
    spent, writes = cpu(operator) - meter.cpu, operator.metric(WRITES) - meter.writes
    pages = int(Path(f"/proc/{pid(operator)}/statm").read_text().split()[1])
    rss = pages * os.sysconf("SC_PAGE_SIZE") / 2**20
    elapsed = time.monotonic() - meter.started
    row(what, f"{elapsed:.1f}", f"{spent:.2f}", f"{spent * 1000 / objects:.2f}", f"{writes:.0f}",
        f"{writes / objects:.2f}", f"{rss:.0f}")  # fmt: skip


def kinds(operator: OperatorProcess) -> None:
    names = ("ModelProvider", "ModelRoute", "ConfigMap", "Secret", "Event", "Deployment")
    counts = {name: operator.metric(f'{WRITES}{{kind="{name}"') for name in names}
    print("  writes: " + ", ".join(f"{name} {count:.0f}" for name, count in counts.items() if count))


def create(api: Api, url: str, providers: int, routes: int) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: api.post(f"{PATH}/modelproviders", provider(n, url)), range(providers)))
        list(pool.map(lambda n: api.post(f"{PATH}/modelroutes", route(n, providers)), range(routes)))


def provider(number: int, url: str) -> Object:
    spec = {"type": "OpenAICompatible", "endpoint": {"baseUrl": f"{url}/{number}/v1"}}
    return body("ModelProvider", f"p{number:04}", spec)


def route(number: int, providers: int) -> Object:
    names = [f"p{(number * 10 + step) % providers:04}" for step in range(3)]
    targets = [{"provider": name, "model": "m"} for name in names]
    return body(
        "ModelRoute", f"r{number:04}", {"modelName": f"m{number}", "primary": targets[0], "fallbacks": targets[1:]}
    )


def body(kind: str, name: str, spec: Object) -> Object:
    return {"apiVersion": "pointsman.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec}


def ready(api: Api, providers: int, routes: int) -> bool:
    counts = [sum(is_ready(item) for item in api.items(f"{PATH}/{kind}")) for kind in ("modelproviders", "modelroutes")]
    return counts == [providers, routes]


def is_ready(item: Object) -> bool:
    conditions = item.get("status", {}).get("conditions", ())
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def settled(operator: OperatorProcess) -> None:
    """Wait until nothing was written for three seconds."""
    last, since = operator.metric(WRITES), time.monotonic()
    while time.monotonic() - since < 3:
        time.sleep(1)  # a scrape costs the operator some milliseconds too
        if (now := operator.metric(WRITES)) != last:
            last, since = now, time.monotonic()


def versions(api: Api) -> dict[str, str]:
    paths = (f"{PATH}/modelproviders", f"{PATH}/modelroutes", f"/api/v1/namespaces/{NAMESPACE}/configmaps")
    return {item["metadata"]["uid"]: item["metadata"]["resourceVersion"] for path in paths for item in api.items(path)}


def cpu(operator: OperatorProcess) -> float:
    """Seconds of user and system time."""
    fields = Path(f"/proc/{pid(operator)}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def pid(operator: OperatorProcess) -> int:
    process = operator._process  # noqa: SLF001 - a bench may look inside
    assert process is not None
    return process.pid


def row(*cells: str) -> None:
    print(f"{cells[0]:36}" + "".join(f"{cell:>15}" for cell in cells[1:]), flush=True)


@contextmanager
def served() -> Iterator[str]:
    """Every provider's /v1/models, on one port."""
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(asyncio.start_server(answer, "127.0.0.1", 0, backlog=1024))
    threading.Thread(target=loop.run_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        loop.call_soon_threadsafe(loop.stop)


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
        while True:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(ANSWER)
    writer.close()


def parser() -> argparse.ArgumentParser:
    root = argparse.ArgumentParser(description=__doc__)
    root.add_argument("--providers", type=int, default=500)
    root.add_argument("--routes", type=int, default=50)
    return root


if __name__ == "__main__":
    main()
