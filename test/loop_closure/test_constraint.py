import numpy as np
import pytest
from loop_closure.walk import any_covariance, disturbed, walk

from dense_reloc_ros.geometry.se3 import inverse, pose_error
from dense_reloc_ros.loop_closure.constraint import information_of, seen_from


def test_information_is_the_inverse():
    covariance = any_covariance(np.random.default_rng(0))
    assert information_of(covariance) @ covariance == pytest.approx(np.eye(6), abs=1e-6)


def test_no_variance_gives_no_information():
    assert information_of(np.zeros((6, 6))) == pytest.approx(0.0)
    planar = np.diag([0.01, 0.01, 0.0, 0.0, 0.0, 0.25])
    assert np.diag(information_of(planar)) == pytest.approx([100, 100, 0, 0, 0, 4])


def test_a_keyframe_sees_the_errors_that_the_map_sees():
    """Drawn errors of T_map_body, measured as errors of T_keyframe_body."""
    rng = np.random.default_rng(0)
    truth, _ = walk(frames=30)
    T_map_keyframe, T_map_body = truth.poses[0], truth.poses[20]
    covariance = any_covariance(rng)
    expected = seen_from(T_map_keyframe, T_map_body, covariance)
    assert expected.pose == pytest.approx(inverse(T_map_keyframe) @ T_map_body)
    errors = []
    for _ in range(4000):
        seen = inverse(T_map_keyframe) @ disturbed(T_map_body, covariance, rng)
        turn = seen[:3, :3] @ expected.pose[:3, :3].T
        small = 0.5 * np.array(
            [turn[2, 1] - turn[1, 2], turn[0, 2] - turn[2, 0], turn[1, 0] - turn[0, 1]]
        )
        errors.append(np.concatenate([seen[:3, 3] - expected.pose[:3, 3], small]))
    drawn = np.cov(np.array(errors).T)
    scale = np.sqrt(np.outer(np.diag(expected.covariance), np.diag(expected.covariance)))
    assert drawn / scale == pytest.approx(expected.covariance / scale, abs=0.08)
    assert pose_error(np.eye(4), T_map_keyframe).rotation > 0.1  # or else nothing was turned
