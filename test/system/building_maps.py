"""Maps of the rendered building: one of it all, built as a user does, and one of a room."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from scipy.spatial.transform import Rotation
from system.building_drive import CAMERA, mapping_poses, west_room_poses

from dense_reloc_ros.cli.main import main
from dense_reloc_ros.features.extractors import create_extractor
from dense_reloc_ros.geometry.se3 import rigid
from dense_reloc_ros.mapping.builder import build_from_depth
from dense_reloc_ros.mapping.dense_describer import DenseDescriber
from dense_reloc_ros.mapping.sources.source_frame import SourceFrame
from dense_reloc_ros.rendering.building import Building
from dense_reloc_ros.rendering.raycaster import Raycaster
from dense_reloc_ros.rendering.recording import CAMERA_INFO_FILE, write_mapping
from dense_reloc_ros.scene.writer import write_map

SPACING = 0.7
"""Metres between keyframes."""
T_ROOM_MAP = rigid(Rotation.from_euler("z", 50, degrees=True).as_matrix(), np.array([3.0, 8, 0]))
"""The building's map in the frame of that of the west room."""


def map_building(folder: Path, building: Building, raycaster: Raycaster) -> Path:
    """Records the building, and builds its map by the command line."""
    recording, path = folder / "recording", folder / "building"
    write_mapping(recording, raycaster, CAMERA, mapping_poses(building, SPACING), seed=0)
    camera_info = str(recording / CAMERA_INFO_FILE)
    source = ["--seven-scenes", str(recording), "--camera-info", camera_info]
    assert main(["--quiet", "map", "build", *source, "--output", str(path)]) == 0
    return path


def map_west_room(folder: Path, building: Building, raycaster: Raycaster) -> Path:
    """The map of the west room in a frame of its own; not calibrated, which takes its time."""
    frames = []
    for index, T_building_camera in enumerate(west_room_poses(building, SPACING)):
        view = raycaster.render(CAMERA, T_building_camera)
        frames.append(
            SourceFrame(
                f"frame {index}",
                float(index),
                CAMERA,
                T_ROOM_MAP @ T_building_camera,
                read_image=lambda view=view: view.image,
                read_depth=lambda view=view: view.depth,
            )
        )
    extractor = create_extractor("compact", torch.device("cpu"))
    path = folder / "west_room"
    write_map(path, build_from_depth(frames, DenseDescriber(extractor)))
    return path
