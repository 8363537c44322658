"""`models.providers` of an OpenClaw configuration as ModelProviders and their Secrets."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from pointsman.api.provider import ModelProviderSpec
from pointsman.dialects import compat_keys
from pointsman.fleet import unimplemented, validity
from pointsman.fleet.openclaw_hosts import VENDORS, guessed_type, host_problem, location, named_type, vendor_of
from pointsman.fleet.openclaw_models import LEFT_OUT, read_models
from pointsman.fleet.openclaw_write import PROVIDERS as OWN
from pointsman.names import PROXIES, USUAL_PORTS, Dialect, Location, Mode, ProviderType

if TYPE_CHECKING:
    from pointsman.fleet.openclaw_hosts import Vendor
    from pointsman.fleet.openclaw_text import Node

MAX_NAME: Final = 52  # of our objects: the name becomes a Service's and a label's
TOKEN: Final = "token"  # noqa: S105 - the key in a Secret, not a token

_REMOVED: Final = {"openai-codex-responses": "OpenClaw itself removed it"}
_OTHER_APIS: Final = {
    "openai-chatgpt-responses", "google-generative-ai", "google-vertex", "github-copilot", "bedrock-converse-stream",
    "pi-messages", "azure-openai-responses",
}  # fmt: skip
_WEEK: Final = 7 * 86400
_KNOWN: Final = ("baseUrl", "apiKey", "auth", "api", "maxTokens", "timeoutSeconds", "headers", "models", "authHeader")


@dataclass(frozen=True, slots=True)
class Place:
    """A provider of the configuration: what becomes its ModelProvider and Secret. `timeout` 0: not said."""

    key: str  # as refs name it, in lower case
    name: str
    spec: dict[str, Any]
    token: str = ""
    timeout: float = 0.0

    def model_ids(self) -> list[str]:
        return [model["id"] for model in self.spec.get("models", ())]


def read_places(providers: Node | None, mode: Mode) -> dict[str, Place]:
    """Every provider that Pointsman can use, by its key in lower case; the others are named in warnings."""
    places: dict[str, Place] = {}
    seen: dict[str, str] = {}
    names: set[str] = set()
    for key, node in providers.members() if providers else ():
        canonical = key.strip().lower()
        if canonical in seen:
            raise node.error(f"is {seen[canonical]!r} in other letters: OpenClaw takes them for one provider")
        seen[canonical] = key
        if (place := _place(canonical, unique_name(key, names, "provider"), node, mode)) is not None:
            places[canonical] = place
            names.add(place.name)
            if canonical in OWN.values():
                node.warn("looks like Pointsman's own gateway: a gateway that asks itself answers nobody")
            if place.name != key:
                node.warn(f"becomes the ModelProvider {place.name}, a name that Kubernetes allows")
    return places


def hosted_place(key: str, name: str, models: list[str], token: str) -> Place:
    """A hosted vendor (a key of VENDORS) that the configuration refers to without defining it."""
    vendor = VENDORS[key]
    spec = {
        "type": str(vendor.type),
        "endpoint": {"baseUrl": vendor.base_url},
        "models": [{"id": model} for model in models],
        "dataPolicy": {"location": str(Location.EXTERNAL)},
    }
    return Place(key, name, spec, token)


def unique_name(text: str, taken: set[str], otherwise: str) -> str:
    """A DNS label made of `text` that is not taken: "LM Studio" -> "lm-studio"."""
    slug = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:MAX_NAME].strip("-") or otherwise
    name, number = slug, 1
    while name in taken:
        number += 1
        name = f"{slug[: MAX_NAME - 4].strip('-')}-{number}"
    return name


def _place(key: str, name: str, node: Node, mode: Mode) -> Place | None:
    base_url = _base_url(key, node)
    vendor = vendor_of(base_url)
    api = _api(node, vendor)
    if api is None:
        node.source.unusable[key] = f"give it an api that Pointsman speaks ({', '.join(Dialect)}), if it has one"
        return None
    headers, bearer = _headers(node)
    spec: dict[str, Any] = {"type": str(_type(key, base_url, node)), "endpoint": {"baseUrl": base_url}}
    if headers:
        spec["endpoint"]["headers"] = headers
    if api:
        spec["api"] = api
    if mode is Mode.REPLACE:
        spec["discovery"] = "Static"
    if models := read_models(node):
        spec["models"] = [_without_idle_pins(model, spec["type"], node) for model in models]
    spec["dataPolicy"] = {"location": _location(base_url, spec["type"], node)}
    _name_unused(node)
    timeout = node.member("timeoutSeconds")
    token = _token(node, bearer, vendor)
    place = Place(key, name, spec, token, _seconds(timeout) if timeout else 0.0)
    _check(place, node)
    return place


def _without_idle_pins(model: dict[str, Any], kind: str, node: Node) -> dict[str, Any]:
    """The model without what says who may answer, where OpenClaw itself would not say it to such a server."""
    stated = model.get("compat", {})
    idle = [key for key in compat_keys.ROUTING if key in stated and compat_keys.ONLY_FOR[key] != kind]
    for key in idle:
        node.warn(f"{model['id']}: compat.{key} does nothing at a server of type {kind} and is left out")
    kept = {key: value for key, value in stated.items() if key not in idle}
    others = {key: value for key, value in model.items() if key != "compat"}
    return {**others, "compat": kept} if kept else others


def _base_url(key: str, node: Node) -> str:
    given = node.member("baseUrl")
    if given is not None:
        url = given.text()
        if problem := host_problem(url):
            raise given.error(problem)
        return url
    if key in VENDORS:
        return VENDORS[key].base_url
    kind = named_type(key)
    if kind is None:
        raise node.error("baseUrl is missing: say where the server is, such as http://127.0.0.1:1234/v1")
    url = f"http://127.0.0.1:{USUAL_PORTS[kind]}/v1"
    node.warn(f"has no baseUrl: {url}, where {kind} usually listens, was taken")
    return url


def _type(key: str, base_url: str, node: Node) -> ProviderType:
    api = node.member("api")
    return ProviderType.OLLAMA if api and api.value == "ollama" else guessed_type(key, base_url)


def _api(node: Node, vendor: Vendor | None) -> list[str] | None:
    # None: the provider cannot be used. Empty: its type decides.
    given = node.member("api")
    if given is None:
        return [] if vendor else [str(Dialect.CHAT)]
    kind = given.text()
    if kind in list(Dialect):
        return [kind]
    if kind == "ollama":
        given.warn("Ollama's own API is not spoken; its openai-completions API at the same address is used")
        return [str(Dialect.CHAT)]
    given.warn(f"{_why_not(kind)}; the provider is left out. Pointsman speaks {', '.join(Dialect)}")
    return None


def _why_not(kind: str) -> str:
    if kind in _REMOVED:
        return f"{kind!r} cannot be used: {_REMOVED[kind]}"
    if kind in _OTHER_APIS:
        return f"{kind!r} is not spoken"
    close = difflib.get_close_matches(kind, list(Dialect), 1)
    return f"{kind!r} is unknown" + (f", did you mean {close[0]}?" if close else "")


def _location(base_url: str, kind: str, node: Node) -> str:
    if kind in PROXIES:
        node.warn(
            f"dataPolicy.location External was written, since a {kind} hands requests on to others: correct it where "
            "all of them are on your own ground"
        )
        return str(Location.EXTERNAL)
    where = location(base_url)
    because = "a private address" if where is Location.ON_PREMISES else "a public address"
    node.warn(f"dataPolicy.location {where} was written, since {base_url} is {because}: correct it where that is wrong")
    return str(where)


def _headers(node: Node) -> tuple[dict[str, str], str]:
    # What stays a header, and a bearer token that came as one.
    headers: dict[str, str] = {}
    bearer = ""
    given = node.member("headers")
    for name, value in given.members() if given else ():
        text = _secret_text(value)
        if name.lower() in ("authorization", "x-api-key"):
            bearer = re.sub(r"^[Bb]earer\s+", "", text)
            value.warn("was moved into the Secret of credentials.secretRef")
            continue
        if isinstance(value.value, dict) or value.names_variable():
            value.warn("its value stands in the object for all to read; a key belongs into apiKey")
        headers[name] = text
    return headers, bearer


def _token(node: Node, bearer: str, vendor: Vendor | None) -> str:
    given = node.member("apiKey")
    if given is not None and (token := _secret_text(given)):
        return token
    if bearer or vendor is None:
        return bearer
    if not (token := node.source.env.get(vendor.variable, "")):
        node.warn(f"has no apiKey, and {vendor.variable} is not set: set it, or the vendor will refuse requests")
    return token


def _secret_text(node: Node) -> str:
    # Text, or OpenClaw's SecretRef: {source, provider, id}.
    if not isinstance(node.value, dict):
        return node.text()
    source, name = node.member("source"), node.member("id")
    if source is None or name is None:
        raise node.error('must be text or {source: "env", id: "NAME"}')
    if source.text() != "env":
        raise source.error(f'{source.text()!r} cannot be read here: use {{source: "env", id: "NAME"}} or "${{NAME}}"')
    return name.variable(name.text())


def _seconds(node: Node) -> float:
    if not 0.001 <= (number := node.number()) <= _WEEK:
        raise node.error(f"must be more than 0 and at most {_WEEK} seconds")
    return float(number)


def _name_unused(node: Node) -> None:
    node.name_rest(_KNOWN, LEFT_OUT)
    auth = node.member("auth")
    if auth and auth.text() not in ("api-key", "token"):
        auth.warn(f"{auth.text()!r} cannot be used: give an apiKey")
    header = node.member("authHeader")
    if header and not header.flag():
        header.warn("false is not kept: the provider's type decides how the key is sent")


def _check(place: Place, node: Node) -> None:
    # What the operator would refuse is better refused here, where the path is the user's own.
    try:
        spec = ModelProviderSpec.model_validate(place.spec)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        inner = ".".join(str(part) for part in first["loc"] if part != "endpoint")
        raise node.source.error(f"{node.path}.{inner}", first["msg"].lower()) from None
    if problems := [*validity.provider(spec), *unimplemented.refusals(spec)]:
        raise node.error(problems[0].removeprefix("spec.").removeprefix("endpoint."))
