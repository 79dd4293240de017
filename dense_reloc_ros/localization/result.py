"""The answer for one frame: a pose with its covariance, or a reason why there is none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from dense_reloc_ros.features.extractor import DenseFeatures
from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.geometry.se3 import shifted
from dense_reloc_ros.pose.evidence import PoseEvidence


class Status(Enum):
    """What became of a frame; the values are those of RelocResult.msg."""

    LOCALIZED = 0
    REJECTED = 1
    """A pose was found but is not believed."""
    NO_CANDIDATES = 2
    """Too little of the map matches the image to compute a pose at all."""
    INVALID_INPUT = 3
    """The image cannot be used; the reason says why."""
    FAILED = 4
    """The localizer itself failed, as where memory or the GPU are lost; the reason says why."""


@dataclass(frozen=True)
class SceneCoordinates:
    """Where in the map the cells of a grid over the undistorted image lie; metres, map frame."""

    points: NDArray[np.float32]
    """(h, w, 3)."""
    certainty: NDArray[np.float32]
    """(h, w), 0 to 1: orders the points by how exact they are."""
    candidates: NDArray[np.float32]
    """(K, h', w', 3): what a coarser grid was made of, the most similar ones first; may be nan."""
    origin: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """What is added to all of them, metres in the map frame."""


@dataclass(frozen=True)
class PointLosses:
    """How well each point that a pose puts into the image fits there."""

    points: NDArray[np.int64]
    """(N,) indices into the map's points."""
    losses: NDArray[np.float32]
    """(N,) the robust NRE loss from 0, the least that a loss map can have, to 1, an outlier's."""

    @classmethod
    def of_support(cls, points: NDArray[np.int64]) -> PointLosses:
        """Where a method tells no more than which points (N,) support a pose."""
        return cls(points, np.zeros(len(points), np.float32))


@dataclass(frozen=True)
class PoseEstimate:
    """A camera pose and how well it is supported.

    `covariance` (6, 6) is that of `T_map_camera` in ROS order (x, y, z, rotX, rotY, rotZ),
    rotations about the fixed axes of the map frame; metres and radians.
    """

    T_map_camera: FloatArray
    covariance: FloatArray
    score: float
    """0 (as a wrong pose would score) to 1: orders the poses that are found of one image."""
    supporting_points: NDArray[np.int64]
    """Indices into the map's points that the image agrees with."""
    keyframes: tuple[int, ...]
    """The keyframes it was localized against."""
    evidence: PoseEvidence | None = None
    """What the confidence is computed from; None where a method has nothing but the score."""
    confidence: float | None = None
    """The probability that the pose would not mislead a robot: that it is within 14% of the depth
    (0.25 m in a room) and 10 degrees of the truth. None until it is decided about."""
    depth: float | None = None
    """Median depth of the supporting points in metres; None where a method does not tell."""
    losses: PointLosses | None = field(default=None, repr=False, compare=False)
    """Of the points in the image, where the method has them: for people who look on."""
    coordinates: SceneCoordinates | None = field(default=None, repr=False, compare=False)
    """That the pose was found from, where the method predicts them (DSM)."""
    mounting_errors: Mapping[str, FloatArray] = field(
        default_factory=dict, repr=False, compare=False
    )
    """Of a rig, how some of its cameras, by name, are moved (6,) against their extrinsics: metres
    and radians along and about the axes of the body."""
    first_share: float = field(default=1.0, compare=False)
    """Of a rig, the share of the supporting points that the first image sees."""


@dataclass(frozen=True)
class FeatureView:
    """The camera that features are those of: it may be turned, and of other intrinsics."""

    camera: Camera
    """Without distortion."""
    T_camera_view: FloatArray
    """(4, 4): a rotation about the optical axis of the camera that took the image."""


@dataclass(frozen=True)
class Localization:
    """What the localizer says about one frame."""

    status: Status
    reason: str
    """Why there is no pose; empty when there is one."""
    estimate: PoseEstimate | None = None
    """The best pose found, also when it is rejected (for diagnosis; never publish that)."""
    stage_milliseconds: Mapping[str, float] = field(default_factory=dict)
    """Wall time of each step of the pipeline."""
    features: DenseFeatures | None = field(default=None, repr=False, compare=False)
    """Of the image, for those who fuse frames; None where the method has no dense features."""
    view: FeatureView | None = field(default=None, repr=False, compare=False)
    """Of the features; None is the undistorted image itself."""

    def shifted(self, offset: FloatArray) -> Localization:
        """The same with the pose in a frame whose origin lies elsewhere, by `offset` (3,)."""
        if self.estimate is None or not offset.any():
            return self
        estimate, coordinates = self.estimate, self.estimate.coordinates
        if coordinates is not None:
            x, y, z = (np.array(coordinates.origin) + offset).tolist()
            coordinates = replace(coordinates, origin=(x, y, z))
        pose = shifted(estimate.T_map_camera, offset)
        moved = replace(estimate, T_map_camera=pose, coordinates=coordinates)
        return replace(self, estimate=moved)

    @property
    def is_localized(self) -> bool:
        return self.status is Status.LOCALIZED

    @property
    def coordinates(self) -> SceneCoordinates | None:
        """What the pose was found from, where the method predicts them; also if it is rejected."""
        return self.estimate.coordinates if self.estimate else None

    @property
    def T_map_camera(self) -> FloatArray | None:
        """The pose (4, 4) to publish, None unless localized."""
        return self.estimate.T_map_camera if self.is_localized and self.estimate else None
