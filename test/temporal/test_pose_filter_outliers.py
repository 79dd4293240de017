"""What the filter refuses, and how it recovers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from temporal.moving_body import (
    COVARIANCE,
    DEVIATIONS,
    moved,
    told,
    walk,
)

from dense_reloc_ros.geometry.se3 import pose_error, rigid
from dense_reloc_ros.temporal.fusion_configuration import FilterConfiguration
from dense_reloc_ros.temporal.pose_filter import PoseFilter

ONE = FilterConfiguration()
ELSEWHERE = rigid(Rotation.from_euler("z", 140, degrees=True).as_matrix(), np.array([4.0, -3, 1]))


def test_an_outlier_is_replaced_by_the_prediction(moments):
    with_outlier, without = PoseFilter(ONE), PoseFilter(ONE)
    for moment in moments[:20]:
        told(with_outlier, moment)
        told(without, moment)
    found = told(with_outlier, replace(moments[20], measured=ELSEWHERE))
    expected = without.predict(moments[20].stamp, moments[20].T_odom_body)
    assert found.is_outlier
    np.testing.assert_allclose(found.T_map_body, expected.T_map_body)
    np.testing.assert_allclose(found.covariance, expected.covariance)
    after = told(with_outlier, moments[21])
    assert not after.is_outlier
    assert pose_error(after.T_map_body, moments[21].T_map_body).translation < 0.04


def test_a_pose_that_must_be_right_is_not_as_exact_as_it_says(moments):
    """As one by a blurred image: it counts as much less as it is off, and only a little."""
    pose_filter, without = PoseFilter(ONE), PoseFilter(ONE)
    for moment in moments[:20]:
        told(pose_filter, moment)
        told(without, moment)
    stamp, T_odom_body = moments[20].stamp, moments[20].T_odom_body
    expected = without.predict(stamp, T_odom_body)
    aside = moved(expected.T_map_body, np.array([0.1, 0, 0, 0, 0, 0.05]))
    found = pose_filter.update(stamp, aside, 1e-8 * np.eye(6), T_odom_body, may_be_inexact=True)
    assert not found.is_outlier
    off = pose_error(found.T_map_body, expected.T_map_body)
    assert 0 < off.translation < 0.04
    assert 0 < off.rotation < 0.02
    assert np.trace(found.covariance[:3, :3]) > 0.5 * np.trace(expected.covariance[:3, :3])
    assert pose_error(told(pose_filter, moments[21]).T_map_body, moments[21].T_map_body)[0] < 0.04


def test_poses_that_agree_that_they_are_exact_are_believed(moments):
    """A filter that is off by 10 cm and sure of it is not held captive by being near."""
    pose_filter = PoseFilter(ONE)
    aside = np.array([0.1, 0, 0, 0, 0, 0])
    for moment in moments[:20]:
        measured = moved(moment.T_map_body, aside)
        pose_filter.update(moment.stamp, measured, COVARIANCE / 100, moment.T_odom_body)
    for moment in moments[20 : 20 + ONE.restart_after]:
        found = pose_filter.update(
            moment.stamp,
            moment.T_map_body,
            COVARIANCE / 100,
            moment.T_odom_body,
            may_be_inexact=True,
        )
    assert pose_error(found.T_map_body, moment.T_map_body).translation < 0.01


@pytest.mark.parametrize("share", [0.5, 0.99])
def test_the_gate_lets_its_share_of_right_poses_pass(share):
    """Of poses that nothing is known in advance about but a first one without error."""
    rng = np.random.default_rng(0)
    configuration = FilterConfiguration(gate=share, common_share=0.0, drift=1e-9, heading_drift=0.0)
    pose_filter, passed = PoseFilter(configuration), 0
    for _ in range(1000):
        pose_filter.reset()
        pose_filter.update(0, ELSEWHERE, 1e-12 * np.eye(6), np.eye(4))
        measured = moved(ELSEWHERE, DEVIATIONS * rng.normal(size=6))
        passed += not pose_filter.update(1, measured, COVARIANCE, np.eye(4)).is_outlier
    assert passed / 1000 == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / 1000))


def test_a_robot_that_was_carried_away_is_found_after_some_agreeing_poses(moments):
    pose_filter = PoseFilter(ONE)
    for moment in moments[:20]:
        told(pose_filter, moment)
    carried = [
        replace(m, measured=ELSEWHERE @ m.measured, T_map_body=ELSEWHERE @ m.T_map_body)
        for m in moments[20:]
    ]
    found = [told(pose_filter, moment) for moment in carried]
    expected = [True] * (ONE.restart_after - 1) + [False] * 3
    assert [one.is_outlier for one in found[: len(expected)]] == expected
    for one, moment in zip(found[2:], carried[2:], strict=True):
        assert pose_error(one.T_map_body, moment.T_map_body).translation < 0.05


def test_a_filter_that_began_wrong_is_not_held_captive(moments):
    pose_filter = PoseFilter(ONE)
    told(pose_filter, replace(moments[0], measured=ELSEWHERE))
    found = [told(pose_filter, moment) for moment in moments[1:10]]
    assert [one.is_outlier for one in found[:4]] == [True, True, False, False]
    assert pose_error(found[-1].T_map_body, moments[9].T_map_body).translation < 0.05


def test_outliers_that_disagree_never_take_over():
    """With odometry, which keeps the belief narrow for long."""
    rng, pose_filter = np.random.default_rng(2), PoseFilter(ONE)
    moments = list(walk(60, 0.01, rng, length=0.02, turn=0.01))
    for moment in moments[:20]:
        told(pose_filter, moment)
    for moment in moments[20:50]:
        wrong = moved(moment.measured, rng.uniform(1, 3, size=6))
        found = told(pose_filter, replace(moment, measured=wrong))
        assert found.is_outlier
        assert pose_error(found.T_map_body, moment.T_map_body).translation < 0.08


def test_outliers_must_come_in_a_row(moments):
    """Every second pose is of one wrong place; a right one in between ends the doubt."""
    pose_filter = PoseFilter(ONE)
    for moment in moments[:10]:
        told(pose_filter, moment)
    for number, moment in enumerate(moments[10:]):
        is_wrong = number % 2 == 0
        measured = ELSEWHERE @ moment.measured if is_wrong else moment.measured
        assert told(pose_filter, replace(moment, measured=measured)).is_outlier is is_wrong
