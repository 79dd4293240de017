"""Ground truth that means something else than the camera's poses: the results tell."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy.spatial.transform import Rotation

from dense_reloc_ros.evaluation.metrics.frame_record import FrameRecord
from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.se3 import inverse, pose_error, rigid

NEAR_METRES, NEAR_RADIANS = 0.25, np.deg2rad(10.0)
LEAST_FRAMES = 3
FEW, MOST = 0.2, 0.7
"""Shares of localized frames near the truth: at most as given, and at least as it may be meant."""


def _scalar_first(pose: FloatArray) -> FloatArray:
    """A pose whose quaternion w x y z was read as x y z w."""
    w, x, y, z = Rotation.from_matrix(pose[:3, :3]).as_quat()
    return rigid(Rotation.from_quat([x, y, z, w]).as_matrix(), pose[:3, 3])


MEANINGS: dict[str, Callable[[FloatArray], FloatArray]] = {
    "is inverted (world to camera)": inverse,
    "has quaternions as qw qx qy qz instead of qx qy qz qw": _scalar_first,
    "has OpenGL's axes (y up, z backward)": lambda pose: pose @ np.diag([1.0, -1.0, -1.0, 1.0]),
    "is that of a body that looks along x, such as the robot's base": lambda pose: (
        pose @ rigid(np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]]), np.zeros(3))
    ),
    "is in millimetres": lambda pose: rigid(pose[:3, :3], pose[:3, 3] / 1000),
}


def likely_meaning(records: Sequence[FrameRecord]) -> str | None:
    """What a ground truth looks like under which most poses agree, though hardly any do as it is.

    None where poses agree as it is, or under no such meaning.
    """
    pairs = [
        (r.T_map_camera, r.ground_truth)
        for r in records
        if r.T_map_camera is not None and r.ground_truth is not None
    ]
    if len(pairs) < LEAST_FRAMES or _near(pairs, lambda pose: pose) > FEW:
        return None
    shares = {name: _near(pairs, meant) for name, meant in MEANINGS.items()}
    best = max(shares, key=lambda name: shares[name])
    return best if shares[best] >= MOST else None


def _near(
    pairs: Sequence[tuple[FloatArray, FloatArray]], meant: Callable[[FloatArray], FloatArray]
) -> float:
    errors = [pose_error(found, meant(truth)) for found, truth in pairs]
    near = [e.translation <= NEAR_METRES and e.rotation <= NEAR_RADIANS for e in errors]
    return float(np.mean(near))
