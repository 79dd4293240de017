"""Times in the names of image files: numbers in any unit, and dates."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime, timezone

from dense_reloc_ros.errors import InputError
from dense_reloc_ros.geometry.trajectory import parse_stamp
from dense_reloc_ros.stamps import NANOSECONDS

_NUMBER = re.compile(r"\d+(\.\d+)?")
_DATE = re.compile(
    r"(?<!\d)((?:19|20)\d\d)[-_.]?(\d\d)[-_.]?(\d\d)(?:[-_ T]|[ _]?at[ _])?"
    r"(\d\d)[-_.:h]?(\d\d)[-_.:m]?(\d\d)(?:[-_.,]?(\d{1,9}))?(?!\d)"
)
EARLIEST_IN_TEXT = 10**9 * NANOSECONDS
"""Numbers beside letters are times from here on (2001); lower ones are rather counters."""


def times_in_names(names: Sequence[str]) -> list[int] | None:
    """When files without their suffix were made, by their names, in nanoseconds.

    None where a name is no time or two names are the same one. All names are read alike: as dates,
    as bare numbers, or as large numbers beside letters.
    """
    for read in (_date, _bare_number, _number_in_text):
        stamps = _all(read, names)
        if stamps is not None:
            return stamps
    return None


def _all(read: Callable[[str], int | None], names: Sequence[str]) -> list[int] | None:
    stamps: list[int] = []
    for name in names:
        stamp = read(name)
        if stamp is None:
            return None
        stamps.append(stamp)
    return stamps if len(set(stamps)) == len(stamps) else None


def _date(name: str) -> int | None:
    """A date with its time of day, read as UTC."""
    found = _DATE.search(name)
    if found is None:
        return None
    *parts, fraction = found.groups()
    try:
        moment = datetime.strptime("".join(parts), "%Y%m%d%H%M%S").replace(tzinfo=timezone.utc)
    except ValueError:
        return None
    return int(moment.timestamp()) * NANOSECONDS + int((fraction or "").ljust(9, "0"))


def _bare_number(name: str) -> int | None:
    if not _NUMBER.fullmatch(name):
        return None
    try:
        return parse_stamp(name)
    except InputError:
        return None


def _number_in_text(name: str) -> int | None:
    numbers = [_bare_number(found.group()) for found in _NUMBER.finditer(name)]
    times = [number for number in numbers if number is not None and number >= EARLIEST_IN_TEXT]
    return times[0] if len(times) == 1 else None
