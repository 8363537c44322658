"""The border to the API server: every failure becomes one of ours, and every write is counted."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from controller.fakeserver import FakeServer, refusal, serving
from pointsman.controller import cluster as border
from pointsman.controller import kinds
from pointsman.controller.cluster import ApiError, Cluster

NS = "ns"


@pytest.fixture
async def server() -> AsyncIterator[FakeServer]:
    async with serving() as server:
        yield server


@pytest.fixture
async def cluster(server: FakeServer) -> AsyncIterator[Cluster]:
    cluster = Cluster(server.configuration())
    yield cluster
    await cluster.close()


def provider(name: str) -> dict[str, Any]:
    return {"metadata": {"namespace": NS, "name": name}, "spec": {}}


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (403, border.ForbiddenError),
        (404, border.NotFoundError),
        (409, border.ConflictError),
        (410, border.GoneError),
        (422, ApiError),
        (429, border.TooManyRequestsError),
        (500, border.UnavailableError),
        (503, border.UnavailableError),
    ],
)
async def test_each_status_is_an_error_of_ours(
    server: FakeServer, cluster: Cluster, status: int, kind: type[ApiError]
) -> None:
    """With the status, the server's own reason, and what was asked."""
    server.fault = lambda _: refusal(status, "Because")
    with pytest.raises(kind, match=f"GET /api/v1/namespaces/ns/secrets/s: {status} Because: injected") as error:
        await cluster.get(kinds.SECRET, NS, "s")
    assert error.value.status == status


async def test_a_server_that_asks_for_patience_gets_it(server: FakeServer, cluster: Cluster) -> None:
    """Retry-After comes along; nonsense in it counts as nothing."""
    for header, seconds in (("7", 7.0), ("soon", 0.0), ("-1", 0.0), ("", 0.0)):
        server.fault = lambda _, value=header: refusal(429, headers={"Retry-After": value})  # type: ignore[misc]
        with pytest.raises(border.TooManyRequestsError) as error:
            await cluster.get(kinds.SECRET, NS, "s")
        assert error.value.retry_after == seconds


async def test_no_answer_is_an_error_of_ours(server: FakeServer, cluster: Cluster) -> None:
    """A connection that is cut, and an answer that is no JSON."""

    def cut(request: web.Request) -> None:
        assert request.transport
        request.transport.close()

    server.fault = cut
    with pytest.raises(border.UnavailableError):
        await cluster.get(kinds.SECRET, NS, "s")
    server.fault = lambda _: web.Response(text="<html>")
    with pytest.raises(border.UnavailableError, match="NotJSON"):
        await cluster.get(kinds.SECRET, NS, "s")
    server.fault = lambda _: web.Response(status=502, text="<html>bad gateway")
    with pytest.raises(border.UnavailableError, match="bad gateway"):
        await cluster.get(kinds.SECRET, NS, "s")


async def test_a_list_is_read_in_pages(server: FakeServer, cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them make one list, with the version of the collection."""
    monkeypatch.setattr(border, "_PAGE", 2)
    for name in "abcde":
        server.api.create("ModelProvider", provider(name))
    items, version = await cluster.list_all(kinds.PROVIDER)
    assert [item["metadata"]["name"] for item in items] == list("abcde")
    assert version == str(server.api.version)
    assert len(server.calls) == 3


async def test_a_list_that_expires_on_the_way_begins_anew(
    server: FakeServer, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And is read whole when it expires again and again: half a list would look like deletions."""
    monkeypatch.setattr(border, "_PAGE", 2)
    for name in "abcde":
        server.api.create("ModelProvider", provider(name))
    server.fault = lambda request: refusal(410, "Expired") if "continue" in request.query else None
    items, _ = await cluster.list_all(kinds.PROVIDER)
    assert len(items) == 5
    assert "limit" not in server.calls[-1]


async def test_only_what_concerns_us_is_asked_for(server: FakeServer, cluster: Cluster) -> None:
    """Server-side filters; by metadata.name where RBAC names the one object."""
    await cluster.list_all(kinds.GATEWAY)
    await cluster.list_all(kinds.SECRET, NS)
    assert "labelSelector=pointsman.dev/gateway%3Dtrue" in server.calls[0]
    assert server.calls[1].startswith("GET /api/v1/namespaces/ns/secrets?fieldSelector=metadata.name%3Dpointsman-cred")


async def test_writes_are_applied_and_counted(server: FakeServer) -> None:
    """Server-side apply with our manager; of a status with its own."""
    writes: list[tuple[str, str]] = []
    cluster = Cluster(server.configuration(), lambda *write: writes.append(write))
    made = server.api.create("ModelProvider", provider("a"))
    await cluster.apply(kinds.CONFIGMAP, {"metadata": {"namespace": NS, "name": "pointsman-routing"}, "data": {}})
    status = {"metadata": {"namespace": NS, "name": "a"}, "status": {"observedGeneration": 1}}
    answer = await cluster.apply(kinds.PROVIDER, status, status=True)
    await cluster.delete(kinds.PROVIDER, NS, "a", made["metadata"]["uid"])
    await cluster.close()
    assert answer["status"] == {"observedGeneration": 1}
    assert writes == [("ConfigMap", "apply"), ("ModelProvider", "status"), ("ModelProvider", "delete")]
    assert server.calls[0].endswith("fieldManager=pointsman&force=true")
    assert server.calls[1].endswith("/a/status?fieldManager=pointsman-status&force=true")


async def test_another_object_of_the_same_name_is_not_deleted(server: FakeServer, cluster: Cluster) -> None:
    """The uid is a precondition."""
    server.api.create("ModelProvider", provider("a"))
    with pytest.raises(border.ConflictError):
        await cluster.delete(kinds.PROVIDER, NS, "a", "another")
    assert ("ModelProvider", NS, "a") in server.api.objects


async def test_a_token_is_sent_and_read_anew(server: FakeServer) -> None:
    """Service account tokens expire: the hook of the configuration is asked at every call."""
    configuration, seen = server.configuration(), []

    def refresh(config: Any) -> None:
        config.api_key["BearerToken"] = f"bearer t{len(seen)}"

    configuration.refresh_api_key_hook = refresh
    server.fault = lambda request: seen.append(request.headers["Authorization"]) or refusal(404)  # type: ignore[func-returns-value]
    cluster = Cluster(configuration)
    for _ in range(2):
        with pytest.raises(border.NotFoundError):
            await cluster.get(kinds.SECRET, NS, "s")
    await cluster.close()
    assert seen == ["bearer t0", "bearer t1"]
