"""Ollama is told how long to keep a model in memory, after it has answered: its /v1 does not listen to that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pointsman.gateway.asking import Asking
from pointsman.names import Dialect, ProviderType
from pointsman.vendors import ollama

if TYPE_CHECKING:
    from pointsman.gateway.routing import Place
    from pointsman.gateway.state import State
    from pointsman.table import Model

_AGAIN: Final = 60.0  # seconds for which what was said of a model is not said again: it may be loaded anew meanwhile
_PATIENCE: Final = 10.0  # seconds for an answer, which nobody waits for
_LIMIT: Final = 10_000  # models that are remembered


class Keeper:
    """State: when it was last said of each model, in seconds of the state's clock."""

    __slots__ = ("_said",)

    def __init__(self) -> None:
        self._said: dict[tuple[str, str], float] = {}

    def keep(self, state: State, place: Place, model: Model) -> None:
        """Say it of a model that has just answered, if its provider asks for that and it is time."""
        provider = place.provider
        if not provider.keep_alive or provider.type != ProviderType.OLLAMA or model.remote:
            return
        key, now = (provider.name, model.id), state.now
        pause = min(_AGAIN, provider.keep_alive) if provider.keep_alive > 0 else _AGAIN
        if now < self._said.get(key, now - pause) + pause:
            return
        if len(self._said) >= _LIMIT:
            self._said.clear()
        self._said[key] = now
        request = place.request(Dialect.CHAT, ollama.KEEP, ollama.keep(model.id, provider.keep_alive))

        def answered(body: bytes | None) -> None:
            if body is None:
                self._said.pop(key, None)  # to be said again after the next answer

        Asking(state, place.backend, request, _PATIENCE, answered)
