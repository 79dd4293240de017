"""What a localized image says about a SLAM's trajectory: a constraint of a pose graph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.se3 import inverse


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


def rotated(covariance: FloatArray, rotation: FloatArray) -> FloatArray:
    """Covariances (..., 6, 6) about axes that a rotation (..., 3, 3) takes the present ones to."""
    both = np.zeros((*rotation.shape[:-2], 6, 6))
    both[..., :3, :3] = both[..., 3:, 3:] = rotation
    return np.asarray(both @ covariance @ np.swapaxes(both, -1, -2))
