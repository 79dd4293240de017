"""What the filter believes, what it refuses, and how it recovers."""

from __future__ import annotations

import pickle
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from temporal.moving_body import (
    COVARIANCE,
    DEVIATIONS,
    Moment,
    moved,
    normalized_error,
    odometry_to_map,
    walk,
)

from dense_reloc_ros.errors import InputError
from dense_reloc_ros.geometry.se3 import pose_error, rigid
from dense_reloc_ros.rendering.paths import drifting_odometry, query_motion
from dense_reloc_ros.rendering.room import Walkway
from dense_reloc_ros.temporal.fusion_configuration import FilterConfiguration
from dense_reloc_ros.temporal.pose_filter import FilteredPose, PoseFilter

ONE = FilterConfiguration()
ELSEWHERE = rigid(Rotation.from_euler("z", 140, degrees=True).as_matrix(), np.array([4.0, -3, 1]))


def without_odometry(moments: list[Moment]) -> list[Moment]:
    return [replace(moment, T_odom_body=None) for moment in moments]


@pytest.fixture(params=["odometry", "velocity"])
def moments(request) -> list[Moment]:
    """A robot that walks on slowly, with odometry and without."""
    some = list(walk(60, 0.01, np.random.default_rng(7), length=0.02, turn=0.01))
    return some if request.param == "odometry" else without_odometry(some)


def told(pose_filter: PoseFilter, moment: Moment) -> FilteredPose:
    return pose_filter.update(moment.stamp, moment.measured, COVARIANCE, moment.T_odom_body)


def is_sound(found: FilteredPose) -> bool:
    """Finite, a rigid motion, and a covariance that is one."""
    rotation = found.T_map_body[:3, :3]
    return bool(
        np.isfinite(found.T_map_body).all()
        and np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
        and np.linalg.det(rotation) > 0
        and np.array_equal(found.covariance, found.covariance.T)
        and np.linalg.eigvalsh(found.covariance).min() > 0
    )


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


@pytest.mark.parametrize("stamp", [0, -(10**18), 1_000_000_000, 9 * 10**18])
@pytest.mark.parametrize("T_odom_body", [None, np.eye(4)])
def test_time_that_stands_still_or_jumps_leaves_sound_poses(stamp, T_odom_body):
    pose_filter = PoseFilter(ONE)
    for number in range(3):
        pose_filter.update(10**9 + number, np.eye(4), COVARIANCE, T_odom_body)
    predicted = pose_filter.predict(stamp, T_odom_body)
    assert predicted is None or is_sound(predicted)
    for _ in range(3):
        found = pose_filter.update(stamp, np.eye(4), COVARIANCE, T_odom_body)
        assert is_sound(found)
        assert not found.is_outlier


SKEWED = COVARIANCE.copy()
SKEWED[0, 1] = 1e-5


@pytest.mark.parametrize(
    ("covariance", "message"),
    [
        (np.full((6, 6), np.nan), "finite"),
        (np.eye(3), "6x6"),
        (SKEWED, "not symmetric"),
        (np.diag([1.0, 1, 1, 1, 1, -1]), "positive definite"),
        (np.zeros((6, 6)), "positive definite"),
    ],
)
def test_covariances_that_are_none_are_refused(covariance, message):
    with pytest.raises(InputError, match=message):
        PoseFilter(ONE).update(0, np.eye(4), covariance, None)


def test_poses_that_are_none_are_refused_and_change_nothing(moments):
    pose_filter, untouched = PoseFilter(ONE), PoseFilter(ONE)
    for moment in moments[:10]:
        told(pose_filter, moment)
        told(untouched, moment)
    wrong = np.full((4, 4), np.inf)
    with pytest.raises(InputError, match="finite"):
        pose_filter.update(moments[10].stamp, wrong, COVARIANCE, None)
    with pytest.raises(InputError, match="finite"):
        pose_filter.update(moments[10].stamp, moments[10].measured, COVARIANCE, wrong)
    with pytest.raises(InputError, match="finite"):
        pose_filter.predict(moments[10].stamp, wrong)
    first, second = (told(one, moments[10]) for one in (pose_filter, untouched))
    np.testing.assert_array_equal(first.T_map_body, second.T_map_body)
    np.testing.assert_array_equal(first.covariance, second.covariance)


def test_it_stays_sound_and_small_over_ten_thousand_poses():
    pose_filter = PoseFilter(ONE)
    sizes = set()
    for number, moment in enumerate(walk(10_000, 0.01, np.random.default_rng(1))):
        found = told(pose_filter, moment)
        if number % 1000 == 999:
            assert is_sound(found)
            sizes.add(len(pickle.dumps(vars(pose_filter))) // 100)
    assert len(sizes) == 1
    assert normalized_error(moment.T_map_body, found) < 40


vectors = st.lists(st.floats(-3, 3), min_size=6, max_size=6).map(np.array)
inputs = st.lists(
    st.tuples(
        st.integers(-(10**10), 10**10),
        vectors,
        st.floats(-9, 1),
        st.none() | vectors,
        st.booleans(),
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(inputs)
def test_whatever_comes_the_answers_are_sound(inputs):
    pose_filter = PoseFilter(ONE)
    for stamp, pose, exponent, odometry, is_measured in inputs:
        T_odom_body = None if odometry is None else moved(np.eye(4), odometry)
        if is_measured:
            covariance = 10.0**exponent * np.diag([1.0, 2, 3, 4, 5, 6])
            found = pose_filter.update(stamp, moved(np.eye(4), pose), covariance, T_odom_body)
        else:
            found = pose_filter.predict(stamp, T_odom_body)
        assert found is None or is_sound(found)
