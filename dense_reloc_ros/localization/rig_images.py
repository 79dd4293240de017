"""The images of a rig, and what the map says of each of them alone."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dense_reloc_ros.configuration import RigConfiguration
from dense_reloc_ros.features.extractor import DenseFeatures
from dense_reloc_ros.geometry import se3
from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.base_pose import base_pose
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.retrieval.ranked_keyframes import RankedKeyframes


@dataclass(frozen=True)
class RigImage:
    """An image of one camera of a rig, with the pose that the camera had on it."""

    image: NDArray[np.uint8]
    """(H, W, 3) RGB or (H, W), of `camera`, which may be distorted."""
    camera: Camera
    T_body_camera: FloatArray
    """(4, 4)."""
    name: str = ""
    """Of the camera, for what is said about it."""
    odometry_covariance: FloatArray | None = None
    """(6, 6) of T_body_camera, where it is by odometry, about the axes of the body; None: exact."""
    up_in_camera: FloatArray | None = None
    """(3,): where the map's z is, of length 1, if that is known."""

    def extrinsics_covariance(self, options: RigConfiguration) -> FloatArray | None:
        """(6, 6) of the body's pose by this image alone as extrinsics err, about the body's axes.

        None where nothing does: the camera is the body, or odometry tells where it was.
        """
        is_body = np.allclose(self.T_body_camera, np.eye(4))
        if is_body or self.odometry_covariance is not None:
            return None
        deviations = [options.extrinsics_error_m] * 3 + [
            np.radians(options.extrinsics_error_deg)
        ] * 3
        noise = np.diag(np.square(deviations))
        return base_pose(self.T_body_camera, noise, se3.inverse(self.T_body_camera))[1]


@dataclass(frozen=True)
class SeenImage:
    """The view of an image that is matched, with its features and what was retrieved for it."""

    camera: Camera
    """Of the view, without distortion."""
    T_body_view: FloatArray
    """(4, 4)."""
    features: DenseFeatures
    ranked: RankedKeyframes
    name: str = ""
    odometry_covariance: FloatArray | None = None
    extrinsics_covariance: FloatArray | None = None
    """As `RigImage.extrinsics_covariance`."""

    @property
    def T_view_body(self) -> FloatArray:
        """(4, 4)."""
        return se3.inverse(self.T_body_view)

    def on(self, T_other_body: FloatArray, covariance: FloatArray | None) -> SeenImage:
        """The same image on another body, in which the pose of this one is known so well."""
        T_other_view = T_other_body @ self.T_body_view
        return replace(self, T_body_view=T_other_view, odometry_covariance=covariance)
