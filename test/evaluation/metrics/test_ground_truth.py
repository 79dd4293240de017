"""Ground truth must fit the frames by time."""

from __future__ import annotations

import numpy as np
import pytest

from dense_reloc_ros.errors import InputError
from dense_reloc_ros.evaluation.metrics.ground_truth import check_ground_truth, coverage
from dense_reloc_ros.geometry.trajectory import Trajectory

SECOND = 10**9


def truth(*seconds: float) -> Trajectory:
    stamps = [round(s * SECOND) for s in seconds]
    return Trajectory.from_poses(stamps, [np.eye(4)] * len(stamps))


def test_one_frame_with_a_ground_truth_is_enough():
    check_ground_truth([10 * SECOND, 20 * SECOND], truth(20.004, 30.0))


def test_none_is_refused_with_the_gap_and_both_times():
    with pytest.raises(InputError) as error:
        check_ground_truth([10 * SECOND, 20 * SECOND], truth(1020.5, 1030.0))
    assert str(error.value) == (
        "none of the 2 frames has a ground truth within 5 ms: the nearest is 1000 s away (frames "
        "from 10.000000000 s to 20.000000000 s, ground truth from 1020.500000000 s to "
        "1030.000000000 s); give both the same clock"
    )


def test_coverage_is_said_in_words():
    assert coverage(1, 33) == "1 of 33 frames have a ground truth within 5 ms"
    assert coverage(8, 58) == "8 of 58 frames have a ground truth within 5 ms"
