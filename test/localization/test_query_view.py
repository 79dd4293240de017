"""Views of a query: other pixels, the same rays."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.localization.query_view import (
    QueryView,
    magnified,
    reduced,
    turned,
)

CAMERA = Camera(640, 480, 500.0, 520.0, 310.0, 250.0)
PLENTY = 10**9


def view_of(camera: Camera) -> QueryView:
    """An image whose red and green are the column and the row, in quarters."""
    columns, rows = np.meshgrid(np.arange(camera.width), np.arange(camera.height))
    image = np.stack([columns // 4, rows // 4, 0 * rows], axis=-1).astype(np.uint8)
    return QueryView.of(image, camera)


def pixel(camera: Camera, point: np.ndarray) -> np.ndarray:
    seen = camera.matrix @ point
    return seen[:2] / seen[2]


@pytest.mark.parametrize("quarters", [-1, 0, 1, 2, 3, 4])
@pytest.mark.parametrize(("factor", "pixels"), [(1.0, PLENTY), (0.5, PLENTY), (2.0, 200_000)])
def test_a_view_shows_each_point_where_its_camera_projects_it(quarters, factor, pixels):
    original = view_of(CAMERA)
    view = turned(magnified(original, factor, pixels), quarters)
    assert view.image.shape == (view.camera.height, view.camera.width, 3)
    for point in np.array([[0.05, 0.02, 1.0], [-0.2, 0.1, 1.5], [0.1, -0.2, 1.2]]):
        expected = pixel(CAMERA, point) // 4
        in_view = view.T_camera_view[:3, :3].T @ point
        column, row = np.rint(pixel(view.camera, in_view)).astype(int)
        np.testing.assert_allclose(view.image[row, column, :2], expected, atol=1)


def test_the_top_of_an_image_turned_counterclockwise_is_on_its_left():
    view = turned(view_of(CAMERA), 1)
    assert (view.camera.width, view.camera.height) == (480, 640)
    assert (view.camera.fx, view.camera.fy) == (520.0, 500.0)
    assert (view.image[:, 0, 1] == 0).all()
    up = np.array([0.0, -1.0, 0.0])
    np.testing.assert_allclose(view.T_camera_view[:3, :3].T @ up, [-1, 0, 0], atol=1e-12)


def test_four_quarters_are_none():
    view = turned(view_of(CAMERA), 4)
    assert view.camera == CAMERA
    np.testing.assert_array_equal(view.T_camera_view, np.eye(4))


@pytest.mark.parametrize("factor", [0.25, 0.7, 1.6, 3.0])
def test_magnifying_multiplies_the_focal_length_within_the_bound(factor):
    view = magnified(view_of(CAMERA), factor, 300_000)
    assert view.camera.focal_length == pytest.approx(factor * CAMERA.focal_length, rel=0.01)
    assert view.camera.width * view.camera.height <= 1.01 * 300_000
    assert view.camera.cx / view.camera.width == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("factor", [0.96, 1.0, 1.04])
def test_an_image_at_about_the_scale_is_left_alone(factor):
    original = view_of(CAMERA)
    assert magnified(original, factor, PLENTY) is original


def test_views_are_not_made_too_small_for_a_network():
    view = magnified(view_of(CAMERA), 0.01, PLENTY)
    assert min(view.camera.width, view.camera.height) == 96
    tiny = Camera(64, 48, 50.0, 50.0, 31.5, 23.5)
    assert magnified(view_of(tiny), 0.5, PLENTY).camera == tiny


def test_what_does_not_fit_is_cut_off_around_the_principal_point():
    camera = Camera(1000, 500, 500.0, 500.0, 200.0, 250.0)
    part = magnified(view_of(camera), 1.0, 125_000).camera
    assert (part.width, part.height) == (500, 250)
    assert part.cx == 200.0  # there is nothing further left
    assert part.cy == pytest.approx(124.5, abs=0.51)


def test_a_reduced_image_of_a_distorted_camera_shows_the_same_rays():
    camera = replace(CAMERA, distortion=(0.2, -0.1, 0.001, 0.002, 0.0))
    image = view_of(camera).image
    smaller, scaled = reduced(image, camera, 640 * 480 / 4)
    assert smaller.shape == (240, 320, 3)
    assert scaled.distortion == camera.distortion
    for point in np.array([[0.05, 0.02, 1.0], [-0.2, 0.1, 1.5], [0.1, -0.2, 1.2]]):
        column, row = np.rint(pixel(scaled.pinhole(), point)).astype(int)
        undistorted = scaled.undistort(smaller)[row, column, :2]
        column, row = np.rint(pixel(camera, point)).astype(int)
        expected = camera.undistort(image)[row, column, :2]
        np.testing.assert_allclose(undistorted, expected, atol=1)


def test_an_image_that_is_small_enough_is_left_alone():
    image = view_of(CAMERA).image
    same, camera = reduced(image, CAMERA, 640 * 480)
    assert same is image
    assert camera is CAMERA


@pytest.mark.parametrize("quarters", [-1, 0, 1, 2, 3, 6])
def test_a_view_knows_how_often_it_was_turned(quarters):
    assert (
        turned(QueryView.of(np.zeros((6, 8, 3), np.uint8), CAMERA), quarters).quarters
        == quarters % 4
    )
