"""Ground truth in another convention is recognized by the poses that were found."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from dense_reloc_ros.evaluation.metrics.frame_record import FrameRecord
from dense_reloc_ros.evaluation.metrics.truth_meaning import likely_meaning
from dense_reloc_ros.geometry.se3 import from_quaternion, inverse, rigid, to_quaternion

RNG = np.random.default_rng(0)
POSES = [rigid(Rotation.random(random_state=i).as_matrix(), RNG.normal(0, 2, 3)) for i in range(10)]


def records(truths: list[np.ndarray]) -> list[FrameRecord]:
    return [
        FrameRecord(i, f"{i}", pose, ground_truth=truth)
        for i, (pose, truth) in enumerate(zip(POSES, truths, strict=True))
    ]


def scalar_first(pose: np.ndarray) -> np.ndarray:
    x, y, z, w = to_quaternion(pose)
    return from_quaternion(pose[:3, 3], np.array([w, x, y, z]))


@pytest.mark.parametrize(
    ("wrong", "meaning"),
    [
        (inverse, "is inverted"),
        (scalar_first, "qw qx qy qz"),
        (lambda pose: pose @ np.diag([1.0, -1, -1, 1]), "OpenGL's axes"),
        (lambda pose: rigid(pose[:3, :3], 1000 * pose[:3, 3]), "in millimetres"),
    ],
)
def test_other_conventions_are_named(wrong, meaning):
    found = likely_meaning(records([wrong(pose) for pose in POSES]))
    assert found is not None
    assert meaning in found


def test_a_right_ground_truth_has_no_other_meaning():
    assert likely_meaning(records(POSES)) is None


def test_poses_that_are_wrong_have_no_meaning():
    assert likely_meaning(records(POSES[5:] + POSES[:5])) is None
