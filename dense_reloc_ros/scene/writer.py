"""Writes a map folder whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import save_file

from dense_reloc_ros.errors import MapError
from dense_reloc_ros.scene.coordinate_file import check_coordinates, write_coordinates
from dense_reloc_ros.scene.layout import (
    COORDINATE_FOLDER,
    IMAGE_FOLDER,
    INFORMATION_FILE,
    TENSOR_FILE,
    content_revision,
    image_path,
    stored_tensors,
)
from dense_reloc_ros.scene.scene_map import MapInformation, SceneMap
from dense_reloc_ros.scene.validation import check_tensors

_ENTRIES = {INFORMATION_FILE, TENSOR_FILE, IMAGE_FOLDER, COORDINATE_FOLDER}
_JPEG_QUALITY = 90


def write_map(
    path: Path,
    scene_map: SceneMap,
    images: Callable[[int], NDArray[np.uint8]] | None = None,
) -> MapInformation:
    """Writes a map, replacing the map that may be there once the new one is complete.

    `images` gives the undistorted RGB image of a keyframe by its index; they are stored as JPEG
    where it is given, and coordinate maps where the map has them. Whatever goes wrong, Ctrl-C too,
    leaves `path` as it was.

    Returns:
        The map's information with the revision that follows from what was written.

    Raises:
        MapError: a map that is not valid, a target that must not be overwritten, a full disk.
    """
    check_target(path)
    tensors = stored_tensors(scene_map)
    check_tensors(scene_map.information, tensors)
    if scene_map.coordinates is not None:
        check_coordinates(scene_map, scene_map.coordinates)
    try:
        with _replacing(path.resolve()) as folder:
            save_file(tensors, folder / TENSOR_FILE)
            revision = content_revision(folder / TENSOR_FILE)
            information = scene_map.information.model_copy(update={"revision": revision})
            text = information.model_dump_json(indent=2) + "\n"
            (folder / INFORMATION_FILE).write_text(text, encoding="utf-8")
            # safetensors lets nobody else read its files.
            shutil.copymode(folder / INFORMATION_FILE, folder / TENSOR_FILE)
            if scene_map.coordinates is not None:
                file = write_coordinates(folder, scene_map.coordinates, revision)
                shutil.copymode(folder / INFORMATION_FILE, file)
            if images is not None:
                (folder / IMAGE_FOLDER).mkdir()
                for keyframe in range(scene_map.keyframe_count):
                    image = Image.fromarray(images(keyframe))
                    image.save(image_path(folder, keyframe), quality=_JPEG_QUALITY)
    except (OSError, SafetensorError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise MapError(f"{path}: the map cannot be written ({reason})") from None
    return information


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


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """An empty folder beside `path` that takes its place at the end, or vanishes on any error."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    replaced = path.with_name(f".{path.name}.{os.getpid()}.replaced")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        partial.mkdir()
        yield partial
        if path.exists():
            path.rename(replaced)
        partial.rename(path)
    finally:
        if replaced.exists() and not path.exists():
            replaced.rename(path)
        shutil.rmtree(partial, ignore_errors=True)
        shutil.rmtree(replaced, ignore_errors=True)
