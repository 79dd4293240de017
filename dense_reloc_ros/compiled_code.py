"""Loops over numbers, compiled (numba) and kept in files for the next start."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar, cast

from numba import config, njit

Function = TypeVar("Function", bound=Callable[..., Any])

PACKAGE = Path(__file__).parent
SOURCES = ("compiled_*.py", "camera.py", "levenberg_marquardt.py")
"""Files whose functions are compiled and call each other, and files with constants of these."""
_FOLDER_OF_NUMBA = Lock()


def compiled(function: Function) -> Function:
    """The function, compiled; it may reorder sums, but does not assume that all numbers are finite.

    numba compiles it again when the function's own file changes, but not when another one does
    whose functions it calls. So it is kept in a folder of its own for each content of all files.
    """
    options = {"contract", "reassoc", "nsz", "arcp"}
    folder = _folder()
    if folder is None:
        return cast(Function, njit(nogil=True, fastmath=options)(function))
    with _FOLDER_OF_NUMBA:
        given = config.CACHE_DIR  # type: ignore[attr-defined]
        config.CACHE_DIR = str(folder)  # type: ignore[attr-defined]
        try:
            return cast(Function, njit(cache=True, nogil=True, fastmath=options)(function))
        finally:
            config.CACHE_DIR = given  # type: ignore[attr-defined]


@cache
def _folder() -> Path | None:
    given = config.CACHE_DIR  # type: ignore[attr-defined]
    places = [Path(given)] if given else [PACKAGE / "__pycache__"]
    if home := os.environ.get("HOME"):
        places.append(Path(home) / ".cache" / PACKAGE.name)
    state = digest(file for sources in SOURCES for file in PACKAGE.rglob(sources))
    return first_writable([place / state for place in places])


def first_writable(folders: Sequence[Path]) -> Path | None:
    """The first folder that can be written to, which is made; None where there is none."""
    for folder in folders:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(folder, os.W_OK):
            return folder
    return None


def digest(files: Iterable[Path]) -> str:
    """A name that changes with the content of any of some files.

    Links to files that are no more, as installations of links keep them, do not count.
    """
    there = sorted(file for file in files if file.is_file())
    contents = (file.name.encode() + file.read_bytes() for file in there)
    return hashlib.sha256(b"".join(contents)).hexdigest()[:16]
