"""Ctrl-C and SIGTERM as a wish that long work looks at when it can stop."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def interruption() -> Iterator[Callable[[], bool]]:
    """While it lasts, tells whether one of the signals has come; a second one ends the process.

    For the main thread only: Python delivers signals to no other.
    """
    received: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        if received:
            raise KeyboardInterrupt
        received.append(number)

    before = {number: signal.signal(number, note) for number in SIGNALS}
    try:
        yield lambda: bool(received)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def ignore_interruption(worker: int) -> None:
    """For helper processes of any number: the one that started them says when they end."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
