"""Cluster DNS: `dns.py ADDRESS PKI API_SERVER` answers queries for the addresses of SERVICE.NAMESPACE.svc.

It asks the API server at every query, so it is never stale: one node of a test bears that. Other names do not exist,
because nothing outside the sandbox does either. Message format: RFC 1035, section 4.1.
"""

import http.client
import json
import socket
import ssl
import struct
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

DOMAIN = "svc.cluster.local"
TYPE_A, CLASS_IN = 1, 1
NO_ERROR, SERVER_FAILURE, NAME_ERROR = 0, 2, 3


class Cluster:
    """Reads Services from the API server at `url`, as the administrator whose certificate lies in `pki`."""

    def __init__(self, pki: Path, url: str) -> None:
        self.tls = ssl.create_default_context(cafile=str(pki / "ca.crt"))
        self.tls.load_cert_chain(pki / "admin.crt", pki / "admin.key")
        self.host = urlsplit(url).netloc

    def get(self, path: str) -> dict[str, Any] | None:
        """The object or list at `path`; None where the server does not know it."""
        connection = http.client.HTTPSConnection(self.host, context=self.tls, timeout=5)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            found: dict[str, Any] = json.loads(answer.read())
            return found if answer.status == 200 else None
        finally:
            connection.close()

    def addresses(self, name: str) -> list[str] | None:
        """The IPv4 addresses of `SERVICE.NAMESPACE.svc.cluster.local`; None where there is no such Service."""
        labels = name.lower().removesuffix(".").removesuffix("." + DOMAIN).split(".")
        if len(labels) != 2 or not name.lower().removesuffix(".").endswith("." + DOMAIN):
            return None
        service, namespace = labels
        found = self.get(f"/api/v1/namespaces/{namespace}/services/{service}")
        if found is None:
            return None
        return self.ready(namespace, service) if found["spec"]["clusterIP"] == "None" else [found["spec"]["clusterIP"]]

    def ready(self, namespace: str, service: str) -> list[str]:
        """The addresses of the ready Pods of a headless Service."""
        path = f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices"
        slices = self.get(f"{path}?labelSelector=kubernetes.io/service-name={service}") or {"items": []}
        endpoints = [endpoint for found in slices["items"] for endpoint in found["endpoints"] or []]
        return [a for e in endpoints if e.get("conditions", {}).get("ready", True) for a in e["addresses"]]


def question(query: bytes) -> tuple[str, int, int]:
    """The name and type that a query asks for, and where its question ends. IndexError, struct.error: cut short."""
    labels, at = [], 12
    while length := query[at]:
        labels.append(query[at + 1 : at + 1 + length].decode("ascii", "replace"))
        at += 1 + length
    (kind,) = struct.unpack_from("!H", query, at + 1)
    return ".".join(labels), kind, at + 5


def answer(query: bytes, cluster: Cluster) -> bytes:
    """The response to one query."""
    name, kind, end = question(query)
    try:
        addresses = cluster.addresses(name)
        code = NAME_ERROR if addresses is None else NO_ERROR
    except (OSError, http.client.HTTPException, ValueError) as error:
        print(f"{name}: {error}", flush=True)
        addresses, code = None, SERVER_FAILURE
    records = [socket.inet_aton(a) for a in addresses or []] if kind == TYPE_A else []
    identity, flags = struct.unpack_from("!HH", query)
    flags = 0x8480 | (flags & 0x0100) | code  # response, authoritative, recursion as it was asked for
    head = struct.pack("!HHHHHH", identity, flags, 1, len(records), 0, 0)
    pointer = struct.pack("!HHHIH", 0xC00C, TYPE_A, CLASS_IN, 1, 4)  # the name of the question, for 1 s
    return head + query[12:end] + b"".join(pointer + record for record in records)


def serve(address: str, cluster: Cluster) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((address, 53))
        while True:
            query, client = server.recvfrom(4096)
            try:
                server.sendto(answer(query, cluster), client)
            except (IndexError, struct.error):
                print(f"{client}: no DNS query: {query!r}", flush=True)


if __name__ == "__main__":
    serve(sys.argv[1], Cluster(Path(sys.argv[2]), sys.argv[3]))
