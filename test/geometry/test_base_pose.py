"""The base's pose and covariance against sampled cameras."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from dense_reloc_ros.geometry.base_pose import base_pose
from dense_reloc_ros.geometry.se3 import rigid


def test_covariance_is_that_of_sampled_bases() -> None:
    generator = np.random.default_rng(7)
    T_map_camera = rigid(Rotation.random(rng=generator).as_matrix(), np.array([4.0, -2.0, 1.0]))
    T_camera_base = rigid(Rotation.random(rng=generator).as_matrix(), np.array([0.3, -1.2, 0.7]))
    factor = generator.normal(size=(6, 6)) * np.array([20, 20, 20, 5, 5, 5])[:, None] * 1e-4
    covariance = factor @ factor.T

    samples = generator.multivariate_normal(np.zeros(6), covariance, 200_000)
    turns = Rotation.from_rotvec(samples[:, 3:])  # about the axes of the map
    rotations = turns * Rotation.from_matrix(T_map_camera[:3, :3])
    positions = T_map_camera[:3, 3] + samples[:, :3] + rotations.apply(T_camera_base[:3, 3])
    base_rotations = rotations * Rotation.from_matrix(T_camera_base[:3, :3])

    T_map_base, base_covariance = base_pose(T_map_camera, covariance, T_camera_base)
    np.testing.assert_allclose(T_map_base, T_map_camera @ T_camera_base)
    base_turns = base_rotations * Rotation.from_matrix(T_map_base[:3, :3]).inv()
    sampled = np.hstack([positions - T_map_base[:3, 3], base_turns.as_rotvec()])
    scale = np.sqrt(np.outer(np.diag(base_covariance), np.diag(base_covariance)))
    np.testing.assert_allclose(np.cov(sampled.T) / scale, base_covariance / scale, atol=0.015)


def test_base_in_the_camera_has_the_cameras_covariance() -> None:
    turned = rigid(Rotation.from_euler("xyz", [0.3, -0.4, 1.0]).as_matrix(), np.zeros(3))
    covariance = np.diag(np.arange(1.0, 7.0))
    np.testing.assert_array_equal(base_pose(turned, covariance, turned)[1], covariance)


def test_yaw_of_a_camera_ahead_moves_the_base_sideways() -> None:
    """1 m ahead of the base, 0.1 rad of yaw alone puts the base 0.1 m aside."""
    ahead = rigid(np.eye(3), np.array([-1.0, 0.0, 0.0]))
    covariance = np.zeros((6, 6))
    covariance[5, 5] = 0.01
    _, result = base_pose(np.eye(4), covariance, ahead)
    expected = np.zeros((6, 6))
    expected[1, 1], expected[5, 5] = 0.01, 0.01
    expected[1, 5] = expected[5, 1] = -0.01
    np.testing.assert_allclose(result, expected, atol=1e-15)
