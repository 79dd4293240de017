"""What the node `temporal_fusion` publishes, without ROS: fused by correlation, then filtered."""

from __future__ import annotations

import logging
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from dense_reloc_ros.errors import InputError
from dense_reloc_ros.evaluation.trajectory import Trajectory
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.localization import FloatArray, Localization
from dense_reloc_ros.temporal.filter import PoseFilter
from dense_reloc_ros.temporal.filtering import FiltersPoses, filtered
from dense_reloc_ros.temporal.frames import FusedLocalization

logger = logging.getLogger(__name__)


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


class FusedLocalizer:
    """Localizes a video; `odometry` holds T_odom_camera where there is any."""

    def __init__(
        self, fusion: FusesImages, pose_filter: PoseFilter, odometry: Trajectory | None = None
    ) -> None:
        self._fusion = fusion
        self._filter = pose_filter
        self._odometry = odometry

    def localize(self, image: NDArray[np.uint8], camera: Camera, stamp: int) -> Localization:
        """Where `image` (H, W, 3) RGB of `camera` was taken at `stamp`, in nanoseconds."""
        T_odom_camera = self._odometry.between(stamp) if self._odometry else None
        fused = self._fusion.localize(image, camera, stamp, T_odom_camera)
        return filtered_or_as_is(self._filter, fused, stamp, T_odom_camera)


def filtered_or_as_is(
    pose_filter: FiltersPoses,
    fused: FusedLocalization,
    stamp: int,
    T_odom_camera: FloatArray | None = None,
) -> Localization:
    """As `filtered`; a frame that the filter cannot take is published as it is."""
    try:
        return filtered(pose_filter, fused, stamp, T_odom_camera)
    except InputError as error:
        logger.warning("%s; the pose is published as it is", error)
        return fused.localization
