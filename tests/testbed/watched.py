"""What something was, one value after another, while something else went on."""

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self


class Watched:
    """The different values that something had, one after another, for as long as the block lasts."""

    def __init__(self, look: Callable[[], object]) -> None:
        self._look, self.seen, self._ended = look, [look()], threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join(10)

    def _watch(self) -> None:
        while not self._ended.wait(0.05):
            if (now := self._look()) != self.seen[-1]:
                self.seen.append(now)
