"""Opens a map folder: validated, its descriptors left in their file until they are used.

An open map is one revision, whatever happens to its folder: its file of tensors stays open, what is
small is in memory, and so are the encoded images of maps for DSM, which needs them while it runs.
Other maps' images are read when they are used, and not any more once another map took their place.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from dense_reloc_ros.errors import InputError, MapError
from dense_reloc_ros.images.image_file import read_rgb
from dense_reloc_ros.scene.coordinate_file import read_coordinates
from dense_reloc_ros.scene.layout import (
    COORDINATE_FOLDER,
    IMAGE_FOLDER,
    INFORMATION_FILE,
    TENSOR_FILE,
    assemble,
    content_revision,
    image_path,
    read_tensors,
)
from dense_reloc_ros.scene.map_path import local_path
from dense_reloc_ros.scene.scene_map import FORMAT_VERSION, MapInformation, SceneMap
from dense_reloc_ros.scene.tensor_file import TensorFile
from dense_reloc_ros.scene.validation import check_tensors


def load_map(path: Path, verify_content: bool = False) -> SceneMap:
    """Opens the map in a folder, which may be an address (see `local_path`).

    Sizes, types, indices, poses, points and coordinate maps are always checked. Changed bytes
    elsewhere (in descriptors, say) show only with `verify_content`, which reads the whole file
    once. Keyframe images are read, and complain, when they are used.

    Raises:
        MapError: says which file is wrong and why.
    """
    path = local_path(path)
    while True:
        folder = _identity(path)
        try:
            scene_map = _load(path, verify_content)
        except MapError:
            if _identity(path) == folder:
                raise
        else:
            if _identity(path) == folder:
                return scene_map
        # A new map has taken its place meanwhile: what was read is of two maps, perhaps.


def _identity(path: Path) -> tuple[int, int] | None:
    """Which folder it is, by file system and inode."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _load(path: Path, verify_content: bool) -> SceneMap:
    information = read_information(path)
    tensor_file = path / TENSOR_FILE
    try:
        tensors = read_tensors(TensorFile(tensor_file))
        check_tensors(information, tensors)
        if verify_content and (found := content_revision(tensor_file)) != information.revision:
            raise MapError(
                f"altered: its revision is {found}, but map.json says {information.revision}"
            )
        scene_map = assemble(information, tensors)
    except (MapError, InputError) as error:
        raise MapError(f"{tensor_file}: {error}") from None
    encoded: dict[int, bytes] = {}
    if (path / COORDINATE_FOLDER).is_dir():
        scene_map = replace(scene_map, coordinates=read_coordinates(path, scene_map))
        encoded = _encoded_images(path, scene_map.keyframe_count)
    if (path / IMAGE_FOLDER).is_dir():
        folder = _identity(path)

        def image(keyframe: int) -> NDArray[np.uint8]:
            if not encoded and _identity(path) != folder:
                raise MapError(f"{path}: was replaced while the map was open; load the map again")
            return _image(path, scene_map, keyframe, encoded.get(keyframe))

        scene_map = replace(scene_map, images=image)
    return scene_map


def _encoded_images(path: Path, keyframes: int) -> dict[int, bytes]:
    """The files of the keyframes' images, but those that cannot be read."""
    encoded = {}
    for keyframe in range(keyframes):
        with suppress(OSError):
            encoded[keyframe] = image_path(path, keyframe).read_bytes()
    return encoded


def _image(
    path: Path, scene_map: SceneMap, keyframe: int, encoded: bytes | None
) -> NDArray[np.uint8]:
    file = image_path(path, keyframe)
    try:
        image = read_rgb(file, encoded)
    except InputError as error:
        raise MapError(str(error)) from None
    try:
        scene_map.cameras[keyframe].check_image(image)
    except InputError as error:
        raise MapError(f"{file}: {error}") from None
    return image


def read_information(path: Path) -> MapInformation:
    """The content of a map's `map.json`.

    Raises:
        MapError: no such folder, no map in it, another format version, or altered content.
    """
    file = path / INFORMATION_FILE
    if not path.is_dir():
        raise MapError(f"{path}: {'not a folder' if path.exists() else 'no such map'}")
    if not file.is_file():
        raise MapError(f"{path}: not a map, {INFORMATION_FILE} is missing")
    try:
        text = file.read_text(encoding="utf-8")
        version = json.loads(text)["format_version"]
        if version != FORMAT_VERSION:
            raise MapError(
                f"{file}: format version {version}, but this software reads {FORMAT_VERSION}; "
                "build the map anew"
            )
        return MapInformation.model_validate_json(text)
    except OSError as error:
        raise MapError(f"{file}: {error.strerror}") from None
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise MapError(f"{file}: {name}: {first['msg']}") from None
    except (ValueError, KeyError, TypeError, RecursionError):
        raise MapError(f"{file}: not the description of a map") from None
