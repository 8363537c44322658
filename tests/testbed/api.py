"""A small client of the Kubernetes API, for what the test bed and tests ask: plain dicts in, plain dicts out."""

import base64
import ssl
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, cast

import httpx
import yaml

Object = dict[str, Any]


class ApiError(Exception):
    """What the API server refused: `status` is the HTTP status, `reason` Kubernetes' own ("NotFound", "Forbidden")."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status, self.reason = status, reason


@dataclass(frozen=True, slots=True)
class Api:
    """One connection pool to one API server; safe to use from several threads."""

    http: httpx.Client

    @classmethod
    def from_kubeconfig(cls, kubeconfig: Path, token: str | None = None) -> Self:
        """As the kubeconfig's user, or with `token` as whoever that speaks for."""
        config = yaml.safe_load(kubeconfig.read_text())
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        headers = {"authorization": f"Bearer {bearer}"} if (bearer := token or user.get("token")) else {}
        context = _tls(cluster, {} if token else user)
        server = cluster["server"]
        return cls(httpx.Client(base_url=server, verify=context, headers=headers, trust_env=False, timeout=30))

    def get(self, path: str, **query: str) -> Object:
        return self._call("GET", path, query=query)

    def items(self, path: str, **query: str) -> list[Object]:
        return cast("list[Object]", self.get(path, **query)["items"])

    def post(self, path: str, body: Object) -> Object:
        return self._call("POST", path, body)

    def patch(self, path: str, body: Object, kind: str = "merge") -> Object:
        """Patch of the given kind: merge, or strategic-merge for built-in kinds, whose lists it merges by key."""
        return self._call("PATCH", path, body, content_type=f"application/{kind}-patch+json")

    def apply(self, path: str, body: Object, manager: str = "testbed") -> Object:
        """Server-side apply, taking over what others manage."""
        query = {"fieldManager": manager, "force": "true"}
        return self._call("PATCH", path, body, content_type="application/apply-patch+yaml", query=query)

    def delete(self, path: str, **query: str) -> Object:
        return self._call("DELETE", path, query=query)

    def close(self) -> None:
        self.http.close()

    def _call(
        self,
        method: str,
        path: str,
        body: Object | None = None,
        *,
        content_type: str = "application/json",
        query: dict[str, str] | None = None,
    ) -> Object:
        headers = {"content-type": content_type} if body is not None else {}
        response = self.http.request(method, path, params=query, json=body, headers=headers)
        answer = cast("Object", response.json())
        if response.is_error:
            raise ApiError(response.status_code, answer.get("reason", ""), answer.get("message", response.text))
        return answer


def _tls(cluster: Object, user: Object) -> ssl.SSLContext:
    authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
    context = ssl.create_default_context(cadata=authority)
    if "client-certificate-data" in user:
        with tempfile.NamedTemporaryFile() as pem:  # the ssl module reads client certificates from files only
            pem.write(base64.b64decode(user["client-certificate-data"]))
            pem.write(base64.b64decode(user["client-key-data"]))
            pem.flush()
            context.load_cert_chain(pem.name)
    return context
