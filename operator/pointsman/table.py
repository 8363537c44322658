"""The contract between operator and gateway: one routing table a namespace, as `routing.json`.

The operator (or `pointsman up`) writes it, the gateway reads it, and nothing else ties them. Nothing of Kubernetes
is in it. A reader refuses another SCHEMA and keeps the table it has; unknown fields are ignored, so that a field can
be added without a new SCHEMA as long as an old gateway may ignore it. Secrets are not in it: `Provider.credential`
names a file in the mounted credentials folder.

All durations are seconds, all windows tokens, all prices USD per million tokens.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final

import msgspec

from pointsman.names import Location, synonym

SCHEMA: Final = 1


class TableError(ValueError):
    """A routing table that cannot be used; the text says what is wrong and where."""


class Struct(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Immutable; camelCase on the wire; what is at its default is left out.

    A default that is a filled tuple or a Struct would be told apart by identity, and equal tables would differ in
    their bytes: what has one writes everything (`omit_defaults=False`).
    """


class Tls(Struct, frozen=True):
    """How a provider's certificate is verified; the system's authorities unless `ca_bundle` (PEM) is given."""

    ca_bundle: str = ""
    server_name: str = ""
    insecure_skip_verify: bool = False


class Model(Struct, frozen=True):
    """A model at a provider, under the name that the provider knows."""

    id: str
    name: str = ""
    context_window: int = 0  # tokens; 0: unknown
    max_tokens: int = 0  # 0: unknown
    input: tuple[str, ...] = ()  # empty: not known, text at least
    reasoning: bool = False
    cost: dict[str, float] = {}
    compat: dict[str, Any] = {}  # OpenClaw's keys, as written
    loaded: bool | None = None  # whether the server has it in memory; None: it does not say
    remote: bool = False  # the server hands its requests on to a cloud: it is External wherever the server stands


class Limits(Struct, frozen=True):
    """What a provider may be asked to bear, by each gateway process; 0: no limit."""

    concurrent: int = 0  # requests at a time
    requests_per_minute: int = 0
    tokens_per_minute: int = 0


class Provider(Struct, frozen=True):
    """A place that serves models.

    `base_url` has no trailing slash and no `/v1`: the path of a dialect is appended to it. `addresses` (host:port) are
    replicas that replace its host when there are any. `state` is what the last probes said: Up, Down or Unknown.
    """

    name: str
    type: str
    base_url: str
    api: tuple[str, ...]  # names.Dialect, preferred first
    addresses: tuple[str, ...] = ()
    auth: str = "None"  # None, Bearer, XApiKey
    credential: str = ""  # file name in the credentials folder; "": none
    headers: dict[str, str] = {}
    tls: Tls | None = None
    location: str = "External"
    region: str = ""
    native: bool = False  # the vendor itself: requests keep their vendor-only fields
    state: str = "Unknown"
    reason: str = ""  # why it is not Up
    suspended: bool = False
    limits: Limits | None = None
    keep_alive: float = 0.0  # seconds that an idle model is to stay in memory; -1: for good; 0: nothing is asked for
    models: tuple[Model, ...] = ()

    def place(self, model: Model) -> tuple[str, str]:
        """Location and region of a model's data. Of what is handed on nobody tells the region."""
        return (Location.EXTERNAL.value, "") if model.remote else (self.location, self.region)

    def external(self, model: Model) -> bool:
        """Whether a model's data leaves the owner's ground, and its tokens may cost money."""
        return model.remote or self.location == Location.EXTERNAL

    def find(self, name: str) -> Model | None:
        """What is known of a model, under the name that is asked for; Ollama's have two. None: it is not listed."""
        found = self._find(name)
        if found is None and (other := synonym(self.type, name)):
            found = self._find(other)
        return found if found is None or found.id == name else msgspec.structs.replace(found, id=name)

    def _find(self, name: str) -> Model | None:
        return next((model for model in self.models if model.id == name), None)


class Target(Struct, frozen=True):
    """One place in a route's chain. `skip`, decided when rendering, says why it must not be tried; "": it may."""

    provider: str
    model: str
    skip: str = ""


class Timeouts(Struct, frozen=True):
    """Seconds for each phase of an attempt; `total` is for the request with all its attempts.

    `first_token` is for a short prompt at a model in memory: what a longer prompt takes to read, by the pace that was
    measured of the target, comes on top, and the loading of a cold model. `whole` is for an answer that is not
    streamed, of which nothing is seen before all of it is there; a long one is given longer, by the target's pace.
    """

    connect: float = 2.0
    first_token: float = 10.0
    whole: float = 60.0
    stall: float = 15.0
    total: float = 600.0


