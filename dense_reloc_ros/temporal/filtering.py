"""What is published of a fused frame: its pose as the filter has it, or none."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from dense_reloc_ros.errors import InputError
from dense_reloc_ros.localization import FloatArray, Localization, Status
from dense_reloc_ros.temporal.filter import FilteredPose
from dense_reloc_ros.temporal.frames import FusedLocalization


class FiltersPoses(Protocol):
    """What `PoseFilter` offers."""

    def update(
        self,
        stamp: int,
        T_map_body: FloatArray,
        covariance: FloatArray,
        T_odom_body: FloatArray | None,
    ) -> FilteredPose:
        """The pose at a moment, after it was measured."""

    def predict(self, stamp: int, T_odom_body: FloatArray | None) -> FilteredPose | None:
        """The pose at a moment without a measurement."""

    def reset(self) -> None:
        """Forgets all measurements."""


def filtered(
    pose_filter: FiltersPoses,
    fused: FusedLocalization,
    stamp: int,
    T_odom_camera: FloatArray | None = None,
) -> Localization:
    """The next frame of a video after the filter, which follows the camera.

    A frame without a pose stays so, and a pose that the filter does not believe is rejected.

    Raises:
        InputError: a pose, covariance or odometry that is none; the filter begins anew then.
    """
    answer, estimate = fused.localization, fused.localization.estimate
    if not answer.is_localized or estimate is None:
        return answer
    try:
        pose = (
            pose_filter.update(stamp, estimate.T_map_camera, estimate.covariance, T_odom_camera)
            if fused.is_new
            else pose_filter.predict(stamp, T_odom_camera)
        )
    except InputError:
        pose_filter.reset()
        raise
    if pose is None:
        return answer
    if pose.is_outlier:
        reason = "the pose does not fit those before it"
        return replace(answer, status=Status.REJECTED, reason=reason)
    estimate = replace(estimate, T_map_camera=pose.T_map_body, covariance=pose.covariance)
    return replace(answer, estimate=estimate)
