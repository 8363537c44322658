"""The gateway beside nginx and haproxy, each in turn on one core; backend and load, one program, on the other.

    python bench/gateway.py [--seconds 2] [--rounds 5]

Rounds are interleaved (direct, nginx, haproxy, gateway, direct, …) and medians are told, so that what else the machine
does falls on all alike; on a busy machine compare ratios, not figures. The gateway runs with every feature on: log
line, metrics, health, decision header, a fence, a fallback. nginx and haproxy only proxy, without a log. One that
cannot be had (in PATH, or as a Debian package that can be downloaded) is left out.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

HERE = Path(__file__).resolve().parent
SOURCE = HERE.parent / "operator"
sys.path.insert(0, str(SOURCE))

from pointsman import table as tables  # noqa: E402 - the path first
from pointsman.table import Fence, Model, Policy, Provider, Route, RoutingTable, Target  # noqa: E402

GATEWAY_CORE, LOAD_CORE = "0", "1"
EVENTS = 200  # in a stream
WORDS = "The quick brown fox jumps over the lazy dog. "


class Case(NamedTuple):
    """One kind of load: connections, requests a second (0: as fast as it goes), bytes of prompt, streamed."""

    name: str
    connections: int
    rate: float
    prompt: int
    stream: bool


CASES = (
    Case("1 connection", 1, 0, 200, stream=False),
    Case("64 connections", 64, 0, 200, stream=False),
    Case("256 connections", 256, 0, 200, stream=False),
    Case("64 KiB bodies, 16 connections", 16, 0, 65_536, stream=False),
    Case("200 a second", 8, 200, 200, stream=False),
    Case("512 streams", 512, 0, 200, stream=True),
)


@dataclass
class Server:
    """Something that answers on a port, and the processes whose time counts."""

    name: str
    port: int
    pids: tuple[int, ...] = ()

    def cpu(self) -> float:
        """Seconds of processor time so far."""
        return sum(_cpu(pid) for pid in self.pids)


class Result(NamedTuple):
    """One round. Times in microseconds."""

    rate: float
    p50: float
    p99: float
    events: float
    cpu: float
    errors: int


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--seconds", type=float, default=2.0, help="of each round")
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--only", default="", help="cases whose name holds this")
    options = arguments.parse_args()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        tool = build(folder)
        if tool is None:
            print("no C compiler (cc): the load generator cannot be built; install gcc")
            return 1
        backend = Server("direct", free_port())  # the load tool asks itself
        peers = [stack.enter_context(peer(folder, backend.port)) for peer in (nginx, haproxy)]
        ours = stack.enter_context(gateway(folder, backend.port))
        servers = [backend, *(peer for peer in peers if peer is not None), ours]
        tools = Tools(tool, backend.port, folder)
        print(f"load generator: {tool.name} (C); gateway on core {GATEWAY_CORE}, the rest on core {LOAD_CORE}; "
              f"load {os.getloadavg()[0]:.1f}; {options.rounds} rounds of {options.seconds:g} s, medians")  # fmt: skip
        for case in CASES:
            if options.only in case.name:
                report(case, measure(case, servers, tools, options.seconds, options.rounds))
    return 0


class Tools(NamedTuple):
    """What a round needs: the load tool, the port on which it is to be the backend, a folder to write in."""

    program: Path
    backend: int
    folder: Path


def measure(case: Case, servers: list[Server], tools: Tools, seconds: float, rounds: int) -> dict[str, list[Result]]:
    results: dict[str, list[Result]] = {server.name: [] for server in servers}
    (tools.folder / "request").write_bytes(request(case))
    for server in servers:
        load(tools, server, case, 0.5)  # code warm
    for _ in range(rounds):
        for server in servers:
            results[server.name].append(load(tools, server, case, seconds))
    return results


def load(tools: Tools, server: Server, case: Case, seconds: float) -> Result:
    before, start = server.cpu(), time.perf_counter()
    command = ["taskset", "-c", LOAD_CORE, str(tools.program), str(tools.backend), str(EVENTS), str(server.port)]
    command += [str(tools.folder / "request"), str(case.connections), str(seconds), str(case.rate)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    done, errors, p50, p99, events, _ = (float(value) for value in output)
    spent = time.perf_counter() - start
    cpu = (server.cpu() - before) / done * 1e6 if done and server.pids else 0.0
    return Result(done / seconds, p50, p99, events / spent, cpu, int(errors))


def report(case: Case, results: dict[str, list[Result]]) -> None:
    print(f"\n{case.name}")
    medians = {name: Result(*(statistics.median(column) for column in zip(*rounds, strict=True)))
               for name, rounds in results.items()}  # fmt: skip
    for name, found in medians.items():
        added = found.p50 - medians["direct"].p50
        what = f"{found.events:9,.0f} events/s" if case.stream else f"{found.rate:9,.0f} req/s"
        print(f"  {name:8} {what}  p50 {found.p50:8,.0f} us  (+{added:6,.0f})  p99 {found.p99:8,.0f} us  "
              f"{found.cpu:6.1f} us CPU a request  {found.errors:.0f} errors")  # fmt: skip
    for peer in medians:
        if peer not in {"direct", "gateway"}:
            print(f"  gateway / {peer}: {compared(case, medians, peer)}")


def compared(case: Case, medians: dict[str, Result], peer: str) -> str:
    """How much longer the gateway takes than another proxy."""
    ours, theirs, direct = medians["gateway"], medians[peer], medians["direct"].p50
    if case.rate:
        return f"{(ours.p50 - direct) / max(theirs.p50 - direct, 0.1):.2f} times the added latency"
    ratio = theirs.events / ours.events if case.stream else theirs.rate / ours.rate
    return f"{ratio:.2f} times the time per {'event' if case.stream else 'request'}"


def request(case: Case) -> bytes:
    prompt = (WORDS * (case.prompt // len(WORDS) + 1))[: case.prompt]
    stream = "true" if case.stream else "false"
    body = (f'{{"model":"assistant","messages":[{{"role":"system","content":"You are helpful."}},'
            f'{{"role":"user","content":"{prompt}"}}],"stream":{stream},"temperature":0.2,"max_tokens":64}}'
            ).encode()  # fmt: skip
    head = (f"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/json\r\n"
            f"Content-Type: application/json\r\nUser-Agent: OpenAI/Python 3.52.0\r\nAuthorization: Bearer none\r\n"
            f"X-Stainless-Lang: python\r\nContent-Length: {len(body)}\r\n\r\n").encode()  # fmt: skip
    return head + body


def build(folder: Path) -> Path | None:
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        return None
    tool = folder / "loadtool"
    subprocess.run([compiler, "-O2", "-o", str(tool), str(HERE / "loadtool.c")], check=True)
    return tool


@contextlib.contextmanager
def started(name: str, port: int, command: Callable[[int], Sequence[str]], log: Path) -> Iterator[Server]:
    """A server process until the end; ready when its port answers."""
    with log.open("wb") as out:
        process = subprocess.Popen(command(port), stderr=out, stdout=out)
    try:
        end = time.monotonic() + 10
        while not _answers(port):
            if time.monotonic() > end or process.poll() is not None:
                raise RuntimeError(f"{name} did not start: {log.read_text()}")
            time.sleep(0.02)
        yield Server(name, port, (process.pid,))
    finally:
        process.terminate()
        process.wait()


@contextlib.contextmanager
def gateway(folder: Path, backend: int) -> Iterator[Server]:
    """The gateway with a log to a file, a fence that holds, and a fallback."""
    url, models = f"http://127.0.0.1:{backend}", (Model(id="backend"),)
    providers = tuple(
        Provider(name=name, type="VLLM", base_url=url, api=("openai-completions",), location="OnPremises", region="eu",
                 models=models)
        for name in ("first", "second")
    )  # fmt: skip
    targets = tuple(Target(provider=provider.name, model="backend") for provider in providers)
    policy = Policy(fence=Fence(("InCluster", "OnPremises"), ("eu",)))
    routes = (Route(name="assistant", model_name="assistant", targets=targets, policy=policy),)
    file = folder / "routing.json"
    file.write_bytes(tables.dump(RoutingTable(providers=providers, routes=routes)))
    code = ("import sys; from pointsman.gateway.server import main, Options; "
            "sys.exit(main(Options(listen=sys.argv[1], table=sys.argv[2])))")  # fmt: skip
    paths = os.pathsep.join([str(SOURCE), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = ["env", f"PYTHONPATH={paths}", "taskset", "-c", GATEWAY_CORE, sys.executable, "-c", code]
    with started(
        "gateway", free_port(), lambda port: [*environment, f"127.0.0.1:{port}", str(file)], folder / "gateway.log"
    ) as server:
        yield server


@contextlib.contextmanager
def nginx(folder: Path, backend: int) -> Iterator[Server | None]:
    """Nginx as a plain proxy with kept connections; None, said aloud, where there is none."""
    program = find("nginx", "usr/sbin/nginx", "-v", ("nginx",))
    if program is None:
        print("no nginx, in PATH or as a Debian package: measured without it")
        yield None
        return
    port = free_port()
    config = folder / "nginx.conf"
    config.write_text(
        f"daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/nginx.err;\n"
        "events { worker_connections 4096; }\n"
        f"http {{ access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;\n"
        f"  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;\n"
        "  client_max_body_size 64m; client_body_buffer_size 256k; keepalive_requests 100000000;\n"
        f"  upstream backend {{ server 127.0.0.1:{backend}; keepalive 1024; keepalive_requests 100000000; }}\n"
        f"  server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://backend; proxy_http_version 1.1;\n"
        '    proxy_set_header Connection ""; proxy_buffering off; } } }\n'
    )
    command = ["taskset", "-c", GATEWAY_CORE, *program, "-p", str(folder), "-c", str(config)]
    with started("nginx", port, lambda _: command, folder / "nginx.log") as server:
        time.sleep(0.2)
        yield Server("nginx", port, (server.pids[0], *_children(server.pids[0])))


@contextlib.contextmanager
def haproxy(folder: Path, backend: int) -> Iterator[Server | None]:
    """Haproxy as a plain proxy with kept connections; None, said aloud, where there is none."""
    program = find("haproxy", "usr/sbin/haproxy", "-v", HAPROXY_PACKAGES)
    if program is None:
        print("no haproxy, in PATH or as a Debian package: measured without it")
        yield None
        return
    port = free_port()
    config = folder / "haproxy.cfg"
    config.write_text(
        "global\n  nbthread 1\n  maxconn 8192\n"
        "defaults\n  mode http\n  option http-keep-alive\n  http-reuse always\n"
        "  timeout connect 5s\n  timeout client 60s\n  timeout server 60s\n"
        f"frontend all\n  bind 127.0.0.1:{port}\n  default_backend one\n"
        f"backend one\n  server one 127.0.0.1:{backend} pool-max-conn 1024\n"
    )
    command = ["taskset", "-c", GATEWAY_CORE, *program, "-db", "-q", "-f", str(config)]
    with started("haproxy", port, lambda _: command, folder / "haproxy.log") as server:
        yield server


HAPROXY_PACKAGES = ("haproxy", "liblua5.3-0", "libopentracing-c-wrapper0", "libopentracing1")


def find(name: str, path: str, version: str, packages: Sequence[str]) -> list[str] | None:
    """How to start a program: from PATH, or taken out of Debian packages into the cache, without installing them."""
    found = shutil.which(name)
    if found:
        return [found]
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "pointsman" / f"bench-{name}"
    program = cache / path
    if not program.exists() and shutil.which("apt-get") and shutil.which("dpkg-deb"):
        cache.mkdir(parents=True, exist_ok=True)
        for package in packages:
            subprocess.run(["apt-get", "download", package], cwd=cache, capture_output=True, check=False)
        for fetched in cache.glob("*.deb"):
            subprocess.run(["dpkg-deb", "-x", str(fetched), str(cache)], check=False)
    libraries = {str(library.parent) for library in cache.glob("usr/lib/**/*.so*")}
    start = [*(["env", f"LD_LIBRARY_PATH={os.pathsep.join(sorted(libraries))}"] if libraries else []), str(program)]
    works = program.exists() and subprocess.run([*start, version], capture_output=True, check=False).returncode == 0
    return start if works else None


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
        return True
    return False


def _children(pid: int) -> tuple[int, ...]:
    with contextlib.suppress(OSError):
        return tuple(int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
    return ()


def _cpu(pid: int) -> float:
    with contextlib.suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return 0.0


if __name__ == "__main__":
    sys.exit(main())
