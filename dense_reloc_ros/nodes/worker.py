"""A thread that works on the newest item and lets go of those it has no time for."""

from __future__ import annotations

from collections.abc import Callable
from threading import Condition, Thread
from typing import Generic, TypeVar

Item = TypeVar("Item")


class NewestItemWorker(Generic[Item]):
    """Calls `process` in its own thread with the newest item submitted; one waits, no more."""

    def __init__(self, process: Callable[[Item], None]) -> None:
        self._process = process
        self._changed = Condition()
        self._waiting: Item | None = None
        self._dropped = 0
        self._stopped = False
        self._thread = Thread(target=self._run, name="newest-item-worker", daemon=True)
        self._thread.start()

    @property
    def dropped(self) -> int:
        """How many items were replaced by newer ones before their turn came."""
        return self._dropped

    def submit(self, item: Item) -> None:
        """Hands over an item; replaces the one that still waits."""
        with self._changed:
            self._dropped += self._waiting is not None
            self._waiting = item
            self._changed.notify()

    def stop(self) -> None:
        """Forgets the waiting item and returns when the one in work is done."""
        with self._changed:
            self._stopped = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._stopped or self._waiting is not None)
                if self._stopped or self._waiting is None:
                    return
                item, self._waiting = self._waiting, None
            self._process(item)
