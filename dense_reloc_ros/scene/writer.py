"""Writes a map folder whole or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import save_file

from dense_reloc_ros.errors import MapError
from dense_reloc_ros.scene.coordinate_file import check_coordinates, write_coordinates
from dense_reloc_ros.scene.layout import (
    IMAGE_FOLDER,
    INFORMATION_FILE,
    TENSOR_FILE,
    content_revision,
    image_path,
    stored_tensors,
)
from dense_reloc_ros.scene.map_target import MapTarget, claimed
from dense_reloc_ros.scene.scene_map import MapInformation, SceneMap
from dense_reloc_ros.scene.validation import check_tensors

_JPEG_QUALITY = 90


def write_map(
    path: Path,
    scene_map: SceneMap,
    images: Callable[[int], NDArray[np.uint8]] | None = None,
) -> MapInformation:
    """Writes a map, replacing the map that may be there once the new one is complete.

    `images` gives the undistorted RGB image of a keyframe by its index; they are stored as JPEG
    where it is given, and coordinate maps where the map has them. Whatever goes wrong, Ctrl-C too,
    leaves `path` as it was, and so does SIGKILL or a loss of power (see `map_target`).

    Returns:
        The map's information with the revision that follows from what was written.

    Raises:
        MapError: a map that is not valid, a target that must not be overwritten, a full disk.
    """
    with claimed(path) as target:
        return write_to(target, scene_map, images)


def write_to(
    target: MapTarget,
    scene_map: SceneMap,
    images: Callable[[int], NDArray[np.uint8]] | None = None,
) -> MapInformation:
    """As `write_map`, to a place that was claimed before the map was built."""
    tensors = stored_tensors(scene_map)
    check_tensors(scene_map.information, tensors)
    if scene_map.coordinates is not None:
        check_coordinates(scene_map, scene_map.coordinates)
    information = scene_map.information

    def write(folder: Path) -> None:
        nonlocal information
        save_file(tensors, folder / TENSOR_FILE)
        revision = content_revision(folder / TENSOR_FILE)
        information = information.model_copy(update={"revision": revision})
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

    try:
        target.replace_by(write)
    except (OSError, SafetensorError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise MapError(f"{target.path}: the map cannot be written ({reason})") from None
    return information
