import numpy as np
import pytest
from loop_closure.walk import any_covariance, disturbed, walk
from scipy.spatial.transform import Rotation

from dense_reloc_ros.geometry.se3 import inverse, pose_error, rigid
from dense_reloc_ros.loop_closure.constraint import (
    RelativePose,
    information_of,
    inverted,
    nearest_keyframe,
    seen_from,
)


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
    drawn = [inverse(T_map_keyframe) @ disturbed(T_map_body, covariance, rng) for _ in range(4000)]
    check_covariance(expected, drawn)
    assert pose_error(np.eye(4), T_map_keyframe).rotation > 0.1  # or else nothing was turned


def test_the_keyframe_seen_from_the_body_has_the_errors_of_the_inverse():
    rng = np.random.default_rng(1)
    truth, _ = walk(frames=30)
    relative = RelativePose(inverse(truth.poses[3]) @ truth.poses[25], any_covariance(rng))
    expected = inverted(relative)
    assert expected.pose == pytest.approx(inverse(relative.pose))
    drawn = [inverse(disturbed(relative.pose, relative.covariance, rng)) for _ in range(4000)]
    check_covariance(expected, drawn)


def test_the_nearest_keyframe_is_near_in_place_and_view():
    turned = rigid(Rotation.from_euler("y", 90, degrees=True).as_matrix(), np.zeros(3))
    ahead = rigid(np.eye(3), np.array([0.0, 0.0, 0.5]))
    poses = np.stack([np.eye(4), turned, ahead])
    assert nearest_keyframe([1, 2], poses, np.eye(4)) == 2
    assert nearest_keyframe([2, 0], poses, np.eye(4)) == 0
    assert nearest_keyframe([], poses, np.eye(4)) is None


def check_covariance(expected, drawn):
    """Against that of drawn poses, in units of the standard deviations."""
    errors = []
    for seen in drawn:
        turn = seen[:3, :3] @ expected.pose[:3, :3].T
        small = 0.5 * np.array(
            [turn[2, 1] - turn[1, 2], turn[0, 2] - turn[2, 0], turn[1, 0] - turn[0, 1]]
        )
        errors.append(np.concatenate([seen[:3, 3] - expected.pose[:3, 3], small]))
    scale = np.sqrt(np.outer(np.diag(expected.covariance), np.diag(expected.covariance)))
    assert np.cov(np.array(errors).T) / scale == pytest.approx(
        expected.covariance / scale, abs=0.08
    )
