"""How a map lies in its folder: file names, and names, shapes and types of the stored tensors."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor

from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.scene.scene_map import MapInformation, SceneMap
from dense_reloc_ros.scene.tensor_file import Rows, TensorFile

INFORMATION_FILE = "map.json"
TENSOR_FILE = "tensors.safetensors"
IMAGE_FOLDER = "images"
COORDINATE_FOLDER = "coordinates"
DESCRIPTORS = "descriptors."
RETRIEVAL = "retrieval."
COLOURS = "point_colours"
"""The one tensor that a map may lack: those of 0.1.0 do."""
VOCABULARY = "vocabulary."
"""Begins the names of what `SceneMap.retrieval` holds once for the map, not for each keyframe."""

Shape = tuple[int, ...]
AnyRows = TypeVar("AnyRows", bound=Rows)


def image_path(map_path: Path, keyframe: int) -> Path:
    """Where the undistorted image of a keyframe lies in a map that stores images."""
    return map_path / IMAGE_FOLDER / f"{keyframe:06d}.jpg"


def coordinate_path(map_path: Path) -> Path:
    """Where the coordinate maps lie in a map that has them."""
    return map_path / COORDINATE_FOLDER / "coordinates.safetensors"


def stored_tensors(scene_map: SceneMap) -> dict[str, Tensor]:
    """The content of the tensor file, on the CPU."""
    intrinsics = [[c.width, c.height, c.fx, c.fy, c.cx, c.cy] for c in scene_map.cameras]
    tensors = {
        "keyframe_poses": scene_map.keyframe_poses,
        "keyframe_intrinsics": torch.tensor(intrinsics, dtype=torch.float64).reshape(-1, 6),
        "points": scene_map.points,
        "observation_offsets": scene_map.observation_offsets,
        "observation_points": scene_map.observation_points,
        "observation_pixels": scene_map.observation_pixels,
    }
    if scene_map.colours is not None:
        tensors[COLOURS] = scene_map.colours
    tensors |= {DESCRIPTORS + name: rows[:] for name, rows in scene_map.descriptors.items()}
    tensors |= {RETRIEVAL + name: value for name, value in scene_map.retrieval.items()}
    return {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}


def expected_tensors(information: MapInformation) -> dict[str, tuple[Shape, torch.dtype]]:
    """Shape and type of every tensor of a map with this information (retrieval's apart)."""
    keyframes = len(information.keyframe_names)
    points, observations = information.point_count, information.observation_count
    expected: dict[str, tuple[Shape, torch.dtype]] = {
        "keyframe_poses": ((keyframes, 4, 4), torch.float64),
        "keyframe_intrinsics": ((keyframes, 6), torch.float64),
        "points": ((points, 3), torch.float32),
        COLOURS: ((points, 3), torch.uint8),
        "observation_offsets": ((keyframes + 1,), torch.int64),
        "observation_points": ((observations,), torch.int64),
        "observation_pixels": ((observations, 2), torch.float32),
    }
    for name, level in information.signature.levels.items():
        expected[DESCRIPTORS + name] = ((observations, level.channels), torch.float16)
    return expected


def assemble(information: MapInformation, stored: Mapping[str, Rows]) -> SceneMap:
    """The map of checked tensors (see `validation.check_tensors`)."""
    tensors = in_memory(stored)
    cameras = tuple(
        Camera(int(width), int(height), *focal_and_centre)
        for width, height, *focal_and_centre in tensors["keyframe_intrinsics"].tolist()
    )
    return SceneMap(
        information=information,
        cameras=cameras,
        keyframe_poses=tensors["keyframe_poses"],
        points=tensors["points"],
        observation_offsets=tensors["observation_offsets"],
        observation_points=tensors["observation_points"],
        observation_pixels=tensors["observation_pixels"],
        descriptors=_with_prefix(stored, DESCRIPTORS),
        retrieval=_with_prefix(tensors, RETRIEVAL),
        colours=tensors.get(COLOURS),
    )


def read_tensors(file: TensorFile) -> dict[str, Rows]:
    """All tensors by name: those of descriptors stay in the file, the others are in memory."""
    return {
        name: file.rows(name) if name.startswith(DESCRIPTORS) else file.tensor(name)
        for name in file.names
    }


def content_revision(tensor_file: Path) -> str:
    """The revision of a map: the first 16 hex digits of the sha256 of its tensor file."""
    digest = hashlib.sha256()
    with tensor_file.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()[:16]


def in_memory(stored: Mapping[str, Rows]) -> dict[str, Tensor]:
    """Those of the tensors that are not left in their file."""
    return {name: rows for name, rows in stored.items() if isinstance(rows, Tensor)}


def _with_prefix(tensors: Mapping[str, AnyRows], prefix: str) -> dict[str, AnyRows]:
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }
