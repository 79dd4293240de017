"""What is known about one frame after it was localized, and how far off it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from scipy.spatial.transform import Rotation

from dense_reloc_ros.evaluation.metrics.scene_coordinates import CoordinateErrors
from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.se3 import PoseError, pose_error, shifted
from dense_reloc_ros.localization.result import Localization, Status
from dense_reloc_ros.pose.evidence import PoseEvidence


@dataclass(frozen=True)
class FrameRecord:
    """One frame of an evaluation; without a pose unless one was published."""

    stamp: int
    """Nanoseconds."""
    name: str
    """What a person finds the frame by: its file, or its number in the bag."""
    T_map_camera: FloatArray | None
    """(4, 4), the published pose; None when the frame was not localized."""
    reason: str = ""
    """Why there is no pose."""
    ground_truth: FloatArray | None = None
    """(4, 4) T_map_camera."""
    covariance: FloatArray | None = None
    """(6, 6) of T_map_camera in ROS order, fixed axes of the map."""
    score: float | None = None
    confidence: float | None = None
    """Probability that the pose found would not mislead; None where nobody tells."""
    rejected_pose: FloatArray | None = None
    """(4, 4) T_map_camera that was found but not published; None also where nobody tells."""
    evidence: PoseEvidence | None = None
    """Of the pose that was found; None where nobody tells."""
    keyframes: tuple[int, ...] = ()
    stage_milliseconds: Mapping[str, float] = field(default_factory=dict)
    latency_milliseconds: float | None = None
    T_odom_camera: FloatArray | None = None
    """(4, 4) by odometry; None where there is none."""
    coordinate_errors: CoordinateErrors | None = None
    """Where the method predicts scene coordinates and the frame's true depth is known."""
    status: Status | None = None
    """What became of the frame; None where nobody answered."""
    metre: float = 1.0
    """What counts as a metre, in the map's unit of length: errors are counted in it."""

    def shifted(self, offset: FloatArray) -> FrameRecord:
        """The record in a map frame whose origin lies elsewhere, by `offset` (3,)."""
        if not offset.any():
            return self

        def moved(pose: FloatArray | None) -> FloatArray | None:
            return None if pose is None else shifted(pose, offset)

        return replace(
            self,
            T_map_camera=moved(self.T_map_camera),
            ground_truth=moved(self.ground_truth),
            rejected_pose=moved(self.rejected_pose),
        )

    @staticmethod
    def from_localization(
        stamp: int,
        name: str,
        localization: Localization,
        latency_milliseconds: float,
        ground_truth: FloatArray | None,
    ) -> FrameRecord:
        """The record of what a localizer answered."""
        estimate = localization.estimate
        return FrameRecord(
            stamp=stamp,
            name=name,
            T_map_camera=localization.T_map_camera,
            reason=localization.reason,
            ground_truth=ground_truth,
            covariance=estimate.covariance if estimate and localization.is_localized else None,
            score=estimate.score if estimate else None,
            confidence=estimate.confidence if estimate else None,
            rejected_pose=None
            if localization.is_localized or not estimate
            else estimate.T_map_camera,
            evidence=estimate.evidence if estimate else None,
            keyframes=estimate.keyframes if estimate else (),
            stage_milliseconds=localization.stage_milliseconds,
            latency_milliseconds=latency_milliseconds,
            status=localization.status,
        )

    @property
    def is_localized(self) -> bool:
        return self.T_map_camera is not None

    @property
    def error(self) -> PoseError | None:
        """Distance (metres) and angle (radians) to the ground truth, None without either pose."""
        return self._error_of(self.T_map_camera)

    @property
    def found_error(self) -> PoseError | None:
        """As `error`, but also of a pose that was not published."""
        return self._error_of(self.found_pose)

    @property
    def found_pose(self) -> FloatArray | None:
        """(4, 4) T_map_camera, published or not."""
        return self.rejected_pose if self.T_map_camera is None else self.T_map_camera

    @property
    def normalized_error(self) -> float | None:
        """NEES / 6: the squared error in units of the covariance, around 1 where it is calibrated.

        None without a ground truth or where the covariance is not positive definite.
        """
        if self.T_map_camera is None or self.ground_truth is None or self.covariance is None:
            return None
        rotation = self.ground_truth[:3, :3] @ self.T_map_camera[:3, :3].T
        difference = np.concatenate(
            [
                self.ground_truth[:3, 3] - self.T_map_camera[:3, 3],
                Rotation.from_matrix(rotation).as_rotvec(),
            ]
        )
        try:
            whitened = np.linalg.solve(np.linalg.cholesky(self.covariance), difference)
        except np.linalg.LinAlgError:
            return None
        return float(whitened @ whitened) / len(difference)

    def _error_of(self, T_map_camera: FloatArray | None) -> PoseError | None:
        if T_map_camera is None or self.ground_truth is None:
            return None
        error = pose_error(T_map_camera, self.ground_truth)
        return PoseError(error.translation / self.metre, error.rotation)
