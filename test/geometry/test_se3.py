"""Rigid motions against SciPy's matrix functions and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.linalg import expm, polar
from scipy.spatial.transform import Rotation

from dense_reloc_ros.errors import InputError
from dense_reloc_ros.geometry import se3

VECTORS = arrays(np.float64, 3, elements=st.floats(-100, 100))
ROTATION_VECTORS = arrays(np.float64, 3, elements=st.floats(-3, 3))


def random_poses(count: int, seed: int = 0) -> np.ndarray:
    poses = np.tile(np.eye(4), (count, 1, 1))
    poses[:, :3, :3] = Rotation.random(count, np.random.default_rng(seed)).as_matrix()
    poses[:, :3, 3] = np.random.default_rng(seed).normal(0, 5, (count, 3))
    return poses


def generator(twist: np.ndarray) -> np.ndarray:
    """The 4x4 matrix whose exponential a twist stands for."""
    (x, y, z), (a, b, c) = twist[:3], twist[3:]
    return np.array([[0, -c, b, x], [c, 0, -a, y], [-b, a, 0, z], [0, 0, 0, 0]])


@given(VECTORS, ROTATION_VECTORS, st.sampled_from([1.0, 1e-2, 1e-4, 1e-6, 1e-9, 0.0]))
def test_exponential_is_that_of_the_matrix(translation, rotation, turn):
    twist = np.concatenate([translation, rotation * turn])
    found = se3.exp(torch.from_numpy(twist)).numpy()
    np.testing.assert_allclose(found, expm(generator(twist)), atol=1e-9)


def test_exponential_of_half_turns():
    twist = np.array([1.0, 2.0, 3.0, 0.0, np.pi, 0.0])
    np.testing.assert_allclose(
        se3.exp(torch.from_numpy(twist)).numpy(), expm(generator(twist)), atol=1e-12
    )


def test_exponential_in_single_precision_is_as_exact_as_it_can_be():
    rng = np.random.default_rng(0)
    for angle in np.geomspace(1e-6, 3.0, 60):
        axis = rng.normal(size=3)
        twist = np.concatenate([rng.normal(size=3), angle * axis / np.linalg.norm(axis)])
        twist = twist.astype(np.float32)
        found = se3.exp(torch.from_numpy(twist)).numpy()
        np.testing.assert_allclose(found, expm(generator(twist)), atol=1e-6)


def test_exponential_of_a_batch_is_that_of_each():
    twists = torch.randn(2, 3, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    together = se3.exp(twists)
    assert together.shape == (2, 3, 4, 4)
    torch.testing.assert_close(together[1, 2], se3.exp(twists[1, 2]))


def test_inverses_are_those_of_the_matrices():
    poses = random_poses(6)
    np.testing.assert_allclose(se3.inverse(poses), np.linalg.inv(poses), atol=1e-12)
    np.testing.assert_allclose(se3.inverse(poses[0]), np.linalg.inv(poses[0]), atol=1e-12)
    np.testing.assert_allclose(
        se3.inverse_tensor(torch.from_numpy(poses)).numpy(), np.linalg.inv(poses), atol=1e-12
    )


@given(
    VECTORS,
    VECTORS,
    st.floats(0, np.pi),
    arrays(np.float64, 3, elements=st.floats(-1, 1)).filter(lambda a: np.linalg.norm(a) > 0.1),
)
def test_pose_error_is_the_distance_and_the_angle_put_in(start, step, angle, axis):
    turn = Rotation.from_rotvec(angle * axis / np.linalg.norm(axis))
    base = Rotation.from_rotvec([0.3, -1.2, 0.7])
    one = se3.rigid(base.as_matrix(), start)
    two = se3.rigid((base * turn).as_matrix(), start + step)
    error = se3.pose_error(one, two)
    assert error.translation == pytest.approx(np.linalg.norm(step), abs=1e-9)
    assert error.rotation == pytest.approx(angle, abs=1e-7)
    assert se3.pose_error(two, one) == pytest.approx(error)


def test_pose_error_keeps_angles_that_an_arccosine_would_lose():
    tiny = se3.rigid(Rotation.from_rotvec([0.0, 1e-9, 0.0]).as_matrix(), np.zeros(3))
    assert se3.pose_error(np.eye(4), tiny).rotation == pytest.approx(1e-9, rel=1e-6)


@given(VECTORS, ROTATION_VECTORS)
def test_quaternions_lead_back_to_the_pose(translation, rotation):
    pose = se3.rigid(Rotation.from_rotvec(rotation).as_matrix(), translation)
    quaternion = se3.to_quaternion(pose)
    assert quaternion[3] >= 0
    assert np.linalg.norm(quaternion) == pytest.approx(1.0)
    np.testing.assert_allclose(se3.from_quaternion(translation, quaternion), pose, atol=1e-12)
    np.testing.assert_allclose(se3.from_quaternion(translation, -7 * quaternion), pose, atol=1e-12)


def test_quaternions_are_x_y_z_w():
    quarter_about_z = np.array([0.0, 0.0, 1.0, 1.0])
    pose = se3.from_quaternion(np.array([1.0, 2.0, 3.0]), quarter_about_z)
    np.testing.assert_allclose(pose @ [1, 0, 0, 1], [1, 3, 3, 1], atol=1e-12)


@pytest.mark.parametrize(
    ("translation", "quaternion"),
    [([0, 0, 0], [0, 0, 0, 0]), ([0, np.nan, 0], [0, 0, 0, 1]), ([0, 0, 0], [0, 0, np.inf, 1])],
)
def test_impossible_quaternions_and_positions_are_refused(translation, quaternion):
    with pytest.raises(InputError, match="finite with a non-zero quaternion"):
        se3.from_quaternion(np.array(translation), np.array(quaternion))


def test_the_nearest_rotation_is_the_polar_factor():
    rng = np.random.default_rng(1)
    for pose in random_poses(5, seed=1):
        noisy = pose[:3, :3] + rng.normal(0, 0.05, (3, 3))
        np.testing.assert_allclose(se3.project_to_so3(noisy), polar(noisy)[0], atol=1e-12)


def test_the_nearest_rotation_to_a_reflection_is_a_rotation():
    nearest = se3.project_to_so3(np.diag([1.0, 1.0, -0.2]))
    np.testing.assert_allclose(nearest, np.eye(3), atol=1e-12)


def test_poses_from_outside_are_made_rigid():
    (pose,) = random_poses(1, seed=2)
    rounded = np.round(pose, 3)
    checked = se3.checked_rigid(rounded)
    np.testing.assert_allclose(checked[:3, :3] @ checked[:3, :3].T, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(checked, pose, atol=2e-3)
    np.testing.assert_array_equal(checked[:3, 3], rounded[:3, 3])


@pytest.mark.parametrize(
    ("matrix", "reason"),
    [
        (np.eye(3), r"4x4 matrix, not \(3, 3\)"),
        (np.full((4, 4), np.nan), "not finite"),
        (np.diag([1.0, 1.0, 1.0, 2.0]), "last row"),
        (np.diag([1.0, 1.0, -1.0, 1.0]), "mirrors"),
        (np.diag([1.1, 1.1, 1.1, 1.0]), "not a rotation"),
    ],
)
def test_what_is_no_pose_is_refused(matrix, reason):
    with pytest.raises(InputError, match=reason):
        se3.checked_rigid(matrix)


def test_hat_is_the_cross_product():
    rng = np.random.default_rng(3)
    a, b = rng.normal(size=(2, 4, 3))
    crossed = (se3.hat(torch.from_numpy(a)) @ torch.from_numpy(b)[..., None])[..., 0]
    np.testing.assert_allclose(crossed.numpy(), np.cross(a, b), atol=1e-12)


@pytest.mark.parametrize(
    ("factor", "reason"),
    [
        (np.diag([1.0, -1.0, 1.0]), "mirrors, as left-handed axes do"),
        (1.73 * np.eye(3), r"but 1\.73 times one"),
        (-2.0 * np.eye(3), "mirrors"),
        (np.diag([1.0, 1.2, 1.0]), "is not a rotation"),
        (np.zeros((3, 3)), "is not a rotation"),
    ],
)
def test_a_pose_that_is_not_rigid_says_why(factor, reason):
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.random(random_state=3).as_matrix() @ factor
    with pytest.raises(InputError, match=reason):
        se3.checked_rigid(matrix)
