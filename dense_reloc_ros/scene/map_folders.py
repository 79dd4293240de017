"""The maps in a folder of maps: floors, or buildings and their floors."""

from __future__ import annotations

from pathlib import Path

from dense_reloc_ros.errors import MapError
from dense_reloc_ros.scene.layout import INFORMATION_FILE, TENSOR_FILE
from dense_reloc_ros.scene.map_path import local_path


def find_maps(folder: Path) -> list[Path]:
    """The folders of maps in a folder and in those below it, by name; also of broken maps.

    What a writer has not finished (hidden folders) is left out, and a map has no maps in it.

    Raises:
        MapError: no such folder, or no map in it.
    """
    folder = local_path(folder)
    try:
        maps = _maps_below(folder, frozenset())
    except OSError as error:
        raise MapError(f"{folder}: the folder of maps cannot be read ({error.strerror})") from None
    if not maps:
        raise MapError(f"{folder}: there is no map in this folder")
    return maps


def _maps_below(folder: Path, above: frozenset[Path]) -> list[Path]:
    if (folder / INFORMATION_FILE).exists() or (folder / TENSOR_FILE).exists():
        return [folder]
    resolved = folder.resolve()
    if resolved in above:  # a link to where it lies in
        return []
    return [
        path
        for entry in sorted(folder.iterdir())
        if entry.is_dir() and not entry.name.startswith(".")
        for path in _maps_below(entry, above | {resolved})
    ]
