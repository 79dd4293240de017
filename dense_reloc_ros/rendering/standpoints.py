"""Cameras that stand anywhere in a room and look anywhere: pairs with little or no overlap."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from scipy.spatial.transform import Rotation

from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.geometry.se3 import rigid
from dense_reloc_ros.rendering.paths import OPTICAL
from dense_reloc_ros.rendering.room import Walkway

HEIGHTS = (0.9, 1.8)
"""Metres above the floor: from a robot's mast to a head."""
PITCH_DEGREES, ROLL_DEGREES = (8.0, 12.0), (0.0, 7.0)
"""Mean and standard deviation; positive pitch looks down."""
FOCAL_LENGTHS = (0.7, 1.0)
"""Over the image width: 71 to 53 degrees wide."""
STRETCHES = (0.95, 1.2)
"""fy over fx, as images of wider cameras have once they are brought to one shape."""


def standpoints(walkway: Walkway, count: int, seed: int) -> FloatArray:
    """T_map_camera (N, 4, 4) at random places of a walkway, in random directions."""
    rng = np.random.default_rng([seed, 6])
    inner, outer = np.array(walkway.inner), np.array(walkway.outer)
    angle = rng.uniform(0, 2 * np.pi, count)
    axes = inner + rng.random((count, 1)) * (outer - inner)
    place = axes * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    yaw = rng.uniform(-180, 180, count)
    angles = np.stack(
        [yaw, rng.normal(*PITCH_DEGREES, count), rng.normal(*ROLL_DEGREES, count)], axis=1
    )
    turns = Rotation.from_euler("ZYX", angles, degrees=True).as_matrix()
    positions = np.column_stack([place, rng.uniform(*HEIGHTS, count)])
    return np.stack([rigid(R @ OPTICAL, t) for R, t in zip(turns, positions, strict=True)])


def random_lens(width: int, height: int, rng: Generator) -> Camera:
    """A pinhole camera of a random focal length, its pixels not always square."""
    fx = width * float(rng.uniform(*FOCAL_LENGTHS))
    fy = fx * float(rng.uniform(*STRETCHES))
    return Camera(width, height, fx, fy, (width - 1) / 2, (height - 1) / 2)
