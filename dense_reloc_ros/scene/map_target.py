"""Where a map is written: one writer at a time, and always the old map or the new one.

While a map is built its target is locked (`.NAME.lock` beside it). The new map is written to a
folder beside it, brought to the disk, and takes its place by one rename. A process that is killed
leaves at most that folder and the lock's file, which the next writer takes away.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dense_reloc_ros.errors import MapError
from dense_reloc_ros.scene.layout import (
    COORDINATE_FOLDER,
    IMAGE_FOLDER,
    INFORMATION_FILE,
    TENSOR_FILE,
)

_ENTRIES = {INFORMATION_FILE, TENSOR_FILE, IMAGE_FOLDER, COORDINATE_FOLDER}
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
_NO_EXCHANGE = {errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EXDEV, errno.EPERM}
"""What file systems answer that cannot exchange two folders (NFS, FAT)."""
_NO_LOCKS = {errno.ENOSYS, errno.ENOLCK, errno.ENOTSUP, errno.EINVAL}


class MapTarget:
    """A place for a map that belongs to this process, from `claimed`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        """As the user gave it."""
        self._place = path.resolve()

    def replace_by(self, write: Callable[[Path], None]) -> None:
        """Calls `write` with an empty folder, which takes the place of the map when it is done.

        Whatever goes wrong, Ctrl-C too, leaves the place as it was.
        """
        partial = _beside(self._place, "partial")
        try:
            partial.mkdir()
            write(partial)
            _sync_all(partial)
            _take_place(partial, self._place)
            _sync(self._place.parent)
        finally:
            shutil.rmtree(partial, ignore_errors=True)  # also the old map, after an exchange


@contextmanager
def claimed(path: Path) -> Iterator[MapTarget]:
    """Keeps others from writing a map to `path` until the context is left.

    Raises:
        MapError: something that must not be lost is there, or another process is at work there.
    """
    check_target(path)
    place = path.resolve()
    try:
        with _locked(place):
            _clean_up(place)
            yield MapTarget(path)
    except _TakenError:
        raise MapError(
            f"{path}: another process is writing a map here; wait for it, or choose another name"
        ) from None


def check_target(path: Path) -> None:
    """Checks that a map may be written to `path`: nothing is there, an empty folder, or a map.

    Raises:
        MapError: something else is there, which must not be lost.
    """
    try:
        entries = {entry.name for entry in path.iterdir()}
    except FileNotFoundError:
        return
    except OSError as error:
        raise MapError(f"{path}: a map cannot be written here ({error.strerror})") from None
    if entries and INFORMATION_FILE not in entries:
        raise MapError(
            f"{path}: is there already and is not a map; delete it or choose another name"
        )
    if foreign := sorted(entries - _ENTRIES):
        raise MapError(
            f"{path}: the map there would be replaced, but '{foreign[0]}' is not part of it"
        )


class _TakenError(Exception):
    """Another process has the lock."""


@contextmanager
def _locked(place: Path) -> Iterator[None]:
    """Holds the lock of a place; the operating system lets go of it when the process ends."""
    file = place.with_name(f".{place.name}.lock")
    made = _make_parents(place)
    try:
        descriptor = _lock(file)
    except OSError as error:
        _remove_parents(made)
        raise MapError(f"{place}: the map cannot be written ({error.strerror})") from None
    try:
        yield
    finally:
        file.unlink(missing_ok=True)
        os.close(descriptor)
        _remove_parents(made)


def _lock(file: Path) -> int:
    """The descriptor of a locked file; raises _TakenError where another process has it."""
    while True:
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                os.close(descriptor)
                if isinstance(error, BlockingIOError):
                    raise _TakenError from None
                raise
        # Its last owner may have taken the file away between the two calls.
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptor), file.stat()):
                return descriptor
        os.close(descriptor)


def _make_parents(place: Path) -> list[Path]:
    """Makes the folders above a place; those that were not there before, the deepest first."""
    made = [folder for folder in place.parents if not folder.exists()]
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MapError(f"{place}: the map cannot be written ({error.strerror})") from None
    return made


def _remove_parents(made: list[Path]) -> None:
    """Removes those of the folders that stayed empty."""
    for folder in made:
        with suppress(OSError):
            folder.rmdir()


def _clean_up(place: Path) -> None:
    """Takes away what killed writers left; the lock says that none of them is alive."""
    for stepped_aside in _leftovers(place, "replaced"):
        if not place.exists():
            stepped_aside.rename(place)
        shutil.rmtree(stepped_aside, ignore_errors=True)
    for partial in _leftovers(place, "partial"):
        shutil.rmtree(partial, ignore_errors=True)


def _leftovers(place: Path, kind: str) -> list[Path]:
    begin, end = f".{place.name}.", f".{kind}"
    return [
        entry
        for entry in place.parent.iterdir()
        if entry.name.startswith(begin)
        and entry.name.endswith(end)
        and entry.name.removeprefix(begin).removesuffix(end).isdigit()
    ]


def _beside(place: Path, kind: str) -> Path:
    return place.with_name(f".{place.name}.{os.getpid()}.{kind}")


def _take_place(partial: Path, place: Path) -> None:
    """Renames a folder to a place where nothing, an empty folder or a map is.

    A map is exchanged by one rename and is in `partial` then. Where the file system cannot, it
    steps aside first, and `_clean_up` brings it back if the process is killed between the two.
    """
    if not place.exists() or not any(place.iterdir()):
        partial.rename(place)
        return
    if _exchange(partial, place):
        return
    replaced = _beside(place, "replaced")
    try:
        place.rename(replaced)
        partial.rename(place)
    finally:
        if replaced.exists() and not place.exists():
            replaced.rename(place)
        shutil.rmtree(replaced, ignore_errors=True)


def _exchange(one: Path, other: Path) -> bool:
    """Exchanges two folders by one rename; False where that cannot be done here."""
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError):  # a C library without it
        return False
    result = rename(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE)
    if result == 0:
        return True
    number = ctypes.get_errno()
    if number in _NO_EXCHANGE:
        return False
    raise OSError(number, os.strerror(number))


def _sync_all(folder: Path) -> None:
    """Brings all files below a folder, and their names, to the disk."""
    for path in (*folder.rglob("*"), folder):
        _sync(path)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # folders on some file systems
            raise
    finally:
        os.close(descriptor)
