"""What the prober found last of each provider, and whether that is news."""

from __future__ import annotations

from collections import defaultdict
from types import MappingProxyType
from typing import TYPE_CHECKING

from pointsman.served import State

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pointsman.prober.request import ProbeTarget
    from pointsman.served import Probed

Name = tuple[str, str]  # namespace, provider
_NONE: Mapping[str, Probed] = MappingProxyType({})


class Probes:
    """Results by provider. `aim` is the prober's `set`; `on_change` hears of results that are news."""

    def __init__(
        self, aim: Callable[[Name, ProbeTarget | None, Probed | None], None], on_change: Callable[[Name], None]
    ) -> None:
        self._aim, self._on_change = aim, on_change
        self._aimed: dict[Name, tuple[int, ProbeTarget]] = {}  # what is probed, and of which generation of the spec
        self._results: defaultdict[str, dict[str, Probed]] = defaultdict(dict)

    def set(self, name: Name, generation: int, target: ProbeTarget | None) -> None:
        """From now on this is to be probed. What was found where another spec said does not count any more.

        With a rotated key, or when replicas come and go, the last result stands until there is a new one.
        """
        known = self._aimed.pop(name, None)
        if target is not None:
            self._aimed[name] = (generation, target)
        if target is None or (known and known[0] != generation and known[1].identity != target.identity):
            self._keep(name, None)
        self._aim(name, target, self._results[name[0]].get(name[1]))

    def recalled(self, name: Name, probed: Probed) -> None:
        """What was known before this process began; the first result that decides anything replaces it."""
        if name[1] not in self._results[name[0]]:
            self._keep(name, probed)

    def took(self, name: Name, probed: Probed) -> None:
        """The prober's answer; one for a provider that is probed no more comes too late."""
        known = self._results[name[0]].get(name[1])
        if name not in self._aimed or (known and probed.state is State.UNKNOWN and known.state is not State.UNKNOWN):
            return
        self._keep(name, probed)
        if known != probed:
            self._on_change(name)

    def results(self, namespace: str) -> Mapping[str, Probed]:
        """Of one namespace, by the provider's name; never changed afterwards."""
        return self._results.get(namespace, _NONE)

    def undecided(self, name: Name) -> bool:
        """Whether a provider is probed and nothing is known of it yet."""
        known = self._results[name[0]].get(name[1])
        return name in self._aimed and (known is None or known.state is State.UNKNOWN)

    def _keep(self, name: Name, probed: Probed | None) -> None:
        others = {key: value for key, value in self._results[name[0]].items() if key != name[1]}
        self._results[name[0]] = others | ({name[1]: probed} if probed else {})
