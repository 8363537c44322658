"""The only place that talks to the API server: plain JSON in and out, every failure one of the errors below."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urlencode

import aiohttp
import msgspec
from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.client.rest import RESTClientObject
from kubernetes.aio.config import ConfigException, load_incluster_config, load_kube_config

from pointsman.names import FIELD_MANAGER

if TYPE_CHECKING:
    from collections.abc import Callable

    from pointsman.controller.kinds import Kind
    from pointsman.fleet.world import Json

STATUS_MANAGER: Final = f"{FIELD_MANAGER}-status"
_PAGE: Final = 500
_TIMEOUT: Final = aiohttp.ClientTimeout(total=30, connect=10)


class ApiError(Exception):
    """The API server refused or did not answer (`status` 0); `retry_after` seconds are to be waited at least."""

    def __init__(self, what: str, status: int, reason: str = "", message: str = "", retry_after: float = 0.0) -> None:
        super().__init__(f"{what}: {status or 'no answer'} {reason}: {message}")
        self.status, self.reason, self.message, self.retry_after = status, reason, message, retry_after


class NotFoundError(ApiError): ...


class ConflictError(ApiError): ...


class ForbiddenError(ApiError): ...


class GoneError(ApiError): ...


class TooManyRequestsError(ApiError): ...


class UnavailableError(ApiError): ...


_ERRORS: Final = {
    403: ForbiddenError,
    404: NotFoundError,
    409: ConflictError,
    410: GoneError,
    429: TooManyRequestsError,
}


class Listing(NamedTuple):
    """All objects of a kind, as they were at a version."""

    items: list[Json]
    version: str


class Cluster:
    """One connection pool. `on_write` hears (kind, verb) of each write that is sent."""

    def __init__(self, configuration: Configuration, on_write: Callable[[str, str], None] = lambda *_: None) -> None:
        self.configuration = configuration
        self._rest = RESTClientObject(configuration)
        self._on_write = on_write

    async def list_all(self, kind: Kind, namespace: str | None = None) -> Listing:
        """Every object of a kind that passes its filters, read in pages; a list that expired on the way begins anew."""
        for _ in range(3):
            try:
                return await self._pages(kind, namespace)
            except GoneError:
                continue
        page = await self._call("GET", kind.path(namespace), _filters(kind))
        return Listing(list(page["items"]), page["metadata"]["resourceVersion"])

    async def get(self, kind: Kind, namespace: str, name: str) -> Json:
        return await self._call("GET", kind.path(namespace, name))

    async def pods(self, namespace: str, labels: str) -> list[Json]:
        """The Pods with these labels."""
        answer = await self._call("GET", f"/api/v1/namespaces/{namespace}/pods", {"labelSelector": labels})
        return list(answer["items"])

    async def log(self, namespace: str, pod: str, container: str, *, previous: bool, lines: int, size: int) -> str:  # noqa: PLR0913 - as the API has them
        """The end of a container's log: at most `lines` lines, cut to the last `size` bytes."""
        query = {"container": container, "tailLines": str(lines)} | ({"previous": "true"} if previous else {})
        path = f"/api/v1/namespaces/{namespace}/pods/{pod}/log"
        _, data = await self._answer("GET", path, query, accept="*/*")
        return data[-size:].decode("utf-8", "replace")

    async def apply(self, kind: Kind, body: Json, *, status: bool = False, dry_run: bool = False) -> Json:
        """Server-side apply of all that is ours of an object (or its status); the object as it then is, or would be."""
        meta = body["metadata"]
        path = kind.path(meta["namespace"], meta["name"], "status" if status else "")
        query = {"fieldManager": STATUS_MANAGER if status else FIELD_MANAGER, "force": "true"}
        if dry_run:
            query["dryRun"] = "All"
        else:
            self._on_write(kind.name, "status" if status else "apply")
        return await self._call("PATCH", path, query, body, "application/apply-patch+yaml")

    async def annotate(self, kind: Kind, namespace: str, name: str, annotations: dict[str, str]) -> Json:
        return await self.merge(kind, namespace, name, {"metadata": {"annotations": annotations}}, verb="annotate")

    async def merge(self, kind: Kind, namespace: str, name: str, patch: Json, verb: str = "patch") -> Json:
        """JSON merge patch; with `metadata.resourceVersion` in it, of that version alone (ConflictError)."""
        self._on_write(kind.name, verb)
        query = {"fieldManager": FIELD_MANAGER}
        return await self._call("PATCH", kind.path(namespace, name), query, patch, "application/merge-patch+json")

    async def knows(self, kind: Kind) -> bool:
        """Whether the cluster has such a kind."""
        try:
            answer = await self._call("GET", f"/apis/{kind.api}")
        except NotFoundError:
            return False
        return any(each.get("name") == kind.plural for each in answer.get("resources") or ())

    async def create(self, kind: Kind, namespace: str, body: Json) -> Json:
        """ConflictError: one of this name is there."""
        self._on_write(kind.name, "create")
        return await self._call("POST", kind.path(namespace), {}, body)

    async def delete(self, kind: Kind, namespace: str, name: str, uid: str) -> None:
        """Delete this very object: one of the same name but another uid is a ConflictError."""
        self._on_write(kind.name, "delete")
        body = {"preconditions": {"uid": uid}, "propagationPolicy": "Background"}
        await self._call("DELETE", kind.path(namespace, name), {}, body)

    async def token(self) -> str:
        """The Authorization header's value, read anew from its file when it is due; "" with client certificates."""
        return await self.configuration.get_api_key_with_prefix("BearerToken", "authorization") or ""

    async def close(self) -> None:
        await self._rest.close()

    async def _pages(self, kind: Kind, namespace: str | None) -> Listing:
        query, items = _filters(kind) | {"limit": str(_PAGE)}, []
        while True:
            page = await self._call("GET", kind.path(namespace), query)
            items += page["items"]
            if not (token := page["metadata"].get("continue")):
                return Listing(items, page["metadata"]["resourceVersion"])
            query["continue"] = token

    async def _call(
        self,
        method: str,
        path: str,
        query: dict[str, str] | None = None,
        body: Json | None = None,
        content_type: str = "application/json",
    ) -> Json:
        what, data = await self._answer(method, path, query, body, content_type)
        return _decode(what, data)

    async def _answer(  # noqa: PLR0913, PLR0917 - what a request is made of
        self,
        method: str,
        path: str,
        query: dict[str, str] | None = None,
        body: Json | None = None,
        content_type: str = "application/json",
        accept: str = "application/json",
    ) -> tuple[str, bytes]:
        headers = {"Content-Type": content_type, "Accept": accept, "User-Agent": "pointsman-operator"}
        if token := await self.token():
            headers["Authorization"] = token
        url = f"{self.configuration.host}{path}" + (f"?{urlencode(query)}" if query else "")
        try:
            response = await self._rest.request(  # type: ignore[no-untyped-call]
                method, url, headers, body, _request_timeout=_TIMEOUT
            )
            data = await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise UnavailableError(f"{method} {path}", 0, type(error).__name__, str(error)) from error
        if response.status >= 400:
            raise _error(f"{method} {path}", response, data)
        return f"{method} {path}", data


