"""Maps of the rendered building, recorded and built as a user does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation
from system.building_drive import CAMERA, mapping_poses, west_room_poses

from dense_reloc_ros.cli.main import main
from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.se3 import rigid
from dense_reloc_ros.rendering.building import Building
from dense_reloc_ros.rendering.raycaster import Raycaster
from dense_reloc_ros.rendering.recording import CAMERA_INFO_FILE, write_mapping

SPACING = 0.45
"""Metres between keyframes."""
T_ROOM_MAP = rigid(Rotation.from_euler("z", 50, degrees=True).as_matrix(), np.array([3.0, 8, 0]))
"""The building's map in the frame of that of the west room alone."""


def map_building(folder: Path, building: Building, raycaster: Raycaster) -> tuple[Path, Path]:
    """Folders of two maps: of the building, and of its west room in a frame of its own."""
    whole = _mapped(folder, "building", raycaster, mapping_poses(building, SPACING))
    room = _mapped(folder, "room", raycaster, west_room_poses(building, SPACING), T_ROOM_MAP)
    return whole, room


def _mapped(
    folder: Path,
    name: str,
    raycaster: Raycaster,
    T_building_camera: FloatArray,
    T_map_building: FloatArray | None = None,
) -> Path:
    recording, path = folder / f"{name}_recording", folder / f"{name}_map"
    write_mapping(recording, raycaster, CAMERA, T_building_camera, seed=0)
    if T_map_building is not None:
        for file in recording.glob("*.pose.txt"):
            np.savetxt(file, T_map_building @ np.loadtxt(file), fmt="%.9f")
    camera_info = recording / CAMERA_INFO_FILE
    command = ["map", "build", "--seven-scenes", recording, "--camera-info", camera_info]
    assert main(["--quiet", *map(str, command), "--output", str(path)]) == 0
    return path
