"""Opens a map folder: validated, its tensors memory-mapped, so that opening costs little."""

from __future__ import annotations

import json
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
    open_tensors,
)
from dense_reloc_ros.scene.scene_map import FORMAT_VERSION, MapInformation, SceneMap
from dense_reloc_ros.scene.validation import check_tensors


def load_map(path: Path, verify_content: bool = False) -> SceneMap:
    """Opens the map in a folder.

    Sizes, types, indices, poses, points and coordinate maps are always checked. Changed bytes
    elsewhere (in descriptors, say) show only with `verify_content`, which reads the whole file
    once. Keyframe images are read, and complain, when they are used.

    Raises:
        MapError: says which file is wrong and why.
    """
    information = read_information(path)
    tensor_file = path / TENSOR_FILE
    try:
        tensors, _ = open_tensors(tensor_file)
        check_tensors(information, tensors)
        if verify_content and (found := content_revision(tensor_file)) != information.revision:
            raise MapError(
                f"altered: its revision is {found}, but map.json says {information.revision}"
            )
        scene_map = assemble(information, tensors)
    except (MapError, InputError) as error:
        raise MapError(f"{tensor_file}: {error}") from None
    if (path / IMAGE_FOLDER).is_dir():
        scene_map = replace(scene_map, images=lambda keyframe: _image(path, scene_map, keyframe))
    if (path / COORDINATE_FOLDER).is_dir():
        scene_map = replace(scene_map, coordinates=read_coordinates(path, scene_map))
    return scene_map


def _image(path: Path, scene_map: SceneMap, keyframe: int) -> NDArray[np.uint8]:
    file = image_path(path, keyframe)
    try:
        image = read_rgb(file)
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
