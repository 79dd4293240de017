from __future__ import annotations

import numpy as np
import pytest

from dense_reloc_ros.evaluation.metrics.accuracy import Duration, accuracy, stage_durations


def test_recalls_count_rejected_frames_as_outside(make_record):
    records = [
        make_record(0, metres=0.01, degrees=1.0),
        make_record(1, metres=0.04, degrees=4.0),
        make_record(2, metres=0.04, degrees=6.0),
        make_record(3, metres=0.2, degrees=1.5),
        make_record(4, metres=0.4, degrees=4.0),
        make_record(5, metres=3.0, degrees=9.0),
        make_record(6, localized=False),
        make_record(7, localized=False),
    ]
    recall = accuracy(records).recall
    assert recall == {
        "2cm_2deg": 1 / 8,
        "5cm_5deg": 2 / 8,
        "25cm_2deg": 2 / 8,
        "25cm_5deg": 3 / 8,
        "50cm_5deg": 4 / 8,
        "5m_10deg": 6 / 8,
    }


def test_averages_are_over_localized_frames(make_record):
    records = [make_record(i, metres=m, degrees=10 * m) for i, m in enumerate([0.1, 0.2, 0.6])]
    measured = accuracy([*records, make_record(9, localized=False)])
    assert measured.median_translation_m == pytest.approx(0.2)
    assert measured.mean_translation_m == pytest.approx(0.3)
    assert measured.median_rotation_deg == pytest.approx(2.0)
    assert measured.mean_rotation_deg == pytest.approx(3.0)


@pytest.mark.parametrize(
    ("metres", "degrees", "wrong"), [(0.24, 9.9, 0), (0.26, 0.0, 1), (0.0, 10.1, 1), (9, 90, 1)]
)
def test_a_published_pose_is_wrong_by_either_distance_or_angle(make_record, metres, degrees, wrong):
    assert accuracy([make_record(0, metres, degrees)]).wrong == wrong


def test_rejected_frames_are_not_wrong(make_record):
    measured = accuracy([make_record(0, localized=False)])
    assert measured.wrong == 0
    assert measured.median_translation_m is None
    assert measured.recall["5m_10deg"] == 0.0


def test_frames_without_ground_truth_are_left_out(make_record):
    measured = accuracy([make_record(0, metres=0.01), make_record(1, ground_truth=False)])
    assert measured.evaluated == 1
    assert measured.recall["2cm_2deg"] == 1.0


def test_nothing_is_claimed_without_any_ground_truth(make_record):
    measured = accuracy([make_record(0, ground_truth=False)])
    assert (measured.evaluated, measured.wrong, measured.recall) == (0, None, None)


def test_normalized_errors_are_summed_up_by_their_median(make_record):
    records = [
        make_record(i, metres=metres, covariance=0.01 * np.eye(6))
        for i, metres in enumerate([0.1, 0.2, 0.9])
    ]
    assert accuracy(records).nees_over_6_median == pytest.approx(0.2**2 / 0.01 / 6)


def test_durations_of_stages_are_over_the_frames_that_reached_them(make_record):
    records = [
        make_record(0, stage_milliseconds={"features": 10.0, "pose": 1.0}),
        make_record(1, stage_milliseconds={"features": 30.0}),
    ]
    durations = stage_durations(records)
    assert list(durations) == ["features", "pose"]
    assert durations["features"].median == 20.0
    assert durations["pose"] == Duration(1.0, 1.0)


def test_95_percent_lie_below_p95():
    assert Duration.of(list(range(101))) == Duration(50.0, 95.0)
