"""Random poses, and those in messages."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.se3 import rigid


def pose(seed: int) -> FloatArray:
    generator = np.random.default_rng(seed)
    return rigid(Rotation.random(rng=generator).as_matrix(), generator.normal(size=3))


def matrix(transform_or_pose: Any) -> FloatArray:
    """The (4, 4) matrix of a Transform or a Pose, by scipy alone."""
    t = getattr(transform_or_pose, "translation", None) or transform_or_pose.position
    q = getattr(transform_or_pose, "rotation", None) or transform_or_pose.orientation
    return rigid(Rotation.from_quat([q.x, q.y, q.z, q.w]).as_matrix(), np.array([t.x, t.y, t.z]))
