"""The Secrets' keys that a provider needs, and what can be wrong with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pointsman.fleet.conditions import Finding

if TYPE_CHECKING:
    from pointsman.api.fields import SecretKeyRef
    from pointsman.fleet.seen import Seen


def secret_refs(seen: Seen) -> tuple[SecretKeyRef, ...]:
    """Every Secret's key that the provider needs: the server's credentials, the hub's token."""
    credentials = seen.spec.endpoint.credentials if seen.spec.endpoint else None
    token = seen.spec.deploy.model.token_secret_ref if seen.spec.deploy else None
    return tuple(ref for ref in (credentials and credentials.secret_ref, token) if ref)


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
