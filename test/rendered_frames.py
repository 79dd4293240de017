"""Frames of a rendered place, as maps are built of them."""

from __future__ import annotations

import numpy as np

from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.mapping.sources.source_frame import SourceFrame
from dense_reloc_ros.rendering.raycaster import Raycaster


def rendered_frame(
    raycaster: Raycaster, camera: Camera, number: int, T_map_camera: np.ndarray
) -> SourceFrame:
    """The frame of a number, with image and depth of a camera at a pose (4, 4)."""
    view = raycaster.render(camera, T_map_camera)
    return SourceFrame(
        name=f"frame-{number:06d}",
        timestamp=float(number),
        camera=camera,
        T_map_camera=T_map_camera,
        read_image=lambda: view.image,
        read_depth=lambda: view.depth,
    )
