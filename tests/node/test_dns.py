"""The sandbox's DNS answers from the Services that the API server has, and says what is not there."""

import ssl
import struct
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.node import dns

SERVICES: dict[str, dict[str, Any]] = {
    "/api/v1/namespaces/models/services/engine": {"spec": {"clusterIP": "10.0.0.7"}},
    "/api/v1/namespaces/models/services/pods": {"spec": {"clusterIP": "None"}},
    "/apis/discovery.k8s.io/v1/namespaces/models/endpointslices?labelSelector=kubernetes.io/service-name=pods": {
        "items": [
            {
                "endpoints": [
                    {"addresses": ["10.244.1.2"], "conditions": {"ready": True}},
                    {"addresses": ["10.244.1.3"], "conditions": {"ready": False}},
                ]
            },
            {"endpoints": None},
        ]
    },
}


class Known(dns.Cluster):
    """A cluster that holds SERVICES."""

    def __init__(self) -> None:
        """Reads no certificates."""

    def get(self, path: str) -> dict[str, Any] | None:
        return SERVICES.get(path)


class Down(dns.Cluster):
    """A cluster whose API server breaks off."""

    def __init__(self) -> None:
        """Reads no certificates."""

    def get(self, path: str) -> dict[str, Any] | None:
        raise ssl.SSLEOFError(path)


def query(name: str, kind: int = dns.TYPE_A) -> bytes:
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
    return struct.pack("!HHHHHH", 0xBEEF, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!HH", kind, 1)


def parsed(response: bytes, asked: bytes) -> tuple[int, list[bytes]]:
    """The response code and the addresses, of a response to what was asked."""
    identity, flags, questions, answers, _, _ = struct.unpack_from("!HHHHHH", response)
    assert (identity, flags & 0x8100, questions) == (0xBEEF, 0x8100, 1)
    assert response[12 : len(asked)] == asked[12:]
    records = response[len(asked) :]
    assert len(records) == 16 * answers
    return flags & 0xF, [records[at + 12 : at + 16] for at in range(0, len(records), 16)]


@pytest.mark.parametrize(
    ("name", "kind", "code", "addresses"),
    [
        ("engine.models.svc.cluster.local", 1, dns.NO_ERROR, [bytes([10, 0, 0, 7])]),
        ("ENGINE.Models.svc.cluster.local", 1, dns.NO_ERROR, [bytes([10, 0, 0, 7])]),
        ("pods.models.svc.cluster.local", 1, dns.NO_ERROR, [bytes([10, 244, 1, 2])]),
        ("engine.models.svc.cluster.local", 28, dns.NO_ERROR, []),
        ("engine.other.svc.cluster.local", 1, dns.NAME_ERROR, []),
        ("engine.models.svc", 1, dns.NAME_ERROR, []),
        ("svc.cluster.local", 1, dns.NAME_ERROR, []),
        ("example.com", 1, dns.NAME_ERROR, []),
    ],
)
def test_names_of_services_have_addresses(name: str, kind: int, code: int, addresses: list[bytes]) -> None:
    """A Service has its ClusterIP, a headless one its ready Pods; no other name exists, and no IPv6."""
    asked = query(name, kind)
    assert parsed(dns.answer(asked, Known()), asked) == (code, addresses)


def test_a_server_that_is_down_is_not_a_missing_name() -> None:
    """SERVFAIL makes a resolver ask again, where NXDOMAIN would be believed."""
    asked = query("engine.models.svc.cluster.local")
    assert parsed(dns.answer(asked, Down()), asked) == (dns.SERVER_FAILURE, [])


@given(st.binary(max_size=64))
def test_garbage_is_told_apart(data: bytes) -> None:
    """Bytes that are no query raise what the server's loop expects, never anything else."""
    with suppress(IndexError, struct.error):
        assert dns.answer(data, Known())[:2] == data[:2]