class Breaker(Struct, frozen=True):
    """A target that failed `consecutive_failures` times is left alone for `open_seconds`, longer each time.

    After that `half_open` requests at a time may try it.
    """

    consecutive_failures: int = 1
    open_seconds: float = 5.0
    half_open: int = 1


class Context(Struct, frozen=True):
    """Targets whose window, in tokens, is under `block_below` are passed over. 0: none are.

    `on_fallback` is for those after the primary: Skip as said; Warn and Ignore let them be tried all the same.
    """

    warn_below: int = 0
    block_below: int = 0
    on_fallback: str = "Skip"


class Fence(Struct, frozen=True):
    """Where a request may go. Empty tuples allow all."""

    locations: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()


class Policy(Struct, frozen=True, omit_defaults=False):
    """What a route does when a target fails. `failover_on` holds names.FailoverReason values."""

    failover_on: tuple[str, ...] = (
        "ConnectFailure", "Timeout", "ServerError", "RateLimited", "Authentication", "ModelNotFound",
        "ContextLengthExceeded", "InvalidResponse",
    )  # fmt: skip
    max_attempts: int = 0  # 0: every target once
    timeouts: Timeouts = Timeouts()
    breaker: Breaker = Breaker()
    fence: Fence = Fence()
    context: Context = Context()
    required: tuple[str, ...] = ()  # capabilities without which a target is passed over: names.Capability
    return_after: float = 0.0  # seconds for which a target that had failed must be well before it comes first again
    hedge_after: float = 0.0  # seconds without output after which a second local target is asked beside; 0: never
    drop_tools: bool = False  # to models that take none: without them, where no call was made yet
    mid_stream: str = "Resume"  # or Fail: what happens to an answer that breaks off after the client has seen a part


class Route(Struct, frozen=True, omit_defaults=False):
    """A name that clients ask for, and the chain behind it, primary first."""

    name: str
    model_name: str
    aliases: tuple[str, ...] = ()
    targets: tuple[Target, ...] = ()
    missing: tuple[Target, ...] = ()  # of its chain, those whose provider is not in the table; never tried
    policy: Policy = Policy()


class RoutingTable(Struct, frozen=True, omit_defaults=False):
    """All routes and providers of one namespace. `hash` is over everything else."""

    schema: int = SCHEMA
    hash: str = ""
    namespace: str = "default"
    mode: str = "Merge"
    providers: tuple[Provider, ...] = ()
    routes: tuple[Route, ...] = ()


class _Header(Struct, frozen=True):
    schema: int
    hash: str


_ENCODER = msgspec.json.Encoder(order="sorted")
_DECODER = msgspec.json.Decoder(RoutingTable)


def seal(table: RoutingTable) -> RoutingTable:
    """The same table with the hash of its content."""
    return msgspec.structs.replace(table, hash=_hash(_ENCODER.encode(table)))


def dump(table: RoutingTable) -> bytes:
    """Canonical JSON, indented for people, ending in a newline: equal tables give equal bytes."""
    return msgspec.json.format(_ENCODER.encode(seal(table)), indent=1) + b"\n"


def load(text: bytes) -> RoutingTable:
    """Read and check a table; TableError says what is wrong, at which path."""
    try:
        header = msgspec.json.decode(text, type=_Header)
        if header.schema != SCHEMA:
            raise TableError(f"routing table: schema {header.schema}, this release reads {SCHEMA}: update both")
        if header.hash != _hash(text):
            raise TableError(f"routing table: hash {header.hash!r} does not match the content: a torn or edited file")
        table = _DECODER.decode(text)
    except msgspec.MsgspecError as error:
        raise TableError(f"routing table: {error}") from error
    _check_references(table)
    return table


def _hash(text: bytes) -> str:
    # Over the JSON as written, not over what this release knows of it: a newer writer's extra fields count too.
    content = msgspec.json.decode(text)
    content.pop("hash", None)
    return hashlib.sha256(_ENCODER.encode(content)).hexdigest()[:16]


def _check_references(table: RoutingTable) -> None:
    known = {provider.name for provider in table.providers}
    for i, route in enumerate(table.routes):
        for j, target in enumerate(route.targets):
            if target.provider not in known:
                raise TableError(f"routing table: routes[{i}].targets[{j}].provider: no provider {target.provider!r}")
