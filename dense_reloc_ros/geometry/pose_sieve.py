"""Recordings hold a bad pose now and then: these are left out and counted, not the recording."""

from __future__ import annotations

import logging
from collections.abc import Callable

from dense_reloc_ros.errors import InputError
from dense_reloc_ros.geometry.arrays import FloatArray

logger = logging.getLogger(__name__)

NAMED = 5
"""Bad poses that the warning names."""


class PoseSieve:
    """Sorts out the poses of one source that cannot be used; `close` says which they were.

    SLAM writes zeros, NaN or infinity where it is lost. Where half of all poses are like that,
    something else is wrong, and the source is refused.
    """

    def __init__(self, source: str) -> None:
        self._source = source
        self._poses = 0
        self._bad: list[str] = []

    def take(self, where: str, read: Callable[[], FloatArray]) -> FloatArray | None:
        """The pose that `read` gives, None where it raises InputError; `where` names it."""
        self._poses += 1
        try:
            return read()
        except InputError as error:
            self._bad.append(f"{where}: {error}")
            return None

    def close(self) -> None:
        """Warns of what was left out.

        Raises:
            InputError: half of the poses or more; says what is wrong with the first.
        """
        if not self._bad:
            return
        if 2 * len(self._bad) >= self._poses:
            raise InputError(f"{self._bad[0]} ({len(self._bad)} of {self._poses} poses are bad)")
        named = "; ".join(self._bad[:NAMED])
        more = f"; and {len(self._bad) - NAMED} more" if len(self._bad) > NAMED else ""
        logger.warning(
            "%s: %d of %d poses are left out: %s%s",
            self._source,
            len(self._bad),
            self._poses,
            named,
            more,
        )
