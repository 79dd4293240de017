"""Recordings hold a bad pose or image now and then: these are left out, not the recording."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

from dense_reloc_ros.errors import InputError

logger = logging.getLogger(__name__)

NAMED = 5
"""Bad ones that the warning names."""
Read = TypeVar("Read")


class Sieve:
    """Sorts out what cannot be used of one source, poses or frames; `close` says which they were.

    SLAM writes zeros, NaN or infinity where it is lost, and files are cut short. Where half of all
    are like that, something else is wrong, and the source is refused.
    """

    def __init__(self, source: str, things: str = "poses") -> None:
        self._source = source
        self._things = things
        self._count = 0
        self._bad: list[str] = []

    def take(self, where: str, read: Callable[[], Read]) -> Read | None:
        """What `read` gives, None where it raises InputError.

        `where` names it; it is empty where errors name it themselves.
        """
        self._count += 1
        try:
            return read()
        except InputError as error:
            self._bad.append(f"{where}: {error}" if where else str(error))
            return None

    def close(self) -> int:
        """Warns of what was left out, and says how many.

        Raises:
            InputError: half of them or more; says what is wrong with the first.
        """
        bad = len(self._bad)
        if not bad:
            return 0
        if 2 * bad >= self._count:
            raise InputError(f"{self._bad[0]} ({bad} of {self._count} {self._things} are bad)")
        named = "; ".join(self._bad[:NAMED])
        more = f"; and {bad - NAMED} more" if bad > NAMED else ""
        logger.warning(
            "%s: %d of %d %s are left out: %s%s",
            self._source,
            bad,
            self._count,
            self._things,
            named,
            more,
        )
        return bad
