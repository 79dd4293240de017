"""Projection against OpenCV's, its derivative against automatic differentiation."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor

from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.geometry.projection import (
    project,
    projection_jacobian,
    to_bearings,
    to_pixels,
)

CAMERA = Camera(640, 480, 520.0, 530.0, 310.0, 245.0)
INTRINSICS = torch.tensor([520.0, 530.0, 310.0, 245.0], dtype=torch.float64)


def random_views(poses: int, points: int) -> tuple[Tensor, Tensor]:
    """Poses (B, 4, 4) and points (M, 3), all in front of all cameras."""
    rng = np.random.default_rng(0)
    in_front = rng.uniform([-2, -2, 3], [2, 2, 8], (points, 3))
    T_camera_map = np.tile(np.eye(4), (poses, 1, 1))
    T_camera_map[:, :3, :3] = Rotation.from_rotvec(rng.normal(0, 0.1, (poses, 3))).as_matrix()
    T_camera_map[:, :3, 3] = rng.normal(0, 0.3, (poses, 3))
    return torch.from_numpy(T_camera_map), torch.from_numpy(in_front)


def test_pixels_are_those_of_opencv():
    T_camera_map, points = random_views(3, 20)
    pixels, in_camera = project(T_camera_map, points, INTRINSICS)
    for pose, found, local in zip(T_camera_map.numpy(), pixels, in_camera, strict=True):
        turn = Rotation.from_matrix(pose[:3, :3]).as_rotvec()
        expected, _ = cv2.projectPoints(points.numpy(), turn, pose[:3, 3], CAMERA.matrix, None)
        np.testing.assert_allclose(found.numpy(), expected[:, 0], atol=1e-9)
        homogeneous = np.column_stack([points.numpy(), np.ones(20)]) @ pose.T
        np.testing.assert_allclose(local.numpy(), homogeneous[:, :3], atol=1e-12)


def test_points_that_are_not_in_front_of_the_camera_have_no_pixel():
    points = torch.tensor([[0.1, 0.2, -2.0], [0.1, 0.2, 0.0], [0.1, 0.2, 2.0]], dtype=torch.float64)
    pixels = to_pixels(points, INTRINSICS)
    assert pixels[:2].isnan().all()
    assert pixels[2].tolist() == [310.0 + 26.0, 245.0 + 53.0]


def test_bearings_are_unit_vectors_that_project_back():
    pixels = torch.tensor([[0.0, 0.0], [310.0, 245.0], [639.0, 100.0]], dtype=torch.float64)
    bearings = to_bearings(pixels, INTRINSICS)
    torch.testing.assert_close(bearings.norm(dim=-1), torch.ones(3, dtype=torch.float64))
    torch.testing.assert_close(to_pixels(2.5 * bearings, INTRINSICS), pixels)
    torch.testing.assert_close(
        bearings[1], torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64), atol=1e-12, rtol=0
    )


def test_the_derivative_is_that_of_automatic_differentiation():
    (pose,), points = random_views(1, 12)

    def pixels_after(twist: Tensor) -> Tensor:
        x, y, z, a, b, c = twist.unbind()
        zero = torch.zeros_like(x)
        rows = [zero, -c, b, x, c, zero, -a, y, -b, a, zero, z, zero, zero, zero, zero]
        moved = torch.linalg.matrix_exp(torch.stack(rows).reshape(4, 4)) @ pose
        return project(moved[None], points, INTRINSICS)[0][0]

    still = torch.zeros(6, dtype=torch.float64)
    expected = torch.autograd.functional.jacobian(pixels_after, still)
    _, in_camera = project(pose[None], points, INTRINSICS)
    found = projection_jacobian(in_camera, INTRINSICS)
    assert found.shape == (1, 12, 2, 6)
    torch.testing.assert_close(found[0], expected, rtol=1e-9, atol=1e-9)
