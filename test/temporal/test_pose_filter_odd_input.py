"""The filter stays sound, whatever it is given."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from temporal.moving_body import (
    COVARIANCE,
    is_sound,
    moved,
    normalized_error,
    told,
    walk,
)

from dense_reloc_ros.errors import InputError
from dense_reloc_ros.temporal.fusion_configuration import FilterConfiguration
from dense_reloc_ros.temporal.pose_filter import PoseFilter

ONE = FilterConfiguration()


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
