"""Intrinsics and undistortion against the equations of the models, written down once more."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from dense_reloc_ros.errors import InputError
from dense_reloc_ros.geometry.camera import Camera, undistortion_maps

PINHOLE = Camera(80, 60, 70.0, 72.0, 38.0, 31.0)
PLUMB_BOB = Camera(80, 60, 70.0, 72.0, 38.0, 31.0, "plumb_bob", (-0.3, 0.1, 0.01, -0.02, 0.05))
RATIONAL = Camera(
    80,
    60,
    70.0,
    72.0,
    38.0,
    31.0,
    "rational_polynomial",
    (0.2, -0.1, 0.004, 0.003, 0.02, 0.3, -0.05, 0.01),
)
FISHEYE = Camera(80, 60, 70.0, 72.0, 38.0, 31.0, "equidistant", (-0.02, 0.03, -0.01, 0.004))


def distorted_pixels(camera: Camera) -> np.ndarray:
    """Where each pixel (H, W) of the undistorted image lies in the distorted one, (H, W, 2)."""
    columns, rows = np.meshgrid(np.arange(camera.width), np.arange(camera.height))
    x, y = (columns - camera.cx) / camera.fx, (rows - camera.cy) / camera.fy
    r = np.hypot(x, y)
    d = np.array([*camera.distortion, *np.zeros(8)])
    if camera.distortion_model == "equidistant":
        theta = np.arctan(r)
        bent = theta * (1 + d[0] * theta**2 + d[1] * theta**4 + d[2] * theta**6 + d[3] * theta**8)
        scale = np.divide(bent, r, out=np.ones_like(r), where=r > 0)
        x, y = x * scale, y * scale
    else:
        k1, k2, p1, p2, k3, k4, k5, k6 = d[:8]
        radial = (1 + k1 * r**2 + k2 * r**4 + k3 * r**6) / (1 + k4 * r**2 + k5 * r**4 + k6 * r**6)
        x, y = (
            x * radial + 2 * p1 * x * y + p2 * (r**2 + 2 * x**2),
            y * radial + p1 * (r**2 + 2 * y**2) + 2 * p2 * x * y,
        )
    return np.stack([x * camera.fx + camera.cx, y * camera.fy + camera.cy], axis=-1)


@pytest.mark.parametrize("camera", [PLUMB_BOB, RATIONAL, FISHEYE], ids=lambda c: c.distortion_model)
def test_undistortion_is_that_of_the_model(camera):
    expected = distorted_pixels(camera)
    assert np.abs(expected - distorted_pixels(PINHOLE)).max() > 0.5
    np.testing.assert_allclose(np.stack(undistortion_maps(camera), axis=-1), expected, atol=1e-3)


def test_images_are_resampled_to_the_pinhole_camera():
    columns, rows = np.meshgrid(np.arange(80), np.arange(60))
    ramp = np.stack([2 * columns, 3 * rows, columns + rows], axis=-1).astype(np.uint8)
    where = distorted_pixels(PLUMB_BOB)
    inside = ((where >= 0) & (where <= [79, 59])).all(axis=-1)
    undistorted = PLUMB_BOB.undistort(ramp)
    # On a linear ramp, a colour says where it comes from.
    np.testing.assert_allclose(undistorted[inside][:, 0], 2 * where[inside][:, 0], atol=1.1)
    np.testing.assert_allclose(undistorted[inside][:, 1], 3 * where[inside][:, 1], atol=1.1)
    assert PINHOLE.undistort(ramp) is ramp
    grey = np.ascontiguousarray(ramp[..., 2])
    np.testing.assert_array_equal(PLUMB_BOB.undistort(grey), undistorted[..., 2])


def test_pinhole_has_the_same_intrinsics_and_no_distortion():
    assert FISHEYE.is_distorted
    assert FISHEYE.pinhole() == PINHOLE
    np.testing.assert_array_equal(PINHOLE.matrix, [[70, 0, 38], [0, 72, 31], [0, 0, 1]])


def test_resampling_an_image_moves_a_ray_to_where_its_colour_goes():
    smooth = np.linspace(0, 200, 80, dtype=np.float32) + np.linspace(0, 50, 60)[:, None]
    half = cv2.resize(smooth.astype(np.float32), (40, 30), interpolation=cv2.INTER_AREA)
    small = PINHOLE.scaled(40, 30)
    ray = np.array([-0.2, 0.1])
    before = [ray[0] * PINHOLE.fx + PINHOLE.cx, ray[1] * PINHOLE.fy + PINHOLE.cy]
    after = [ray[0] * small.fx + small.cx, ray[1] * small.fy + small.cy]
    assert bilinear(half, *after) == pytest.approx(bilinear(smooth, *before), abs=1e-3)
    assert small.scaled(80, 60) == PINHOLE
    assert PINHOLE.scaled(160, 240) == Camera(160, 240, 140.0, 288.0, 76.5, 125.5)


def bilinear(image: np.ndarray, x: float, y: float) -> float:
    i, j = int(x), int(y)
    a, b = x - i, y - j
    corners = image[j : j + 2, i : i + 2].astype(float)
    return float(np.array([1 - b, b]) @ corners @ np.array([1 - a, a]))


def test_images_of_another_size_are_refused():
    with pytest.raises(InputError, match="60x80 does not fit camera intrinsics for 80x60"):
        PINHOLE.undistort(np.zeros((80, 60, 3), np.uint8))


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ((0, 60, 70.0, 72.0, 38.0, 31.0), "0x60 is not positive"),
        ((80, 60, -70.0, 72.0, 38.0, 31.0), "not finite with positive focal lengths"),
        ((80, 60, 70.0, 72.0, np.nan, 31.0), "not finite with positive focal lengths"),
        ((80, 60, 70.0, 72.0, 38.0, 31.0, "magic"), "unknown distortion model 'magic'"),
        ((80, 60, 70.0, 72.0, 38.0, 31.0, "equidistant", (0.1,)), "1 coefficients"),
        ((80, 60, 70.0, 72.0, 38.0, 31.0, "plumb_bob", (0.1, 0, 0, np.inf)), "not finite"),
    ],
)
def test_impossible_intrinsics_are_refused(values, reason):
    with pytest.raises(InputError, match=reason):
        Camera(*values)


def test_a_matrix_gives_the_camera():
    matrix = [70, 0, 38, 0, 72, 31, 0, 0, 1]
    assert Camera.from_matrix(80, 60, matrix) == PINHOLE
    assert Camera.from_matrix(80, 60, np.reshape(matrix, (3, 3)), "", [0.0] * 5) == PINHOLE
    bent = Camera.from_matrix(80, 60, matrix, "equidistant", FISHEYE.distortion)
    assert bent == FISHEYE


@pytest.mark.parametrize(
    ("matrix", "reason"),
    [
        ([70, 0, 38, 0, 72, 31], "9 numbers, not 6"),
        ([70, 3, 38, 0, 72, 31, 0, 0, 1], "skew"),
        ([70, 0, 0, 0, 72, 0, 38, 31, 1], "skew"),
    ],
)
def test_other_matrices_are_refused(matrix, reason):
    with pytest.raises(InputError, match=reason):
        Camera.from_matrix(80, 60, matrix)
