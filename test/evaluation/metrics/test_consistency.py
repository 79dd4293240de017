"""The NEES of errors that are drawn from their covariances, or from others."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from dense_reloc_ros.evaluation.metrics.consistency import consistency
from dense_reloc_ros.evaluation.metrics.frame_record import FrameRecord
from dense_reloc_ros.geometry.se3 import rigid


def records(scale: float, count: int = 4000) -> list[FrameRecord]:
    """Frames with errors `scale` times as large as their covariance says."""
    rng = np.random.default_rng(0)
    factor = rng.normal(size=(6, 6)) * 0.01
    covariance = factor @ factor.T + 1e-6 * np.eye(6)
    made = []
    for index, error in enumerate(scale * rng.multivariate_normal(np.zeros(6), covariance, count)):
        turned = rigid(Rotation.from_rotvec(error[3:]).as_matrix(), error[:3])
        made.append(FrameRecord(index, "", np.eye(4), ground_truth=turned, covariance=covariance))
    return made


def test_errors_as_large_as_their_covariance_says_lie_within_its_bounds():
    found = consistency(records(1.0))
    assert found.frames == 4000
    assert found.within_95 == pytest.approx(0.95, abs=0.015)
    assert found.below_95 == pytest.approx(0.95, abs=0.015)
    assert found.median == pytest.approx(5.35, abs=0.2)


def test_covariances_too_small_leave_errors_above_and_too_large_ones_below_the_bounds():
    too_small, too_large = consistency(records(3.0)), consistency(records(0.2))
    assert too_small.within_95 < 0.3
    assert too_small.below_95 < 0.3
    assert too_large.within_95 < 0.05
    assert too_large.below_95 == 1.0


def test_without_covariances_there_is_nothing_to_say(make_record):
    assert consistency([make_record(0, 0.01)]) is None
