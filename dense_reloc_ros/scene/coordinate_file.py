"""The file of a map's coordinate maps: written with the map, checked whenever it is read."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from dense_reloc_ros.errors import MapError
from dense_reloc_ros.geometry.projection import project
from dense_reloc_ros.geometry.se3 import inverse_tensor
from dense_reloc_ros.scene.layout import coordinate_path
from dense_reloc_ros.scene.scene_map import SceneMap
from dense_reloc_ros.scene.tensor_file import TensorFile

TENSOR = "coordinates"
REVISION = "revision"
"""Of the map that the file belongs to, in its metadata."""
CELL_TOLERANCE = 0.1
"""Cells by which a point may miss the centre of its own, besides what float32 rounds."""


def write_coordinates(map_path: Path, coordinates: Tensor, revision: str) -> Path:
    """Writes the coordinate maps of a map into its folder; gives the file."""
    file = coordinate_path(map_path)
    file.parent.mkdir()
    save_file({TENSOR: coordinates.cpu().contiguous()}, file, metadata={REVISION: revision})
    return file


def read_coordinates(map_path: Path, scene_map: SceneMap) -> Tensor:
    """The coordinate maps in the folder of a map.

    Raises:
        MapError: a file that is missing, damaged or of another map; names it.
    """
    file, expected = coordinate_path(map_path), scene_map.information.revision
    try:
        content = TensorFile(file)
        if content.names != [TENSOR]:
            raise MapError(f"it has the tensors {sorted(content.names)}, not '{TENSOR}'")
        if (revision := content.metadata.get(REVISION)) != expected:
            raise MapError(f"it belongs to revision {revision} of a map, not {expected}")
        coordinates = content.tensor(TENSOR)
        check_coordinates(scene_map, coordinates)
        return coordinates
    except MapError as error:
        raise MapError(f"{file}: {error}") from None


def check_coordinates(scene_map: SceneMap, coordinates: Tensor) -> None:
    """Checks coordinate maps: each point must lie where its keyframe sees the cell's centre.

    Raises:
        MapError: says what is wrong.
    """
    shape = tuple(coordinates.shape)
    if coordinates.dtype != torch.float32 or len(shape) != 4 or shape[3] != 3 or not all(shape[1:]):
        raise MapError(f"'{TENSOR}' is {shape} {coordinates.dtype}, not (K, h, w, 3) float32")
    if shape[0] != scene_map.keyframe_count:
        raise MapError(
            f"it has {shape[0]} coordinate maps for {scene_map.keyframe_count} keyframes"
        )
    unknown = coordinates.isnan()
    if coordinates.isinf().any() or (unknown.any(-1) != unknown.all(-1)).any():
        raise MapError(f"'{TENSOR}' has values that are not finite")
    for keyframe, name in enumerate(scene_map.information.keyframe_names):
        if not _is_seen(scene_map, keyframe, coordinates[keyframe].double()):
            raise MapError(f"'{TENSOR}' has points of {name} that it does not see there")


def _is_seen(scene_map: SceneMap, keyframe: int, points: Tensor) -> bool:
    """Whether the known ones of the points (h, w, 3) project to their cells in a keyframe."""
    rows, columns = points.shape[:2]
    grid = scene_map.cameras[keyframe].scaled(columns, rows)
    intrinsics = points.new_tensor([grid.fx, grid.fy, grid.cx, grid.cy])
    cells = torch.stack(
        torch.meshgrid(torch.arange(columns), torch.arange(rows), indexing="xy"), dim=-1
    )
    known = points.isfinite().all(-1)
    T_camera_map = inverse_tensor(scene_map.keyframe_poses[keyframe])
    projected, in_camera = project(T_camera_map[None], points[known], intrinsics)
    misses = (projected[0] - cells[known]).abs().amax(-1)
    rounding = points[known].abs().amax(-1) * torch.finfo(torch.float32).eps
    tolerance = CELL_TOLERANCE + rounding * max(grid.fx, grid.fy) / in_camera[0, :, 2]
    return bool((misses <= tolerance).all())
