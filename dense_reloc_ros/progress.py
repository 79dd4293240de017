"""Progress of long work on stderr: a bar on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from tqdm import tqdm

logger = logging.getLogger(__name__)
"""Shows progress where it is enabled for INFO, as the command line does unless told --quiet."""

T = TypeVar("T")

LINE_SECONDS = 30.0
"""Between two plain lines."""


class _Lines(tqdm):  # type: ignore[type-arg]  # no generic class when it runs
    """Logs a line at the beginning, at the end and now and then, for files and pipes."""

    monitor_interval = 0  # no thread that would draw in between

    def display(self, msg: str | None = None, pos: int | None = None) -> None:
        whole = "" if self.total is None else f" of {self.total}"
        more = f", {self.postfix}" if self.postfix else ""
        logger.info("%s: %d%s %ss%s", self.desc.removesuffix(": "), self.n, whole, self.unit, more)

    def set_postfix(
        self,
        ordered_dict: Mapping[str, object] | None = None,
        refresh: bool | None = True,
        **kwargs: Any,
    ) -> None:
        super().set_postfix(ordered_dict, refresh=False, **kwargs)  # or each would be a line


def show_progress(
    items: Iterable[T], label: str, unit: str = "frame", total: int | None = None
) -> tqdm[T]:
    """Passes items on and shows how far it is; more can be said by tqdm's `set_postfix`."""
    options: dict[str, Any] = {"desc": label, "unit": unit, "total": total}
    if not logger.isEnabledFor(logging.INFO):
        return tqdm(items, disable=True, **options)
    if sys.stderr.isatty():
        return tqdm(items, dynamic_ncols=True, **options)
    return _Lines(items, file=io.StringIO(), mininterval=LINE_SECONDS, **options)
