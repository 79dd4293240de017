"""Ways of a robot on wheels: on the floor, along a smooth line, looking where it goes."""

from __future__ import annotations

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.spatial.transform import Rotation

from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.se3 import rigid
from dense_reloc_ros.rendering.paths import OPTICAL, Motion
from dense_reloc_ros.rendering.room import Walkway

SAMPLES_PER_METRE = 200
"""Of the line, to measure its length."""


def camera_on_a_mast() -> FloatArray:
    """T_base_camera (4, 4) of a camera 1.15 m above the floor that looks 5 degrees down."""
    tilt = Rotation.from_euler("y", 5, degrees=True).as_matrix()
    return rigid(tilt @ OPTICAL, np.array([0.10, 0.03, 1.15]))


def driven(waypoints: FloatArray, speed: float, rate: float) -> Motion:
    """A drive at `speed` (m/s) through points (W, 2) on the floor, `rate` poses a second.

    Neighbouring waypoints must differ.
    """
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(waypoints, axis=0), axis=1))])
    line = CubicSpline(along, waypoints)
    dense = np.linspace(0, along[-1], int(SAMPLES_PER_METRE * along[-1]) + 2)
    steps = np.linalg.norm(np.diff(line(dense), axis=0), axis=1)
    travelled = np.concatenate([[0.0], np.cumsum(steps)])
    times = np.arange(0, travelled[-1] / speed, 1 / rate)
    where = np.interp(speed * times, travelled, dense)
    positions, (forward_x, forward_y) = line(where), line(where, 1).T
    poses = np.tile(np.eye(4), (len(times), 1, 1))
    yaws = np.arctan2(forward_y, forward_x)
    poses[:, :3, :3] = Rotation.from_euler("z", yaws[:, None]).as_matrix()
    poses[:, :2, 3] = positions
    return Motion(times, poses, camera_on_a_mast())


def around(
    middle: FloatArray, walkway: Walkway, share: float, begin: float, end: float
) -> FloatArray:
    """Waypoints (W, 2) on the way around a room, by angle in degrees, `share` of the way outward.

    Counter-clockwise where `end` is larger than `begin`.
    """
    angles = np.radians(np.linspace(begin, end, max(2, round(abs(end - begin) / 20) + 1)))
    inner, outer = np.array(walkway.inner), np.array(walkway.outer)
    axes = inner + share * (outer - inner)
    return np.asarray(middle[:2] + axes * np.stack([np.cos(angles), np.sin(angles)], axis=1))
