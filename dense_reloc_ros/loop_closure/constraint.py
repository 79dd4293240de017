"""What a localized image says about a SLAM's trajectory: a constraint of a pose graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.se3 import inverse, pose_error


@dataclass(frozen=True)
class MapConstraint:
    """Where a body was in the map at a time; covariances as in `PoseEstimate`.

    Their order is x, y, z, rotX, rotY, rotZ, in metres and radians, and the rotations are those
    about the fixed axes of the frame that the pose is given in.
    """

    stamp: int
    """Nanoseconds."""
    T_map_body: FloatArray
    """(4, 4)."""
    covariance: FloatArray
    """(6, 6), of T_map_body."""
    confidence: float = 1.0
    """The probability that the pose is not that of another place."""


class RelativePose(NamedTuple):
    """A pose (4, 4) of a body in another frame, and its covariance (6, 6) about its axes."""

    pose: FloatArray
    covariance: FloatArray


def information_of(covariance: FloatArray) -> FloatArray:
    """The inverse of covariances (..., 6, 6), with the same order and axes; symmetric.

    Directions of no variance at all, which have no inverse, get none instead of infinitely much.
    """
    return np.asarray(np.linalg.pinv(covariance, hermitian=True))


def seen_from(
    T_map_other: FloatArray, T_map_body: FloatArray, covariance: FloatArray
) -> RelativePose:
    """A body in a frame that the map fixes exactly, as that of a keyframe is: T_other_body.

    An error of T_map_body in the map's axes is the same one in the axes of the other frame.
    """
    T_other_map = inverse(T_map_other)
    return RelativePose(T_other_map @ T_map_body, rotated(covariance, T_other_map[:3, :3]))


def inverted(relative: RelativePose) -> RelativePose:
    """The other frame in the body, by the body in that frame; to first order."""
    inverse_pose = inverse(relative.pose)
    rotation, (x, y, z) = inverse_pose[:3, :3], relative.pose[:3, 3]
    jacobian = np.zeros((6, 6))
    jacobian[:3, :3] = jacobian[3:, 3:] = -rotation
    # Turning the body about the frame's axes also moves the frame's origin as seen from it.
    jacobian[:3, 3:] = -rotation @ np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    return RelativePose(inverse_pose, jacobian @ relative.covariance @ jacobian.T)


def nearest_keyframe(
    keyframes: Sequence[int], keyframe_poses: FloatArray, T_map_camera: FloatArray
) -> int | None:
    """Which of some keyframes, by their T_map_camera (K, 4, 4), is nearest to an image.

    A turn by a radian counts as a metre. None where there are none.
    """

    def distance(keyframe: int) -> float:
        error = pose_error(keyframe_poses[keyframe], T_map_camera)
        return error.translation + error.rotation

    return min(keyframes, key=distance, default=None)


def rotated(covariance: FloatArray, rotation: FloatArray) -> FloatArray:
    """Covariances (..., 6, 6) about axes that a rotation (..., 3, 3) takes the present ones to."""
    both = np.zeros((*rotation.shape[:-2], 6, 6))
    both[..., :3, :3] = both[..., 3:, 3:] = rotation
    return np.asarray(both @ covariance @ np.swapaxes(both, -1, -2))
