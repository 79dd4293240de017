"""What the fusion gets of a frame, and what it says about it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from dense_reloc_ros.features.extractor import DenseFeatures
from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.localization.floor import FloorConstraint
from dense_reloc_ros.localization.result import FeatureView, Localization, PoseEstimate


@dataclass(frozen=True)
class LocalizedFrame:
    """A frame of a video, and what it was localized as by itself."""

    stamp: int
    """When it was taken, nanoseconds."""
    camera: Camera
    """Of the undistorted image."""
    features: DenseFeatures | None
    """None where the method has none: then there is nothing to correlate."""
    localization: Localization
    T_odom_camera: FloatArray | None = None
    """(4, 4) by odometry, None where there is none."""
    floor: FloorConstraint | None = None
    """What holds of its pose, besides; None for a robot that may be anywhere."""

    @property
    def view(self) -> FeatureView:
        """The camera of the features."""
        return self.localization.view or FeatureView(self.camera, np.eye(4))

    def in_view(self) -> LocalizedFrame:
        """The same frame as if the camera of the features had taken it."""
        single, view = self.localization, self.view
        if single.estimate is not None:
            estimate = moved(single.estimate, view.T_camera_view)
            single = replace(single, estimate=estimate)
        return replace(self, camera=view.camera, localization=single)


def moved(estimate: PoseEstimate, T_camera_other: FloatArray) -> PoseEstimate:
    """The estimate of another camera with the same centre, whose pose in the first is given."""
    return replace(estimate, T_map_camera=estimate.T_map_camera @ T_camera_other)


@dataclass(frozen=True)
class AcceptedFrame:
    """An earlier frame whose pose was accepted, as the camera of its features saw it."""

    camera: Camera
    features: DenseFeatures
    estimate: PoseEstimate
    """As it was published, of that camera."""


@dataclass(frozen=True)
class FusedLocalization:
    """What is known about a frame with the help of those before it."""

    localization: Localization
    """As of a single frame: the pose to publish, as the filter has it, or why there is none."""
    raw: Localization
    """Before the filter: by the fused correlation, or of the single frame."""
    confidence: float
    """Of the single frame: the calibrated probability that its pose is right (DSM's s)."""
    is_fused: bool
    """Whether the frame before had a part in the raw pose or its confidence."""
    is_new: bool = True
    """Whether the image is new evidence; drivers repeat images under new stamps."""
