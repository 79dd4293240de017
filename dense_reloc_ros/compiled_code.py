"""Loops over numbers, compiled (numba) and kept in files for the next start."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

from numba import config, njit

Function = TypeVar("Function", bound=Callable[..., Any])

PACKAGE = Path(__file__).parent
SOURCES = "compiled_*.py"
"""Files of the package whose functions are compiled, and call each other."""


def compiled(function: Function) -> Function:
    """The function, compiled; it may reorder sums, but does not assume that all numbers are finite.

    numba compiles it again when the function's own file changes, but not when another one does
    whose functions it calls. So it is kept in a folder of its own for each content of all files:
    beside the package, or in that of NUMBA_CACHE_DIR; where neither can be written to, where numba
    keeps what is compiled otherwise.
    """
    given = config.CACHE_DIR  # type: ignore[attr-defined]
    own = (Path(given) if given else PACKAGE / "__pycache__") / _state()
    config.CACHE_DIR = str(own)  # type: ignore[attr-defined]
    try:
        options = {"contract", "reassoc", "nsz", "arcp"}
        return cast(Function, njit(cache=True, nogil=True, fastmath=options)(function))
    finally:
        config.CACHE_DIR = given  # type: ignore[attr-defined]


@cache
def _state() -> str:
    return digest(PACKAGE.rglob(SOURCES))


def digest(files: Iterable[Path]) -> str:
    """A name that changes with the content of any of some files.

    Links to files that are no more, as installations of links keep them, do not count.
    """
    there = sorted(file for file in files if file.is_file())
    contents = (file.name.encode() + file.read_bytes() for file in there)
    return hashlib.sha256(b"".join(contents)).hexdigest()[:16]
