"""Somebody who has `kubectl` and nothing else: what it shows of a provider, and whether that is enough."""

from collections.abc import Callable
from dataclasses import dataclass

from testbed.waiting import until


@dataclass(frozen=True, slots=True)
class Stranger:
    """`kubectl` runs in the namespace of the providers and gives what it prints."""

    kubectl: Callable[..., str]

    def reason(self, provider: str) -> str:
        """The column REASON of `kubectl get lmp`; "" while it is empty."""
        head, row = self.kubectl("get", "lmp", provider).splitlines()
        at = head.index("REASON")
        return row[at:].split(" ", 1)[0]

    def described(self, provider: str) -> str:
        """`kubectl describe lmp`, each run of spaces and line ends as one space, so that no wrapping hides a word."""
        return " ".join(self.kubectl("describe", "lmp", provider).split())

    def learns(self, provider: str, reason: str, *words: str, timeout: float = 30) -> str:
        """Wait until both show the reason, every word is in the description, and a Warning tells it; the description.

        TimeoutError with what is missing and all that was shown.
        """
        warning = f"Warning {reason} "
        seen = ""

        def missing() -> list[str]:
            nonlocal seen
            seen = self.described(provider)
            column = [] if self.reason(provider) == reason else [f"REASON is {self.reason(provider)!r}"]
            return column + [word for word in (reason, warning, *words) if word not in seen]

        try:
            until(lambda: not missing(), timeout, 0.2, what=f"{provider}: {reason}")
        except TimeoutError as error:
            error.add_note(f"missing: {missing()}\nshown: {seen[seen.find('Status:') :]}")
            raise
        return seen
