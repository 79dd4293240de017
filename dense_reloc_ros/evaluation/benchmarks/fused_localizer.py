"""A recorded video as the node `temporal_fusion` localizes it, without ROS."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.geometry.trajectory import Trajectory
from dense_reloc_ros.localization.result import Localization
from dense_reloc_ros.temporal.fused_frames import FusedLocalization


class FusesImages(Protocol):
    """What `TemporalLocalizer` offers."""

    def localize(
        self,
        image: NDArray[np.uint8],
        camera: Camera,
        stamp: int,
        T_odom_camera: FloatArray | None = None,
    ) -> FusedLocalization:
        """Where an image (H, W, 3) RGB was taken, with the help of those before it."""


@dataclass(frozen=True)
class FusedLocalizer:
    """Localizes a video with the odometry that was recorded with it."""

    fusion: FusesImages
    odometry: Trajectory | None
    """T_odom_camera, None where there is none."""

    def localize(self, image: NDArray[np.uint8], camera: Camera, stamp: int) -> Localization:
        """Where `image` (H, W, 3) RGB of `camera` was taken at `stamp`, in nanoseconds."""
        T_odom_camera = self.odometry.between(stamp) if self.odometry else None
        return self.fusion.localize(image, camera, stamp, T_odom_camera).localization
