"""What the poses of a recording mean: from where to where, along which axes, in which unit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from dense_reloc_ros.errors import ConfigurationError
from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.se3 import inverse, rigid

Direction = Literal["camera-to-world", "world-to-camera"]
Axes = Literal["opencv", "opengl", "ros"]
DIRECTIONS: tuple[Direction, ...] = get_args(Direction)
AXES: tuple[Axes, ...] = get_args(Axes)

T_GIVEN_OPTICAL: dict[Axes, FloatArray] = {
    "opencv": np.eye(4),
    "opengl": np.diag([1.0, -1.0, -1.0, 1.0]),
    "ros": rigid(np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]]), np.zeros(3)),
}
"""The optical frame (x right, y down, z forward) in frames of the same place with other axes:
OpenGL's (x right, y up, z backward) and those of ROS's bodies (x forward, y left, z up)."""


@dataclass(frozen=True)
class PoseConvention:
    """How poses are given.

    Raises:
        ConfigurationError: a scale that is not positive.
    """

    poses: Direction = "camera-to-world"
    axes: Axes = "opencv"
    scale: float = 1.0
    """Units of the positions per metre: 1000 for millimetres."""

    def __post_init__(self) -> None:
        if not 0 < self.scale < np.inf:
            raise ConfigurationError(f"the scale of poses {self.scale} is not positive")

    def T_map_camera(self, given: FloatArray) -> FloatArray:
        """Poses (..., 4, 4) as given as those of the optical frame in the map, metres."""
        poses = given.copy()
        poses[..., :3, 3] /= self.scale
        if self.poses == "world-to-camera":
            poses = inverse(poses)
        return np.asarray(poses @ T_GIVEN_OPTICAL[self.axes])

    def given(self, T_map_camera: FloatArray) -> FloatArray:
        """The inverse of `T_map_camera`: poses (..., 4, 4) as they are given."""
        poses = T_map_camera @ inverse(T_GIVEN_OPTICAL[self.axes])
        if self.poses == "world-to-camera":
            poses = inverse(poses)
        poses[..., :3, 3] *= self.scale
        return np.asarray(poses)


AS_USUAL = PoseConvention()
"""Camera to map, optical frame, metres."""
