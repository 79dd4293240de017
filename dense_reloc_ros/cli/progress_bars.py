"""Progress of long work on stderr."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from typing import TypeVar

T = TypeVar("T")


class ProgressBars:
    """Progress on stderr; the bars end with a context, so that an error begins a new line."""

    def __init__(self, context: ExitStack) -> None:
        self._context = context

    def __call__(self, items: Sequence[T], label: str) -> Iterable[T]:
        """Passes items on and shows how far it is."""
        from dense_reloc_ros.progress import show_progress

        bar: Iterable[T] = self._context.enter_context(show_progress(items, label))
        return bar
