"""A thread that works on the newest item and lets go of those it has no time for."""

from __future__ import annotations

from collections.abc import Callable
from threading import Condition, Thread, current_thread
from typing import Generic, TypeVar

Item = TypeVar("Item")


class NewestItemWorker(Generic[Item]):
    """Calls `process` in its own thread with the newest item submitted; one waits, no more.

    It works between `start` and `stop`, which may follow each other any number of times.
    """

    def __init__(self, process: Callable[[Item], None]) -> None:
        self.dropped = 0
        """How many items were replaced by newer ones before their turn came."""
        self._process = process
        self._changed = Condition()
        self._waiting: Item | None = None
        self._thread: Thread | None = None

    @property
    def is_running(self) -> bool:
        """Whether items are taken."""
        return self._thread is not None

    @property
    def is_here(self) -> bool:
        """Whether the caller is the worker's thread, and was not told to stop."""
        return self._thread is current_thread()

    def start(self) -> None:
        """Begins to take items."""
        with self._changed:
            self._thread = Thread(target=self._run, name="newest-item-worker", daemon=True)
            self._thread.start()

    def submit(self, item: Item) -> None:
        """Hands over an item; replaces the one that still waits."""
        with self._changed:
            if self._thread is None:
                return
            self.dropped += self._waiting is not None
            self._waiting = item
            self._changed.notify()

    def stop(self, timeout: float) -> bool:
        """Forgets the waiting item and returns when the one in work is done.

        False where that takes longer than `timeout` seconds: its thread ends after it, alone.
        """
        with self._changed:
            thread, self._thread, self._waiting = self._thread, None, None
            self._changed.notify()
        if thread is None:
            return True
        thread.join(timeout)
        return not thread.is_alive()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: not self.is_here or self._waiting is not None)
                if not self.is_here or self._waiting is None:
                    return
                item, self._waiting = self._waiting, None
            self._process(item)
