"""The Secrets' keys that a provider needs, and what can be wrong with them."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from pointsman.api.fields import SecretKeyRef
from pointsman.fleet.conditions import Finding
from pointsman.names import ENGINE_KEYS_SECRET

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pointsman.api.provider import ModelProviderSpec
    from pointsman.fleet.seen import Seen


def secret_refs(seen: Seen) -> tuple[SecretKeyRef, ...]:
    """Every Secret's key that somebody has to provide: the server's credentials, the hub's token."""
    return tuple(ref for ref in references(seen.name, seen.spec) if ref.name != ENGINE_KEYS_SECRET)


def references(name: str, spec: ModelProviderSpec) -> tuple[SecretKeyRef, ...]:
    """The same with the engine's key that the operator makes."""
    token = spec.deploy.model.token_secret_ref if spec.deploy else None
    return tuple(ref for ref in (credential_ref(name, spec), token, *_storage(spec)) if ref)


def credential_ref(name: str, spec: ModelProviderSpec) -> SecretKeyRef | None:
    """Where the key is that the provider's server asks for: what is named, of an engine of ours the one made for it."""
    if spec.deploy:
        return spec.deploy.api_key_ref or SecretKeyRef(name=ENGINE_KEYS_SECRET, key=name)
    credentials = spec.endpoint.credentials if spec.endpoint else None
    return credentials.secret_ref if credentials else None


def credential(name: str, spec: ModelProviderSpec, secrets: Mapping[tuple[str, str], str]) -> str:
    """That key; "" where there is none, or none that a header can carry."""
    ref = credential_ref(name, spec)
    return secret_value(secrets.get((ref.name, ref.key), "")) if ref else ""


def digest(key: str) -> str:
    """What tells one key from another without telling it; "" of none."""
    return hashlib.sha256(key.encode()).hexdigest()[:16] if key else ""


def secret_problem(seen: Seen) -> Finding | None:
    """What is wrong with a Secret that the provider needs."""
    for ref in secret_refs(seen):
        value = seen.world.secrets.get((ref.name, ref.key))
        if value is None and not any(name == ref.name for name, _ in seen.world.secrets):
            return Finding("SecretNotFound", f"there is no Secret {ref.name} in {seen.world.namespace}: create it")
        if value is None:
            return Finding("SecretKeyNotFound", f"the Secret {ref.name} has no key {ref.key}: add it")
        if not secret_value(value):
            return Finding("SecretInvalid", f"{ref.key} of the Secret {ref.name} is empty, or no single line of ASCII")
    return None


def secret_value(text: str) -> str:
    """A key as a header can carry it, without the newline that files end in; "" when none can."""
    text = text.strip()
    return text if text.isascii() and text.isprintable() else ""


def _storage(spec: ModelProviderSpec) -> Iterator[SecretKeyRef]:
    if spec.deploy and (ref := spec.deploy.model.credentials_ref):
        yield SecretKeyRef(name=ref.name, key="AWS_ACCESS_KEY_ID")
        yield SecretKeyRef(name=ref.name, key="AWS_SECRET_ACCESS_KEY")
