from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from dense_reloc_ros.evaluation.metrics.frame_record import FrameRecord
from dense_reloc_ros.geometry.se3 import rigid
from dense_reloc_ros.localization.result import Localization, PoseEstimate, Status


def estimate(score: float = 0.8) -> PoseEstimate:
    return PoseEstimate(np.eye(4), np.eye(6), score, np.array([1, 2]), (3, 4))


def test_a_rejected_pose_is_not_recorded_as_published():
    rejected = Localization(Status.REJECTED, "score too low", estimate(0.1), {"pose": 3.0})
    record = FrameRecord.from_localization(7, "a", rejected, 12.0, np.eye(4))
    assert not record.is_localized
    assert record.error is None
    assert record.covariance is None
    np.testing.assert_array_equal(record.rejected_pose, np.eye(4))
    assert record.found_error == (0.0, 0.0)
    assert (record.reason, record.score, record.keyframes) == ("score too low", 0.1, (3, 4))


def test_a_localized_frame_carries_everything():
    answer = Localization(Status.LOCALIZED, "", estimate(), {"pose": 3.0})
    record = FrameRecord.from_localization(7, "a", answer, 12.0, None)
    np.testing.assert_array_equal(record.T_map_camera, np.eye(4))
    assert record.covariance is not None
    assert record.rejected_pose is None
    assert (record.latency_milliseconds, record.stage_milliseconds) == (12.0, {"pose": 3.0})
    assert record.error is None


def test_error_is_the_distance_and_the_angle(make_record):
    error = make_record(4, metres=0.25, degrees=3.0).error
    assert error.translation == pytest.approx(0.25)
    assert np.degrees(error.rotation) == pytest.approx(3.0)


def test_a_published_pose_is_the_one_found(make_record):
    record = make_record(4, metres=0.25, degrees=3.0)
    assert record.found_error == record.error
    assert make_record(4, localized=False).found_error is None


def test_normalized_error_follows_a_chi_square_distribution():
    """Errors drawn from the covariance itself, rotations about the fixed axes of the map."""
    rng = np.random.default_rng(0)
    root = np.diag([0.01, 0.02, 0.03, 0.002, 0.004, 0.003]) @ (np.eye(6) + 0.2 * np.ones((6, 6)))
    base = rigid(Rotation.random(random_state=5).as_matrix(), np.array([1.0, 2.0, 3.0]))
    values = []
    for _ in range(4000):
        draw = root @ rng.normal(size=6)
        truth = rigid(
            Rotation.from_rotvec(draw[3:]).as_matrix() @ base[:3, :3], base[:3, 3] + draw[:3]
        )
        record = FrameRecord(0, "", base, ground_truth=truth, covariance=root @ root.T)
        values.append(6 * record.normalized_error)
    # Mean and median of the chi-square distribution with 6 degrees of freedom.
    assert np.mean(values) == pytest.approx(6.0, rel=0.05)
    assert np.median(values) == pytest.approx(5.348, rel=0.05)


def test_a_covariance_that_is_none_gives_no_normalized_error(make_record):
    record = make_record(1, metres=0.1, covariance=np.zeros((6, 6)))
    assert record.normalized_error is None
    assert replace(record, covariance=None).normalized_error is None