async def configuration(kubeconfig: str | None = None) -> Configuration:
    """How to reach the API server: `kubeconfig`, else the Pod's service account, else $KUBECONFIG or ~/.kube/config."""
    result = Configuration()
    result.connection_pool_maxsize = 32
    # With trust_env aiohttp looks for a ~/.netrc in a thread at every request.
    result.client_session_kwargs = {"trust_env": False}
    if kubeconfig is None:
        try:
            load_incluster_config(client_configuration=result)  # type: ignore[no-untyped-call]
        except ConfigException:
            pass
        else:
            return result
    await load_kube_config(  # type: ignore[no-untyped-call]
        config_file=kubeconfig, client_configuration=result, persist_config=False
    )
    return result


def _filters(kind: Kind) -> dict[str, str]:
    query = {"labelSelector": kind.labels, "fieldSelector": kind.fields}
    return {key: value for key, value in query.items() if value}


def _decode(what: str, data: bytes) -> Json:
    try:
        answer: Json = msgspec.json.decode(data)
    except msgspec.MsgspecError as error:
        raise UnavailableError(what, 0, "NotJSON", str(error)) from error
    return answer


def _error(what: str, response: Any, data: bytes) -> ApiError:
    """What the API server, or a proxy before it, said."""
    try:
        said: Json = msgspec.json.decode(data, type=dict)
    except msgspec.MsgspecError:
        said = {"message": data[:200].decode("utf-8", "replace")}
    status = int(response.status)
    kind = UnavailableError if status >= 500 else _ERRORS.get(status, ApiError)
    header = response.headers.get("Retry-After", "")
    wait = float(header) if re.fullmatch(r"\d{1,4}", header) else 0.0
    return kind(what, status, str(said.get("reason", "")), str(said.get("message", "")), wait)
