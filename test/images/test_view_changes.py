"""Turned and zoomed images against what geometry says of them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.images.view_changes import rolled, zoomed

CAMERA = Camera(160, 120, 150.0, 140.0, 75.0, 62.0)


def picture() -> np.ndarray:
    coarse = np.random.default_rng(0).integers(50, 256, (12, 16, 3), dtype=np.uint8)
    return cv2.resize(coarse, (CAMERA.width, CAMERA.height), interpolation=cv2.INTER_LINEAR)


@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
def test_quarter_turns_keep_every_pixel(quarters):
    view = rolled(picture(), CAMERA, quarters * np.pi / 2)
    # The camera turns clockwise as it looks, so that the image turns the other way.
    np.testing.assert_array_equal(view.image, np.rot90(picture(), quarters))
    sides = (120, 160, 140.0, 150.0) if quarters % 2 else (160, 120, 150.0, 140.0)
    camera = view.camera
    assert (camera.width, camera.height) == sides[:2]
    assert (camera.fx, camera.fy) == pytest.approx(sides[2:])
    centre = [(75.0, 62.0), (62.0, 84.0), (84.0, 57.0), (57.0, 75.0)][quarters]
    assert (camera.cx, camera.cy) == pytest.approx(centre)


@pytest.mark.parametrize("degrees", [30, 60, 135, 210, 300])
def test_nothing_of_the_image_is_cut_away(degrees):
    camera = Camera(160, 120, 150.0, 150.0, 75.0, 62.0)
    white = np.full((120, 160, 3), 255, np.uint8)
    view = rolled(white, camera, np.deg2rad(degrees))
    assert (view.image / 255.0).sum() / 3 == pytest.approx(160 * 120, rel=0.01)
    # And the canvas is no larger than that takes: the white reaches all its sides.
    lit = view.image[..., 0] > 0
    for side in (lit[:2], lit[-2:], lit[:, :2], lit[:, -2:]):
        assert side.any()
    c, s = abs(np.cos(np.deg2rad(degrees))), abs(np.sin(np.deg2rad(degrees)))
    assert abs(view.camera.width - (160 * c + 120 * s)) <= 1
    assert abs(view.camera.height - (160 * s + 120 * c)) <= 1


def test_turning_there_and_back_gives_the_image_again():
    camera = Camera(160, 120, 150.0, 150.0, 75.0, 62.0)
    there = rolled(picture(), camera, 0.5)
    back = rolled(there.image, there.camera, -0.5)
    # Twice grown: the image lies around its principal point.
    left, top = round(back.camera.cx - 75.0), round(back.camera.cy - 62.0)
    matrix = np.array([[1, 0, 75.0 - back.camera.cx], [0, 1, 62.0 - back.camera.cy]])
    moved = cv2.warpAffine(back.image, matrix, (160, 120))
    assert left > 0
    assert top > 0
    inner = np.s_[5:-5, 5:-5]
    difference = np.abs(moved[inner].astype(int) - picture()[inner])
    assert difference.mean() < 2
    np.testing.assert_allclose(there.R_before_after @ back.R_before_after, np.eye(3), atol=1e-12)


@pytest.mark.parametrize("factor", [0.35, 0.5, 1.5, 2.0, 3.0])
def test_the_focal_length_is_as_many_times_as_long_at_the_same_size(factor):
    view = zoomed(picture(), CAMERA, factor)
    assert view.image.shape == (120, 160, 3)
    assert (view.camera.width, view.camera.height) == (160, 120)
    assert view.camera.fx == pytest.approx(150 * factor, rel=0.02)
    assert view.camera.fy == pytest.approx(140 * factor, rel=0.02)
    # The middle of the image stays: what the camera sees there is in the same direction.
    middle = np.array([79.5, 59.5])
    before = (middle - [75.0, 62.0]) / [150.0, 140.0]
    after = (middle - [view.camera.cx, view.camera.cy]) / [view.camera.fx, view.camera.fy]
    np.testing.assert_allclose(before, after, atol=1e-9)


def test_a_shorter_focal_length_leaves_black_around():
    view = zoomed(picture(), CAMERA, 0.5)
    assert (view.image.max(axis=-1) > 0).sum() == 80 * 60
    assert view.image[30:90, 40:120].min() >= 50


def test_a_distorted_image_is_undistorted_first():
    camera = Camera(160, 120, 150.0, 140.0, 75.0, 62.0, "plumb_bob", (0.2, 0.0, 0.0, 0.0))
    for view in (rolled(picture(), camera, 0.0), zoomed(picture(), camera, 1.0)):
        np.testing.assert_array_equal(view.image, camera.undistort(picture()))
        assert not view.camera.is_distorted
