"""The shell around kopf: what it watches, with which settings, and that it changes nothing itself."""

from __future__ import annotations

from pointsman.controller import handlers, kinds


def test_settings_ask_for_no_more_than_needed() -> None:
    """No posting, no scanning, no peering; bounded waits; filters on the server's side."""
    settings = handlers.settings(kinds.WATCHED)
    assert not settings.posting.enabled
    assert settings.scanning.disabled
    assert settings.peering.standalone
    backoffs = settings.networking.error_backoffs
    assert isinstance(backoffs, list), "a generator would be spent after one request"
    assert 120 < sum(backoffs) < 300
    assert settings.queueing.worker_limit is None
    labels = {str(key): value for key, value in settings.watching.label_selectors.items()}
    assert set(labels.values()) == {"pointsman.dev/provider", "pointsman.dev/gateway=true"}
    assert len(labels) == sum(bool(kind.labels) for kind in kinds.WATCHED)
    assert set(settings.watching.field_selectors.values()) == {
        "metadata.name=pointsman-routing", "metadata.name=pointsman-credentials",
    }  # fmt: skip


def test_with_a_role_nothing_outside_its_namespaces_is_watched() -> None:
    """Namespaces are not namespaced: watching them would need a ClusterRole."""
    assert kinds.NAMESPACE in handlers.watched(())
    assert kinds.NAMESPACE not in handlers.watched(("ns",))
    assert len(handlers.watched(("ns",))) == len(kinds.WATCHED) - 1
