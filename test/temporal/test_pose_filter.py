"""What the filter makes of measurements and of odometry."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from temporal.moving_body import (
    COVARIANCE,
    DEVIATIONS,
    is_sound,
    moved,
    normalized_error,
    odometry_to_map,
    told,
    walk,
)

from dense_reloc_ros.geometry.odometry_noise import drifting_odometry
from dense_reloc_ros.geometry.se3 import pose_error, rigid
from dense_reloc_ros.rendering.paths import query_motion
from dense_reloc_ros.rendering.room import Walkway
from dense_reloc_ros.temporal.fusion_configuration import FilterConfiguration
from dense_reloc_ros.temporal.pose_filter import PoseFilter

ONE = FilterConfiguration()
ELSEWHERE = rigid(Rotation.from_euler("z", 140, degrees=True).as_matrix(), np.array([4.0, -3, 1]))


def test_the_first_measurement_is_believed_as_it_is():
    found = PoseFilter(ONE).update(5, ELSEWHERE, COVARIANCE, None)
    np.testing.assert_allclose(found.T_map_body, ELSEWHERE, atol=1e-12)
    np.testing.assert_allclose(found.covariance, COVARIANCE)
    assert not found.is_outlier


def test_what_is_done_to_an_answer_does_not_change_the_filter():
    pose_filter = PoseFilter(ONE)
    found = pose_filter.update(0, ELSEWHERE, COVARIANCE, np.eye(4))
    found.T_map_body[:], found.covariance[:] = 0, 0
    again = pose_filter.predict(0, np.eye(4))
    np.testing.assert_allclose(again.T_map_body, ELSEWHERE, atol=1e-12)
    np.testing.assert_allclose(again.covariance, COVARIANCE)


def test_nothing_is_predicted_from_nothing():
    pose_filter = PoseFilter(ONE)
    assert pose_filter.predict(0, np.eye(4)) is None
    pose_filter.update(0, ELSEWHERE, COVARIANCE, np.eye(4))
    pose_filter.reset()
    assert pose_filter.predict(1, np.eye(4)) is None


def test_filtered_poses_are_better_than_measured_ones_where_errors_are_independent():
    rng = np.random.default_rng(11)
    pose_filter = PoseFilter(FilterConfiguration(common_share=0.0))
    measured, filtered = [], []
    for moment in walk(200, 0.02, rng):
        noisy = replace(moment, measured=moved(moment.T_map_body, DEVIATIONS * rng.normal(size=6)))
        measured.append(pose_error(noisy.measured, moment.T_map_body))
        filtered.append(pose_error(told(pose_filter, noisy).T_map_body, moment.T_map_body))
    assert (np.mean(filtered, axis=0) < 0.6 * np.mean(measured, axis=0)).all()


@pytest.mark.parametrize("common", [False, True])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_map_to_odom_stays_right_while_odometry_drifts_by_two_percent(common, seed):
    """5 cm and 1 degree over a way through a room, measured 15 times a second."""
    rng, pose_filter = np.random.default_rng(seed), PoseFilter(ONE)
    motion = query_motion(Walkway(inner=(1.2, 1.0), outer=(2.2, 1.8)), 450, seed)
    odometry = drifting_odometry(motion.T_map_base, 0.02, seed)
    errors, shared = [], rng.normal(size=6)
    for seconds, truth, T_odom_base in zip(motion.times, motion.T_map_base, odometry, strict=True):
        # With a common error, it is another one every two seconds.
        shared = rng.normal(size=6) if round(seconds * 15) % 30 == 0 else shared
        error = shared if common else rng.normal(size=6)
        found = pose_filter.update(
            round(seconds * 1e9), moved(truth, DEVIATIONS * error), COVARIANCE, T_odom_base
        )
        assert not found.is_outlier
        T_map_odom = odometry_to_map(found.T_map_body, T_odom_base)
        errors.append(pose_error(odometry_to_map(truth, T_odom_base), T_map_odom))
    translations, rotations = np.array(errors).T
    assert translations.max() < 0.05
    assert np.degrees(rotations.max()) < 1.0
    # It does drift: standing still with the first pose would not do.
    first, last = (odometry_to_map(motion.T_map_base[k], odometry[k]) for k in (0, -1))
    assert pose_error(first, last).translation > 0.05


def test_the_covariance_grows_with_the_way_and_not_with_the_time():
    """Also where the way leads back to its beginning and is only seen by predictions."""
    there = rigid(np.eye(3), np.array([2.0, 0, 0]))
    still, moving = PoseFilter(ONE), PoseFilter(ONE)
    for pose_filter in (still, moving):
        pose_filter.update(0, ELSEWHERE, COVARIANCE, np.eye(4))
    hour = 3_600_000_000_000
    moving.predict(hour // 2, there)
    waited, walked = (one.predict(hour, np.eye(4)) for one in (still, moving))
    np.testing.assert_allclose(waited.covariance, COVARIANCE, rtol=1e-9)
    grown = np.diag(walked.covariance - COVARIANCE)
    assert grown[:3] == pytest.approx((4.0 * ONE.drift) ** 2)
    assert grown[3:] == pytest.approx((4.0 * ONE.heading_drift) ** 2)


def test_predicting_changes_nothing_that_was_measured(moments):
    asked, left_alone = PoseFilter(ONE), PoseFilter(ONE)
    for before, moment in pairwise(moments):
        told(asked, before)
        told(left_alone, before)
        asked.predict((before.stamp + moment.stamp) // 2, before.T_odom_body)
        asked.predict(moment.stamp, moment.T_odom_body)
    first, second = (told(one, moments[-1]) for one in (asked, left_alone))
    np.testing.assert_allclose(first.T_map_body, second.T_map_body, atol=1e-12)
    np.testing.assert_allclose(first.covariance, second.covariance, rtol=1e-9, atol=1e-15)


def test_a_long_gap_without_odometry_leaves_nothing_to_believe():
    pose_filter = PoseFilter(ONE)
    pose_filter.update(0, np.eye(4), COVARIANCE, None)
    minute = 60_000_000_000
    assert pose_filter.predict(minute, None) is None
    found = pose_filter.update(minute, ELSEWHERE, COVARIANCE, None)
    assert not found.is_outlier
    np.testing.assert_allclose(found.T_map_body, ELSEWHERE, atol=1e-12)


def test_with_odometry_a_gap_may_be_long():
    pose_filter, step = PoseFilter(ONE), rigid(np.eye(3), np.array([0.0, 1.0, 0.0]))
    pose_filter.update(0, ELSEWHERE, COVARIANCE, np.eye(4))
    found = pose_filter.predict(3_600_000_000_000, step)
    np.testing.assert_allclose(found.T_map_body, ELSEWHERE @ step, atol=1e-12)


def test_odometry_may_go_and_come_back_in_another_frame():
    moments = list(walk(60, 0.01, np.random.default_rng(4), length=0.02, turn=0.01))
    pose_filter = PoseFilter(ONE)
    for number, moment in enumerate(moments):
        T_odom_body = None if 20 <= number < 40 else moment.T_odom_body
        if number >= 40:
            T_odom_body = ELSEWHERE @ moment.T_odom_body
        found = told(pose_filter, replace(moment, T_odom_body=T_odom_body))
        assert not found.is_outlier
        assert is_sound(found)
        assert normalized_error(moment.T_map_body, found) < 40
