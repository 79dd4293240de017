"""Corners and depth on images whose corners and depth are known."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.mapping.keypoints import (
    EDGE_RADIUS,
    detect_corners,
    lift,
    reliable_depth,
)

CAMERA = Camera(80, 60, 70.0, 72.0, 39.5, 29.5)


def squares(strong: int = 255) -> np.ndarray:
    """White squares on black: 12 corners, the last four of them at the grey value `strong`."""
    image = np.zeros((60, 80, 3), np.uint8)
    for column, value in ((6, 255), (33, 255), (60, strong)):
        image[20:34, column : column + 14] = value
    return image


def everywhere() -> np.ndarray:
    return np.ones((60, 80), bool)


def test_corners_lie_at_the_corners():
    corners = detect_corners(squares(), everywhere(), 12)
    truth = [(x, y) for left in (6, 33, 60) for x in (left, left + 13) for y in (20, 33)]
    distances = np.linalg.norm(corners[:, None] - np.array(truth), axis=2)
    assert corners.dtype == np.float32
    assert sorted(distances.argmin(axis=1).tolist()) == list(range(12))
    assert distances.min(axis=1).max() <= 1.5


def test_corners_are_found_between_pixels():
    # A chess board turned by 10 degrees: its corners are known to any precision.
    turn = np.deg2rad(10.0)
    axes = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    fine = np.stack(np.meshgrid(np.arange(800), np.arange(600)), axis=-1) / 10 - 0.45
    board = np.floor(fine @ axes.T / 16).sum(axis=2) % 2
    grey = cv2.resize((board * 255).astype(np.uint8), (80, 60), interpolation=cv2.INTER_AREA)
    usable = np.zeros((60, 80), bool)
    usable[8:-8, 8:-8] = True
    corners = detect_corners(cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB), usable, 12)
    cells = corners @ axes.T / 16
    errors = np.linalg.norm((cells - cells.round()) * 16, axis=1)
    assert len(corners) >= 6
    assert np.median(errors) < 0.1


def test_refined_corners_stay_where_depth_is_reliable():
    usable = np.random.default_rng(0).random((60, 80)) < 0.3
    noise = np.random.default_rng(1).integers(0, 255, (60, 80, 3), dtype=np.uint8)
    corners = detect_corners(noise, usable, 200)
    columns, rows = np.rint(corners).astype(int).T
    assert len(corners) > 50
    assert usable[rows, columns].all()


def test_strongest_corners_come_first_and_the_mask_holds():
    image = squares(strong=60)
    assert (detect_corners(image, everywhere(), 8)[:, 0] < 50).all()
    usable = everywhere()
    usable[:, :55] = False
    corners = detect_corners(image, usable, 8)
    assert len(corners) == 4
    assert (corners[:, 0] >= 55).all()


def test_an_image_without_corners_gives_none():
    assert detect_corners(np.full((60, 80, 3), 90, np.uint8), everywhere(), 10).shape == (0, 2)
    assert detect_corners(squares(), ~everywhere(), 10).shape == (0, 2)


def test_corners_are_spread():
    noise = np.random.default_rng(0).integers(0, 255, (480, 640, 3), dtype=np.uint8)
    noise[:, :500] //= 8  # One side is much stronger than the other.
    corners = detect_corners(noise, np.ones((480, 640), bool), 400)
    assert (corners[:, 0] < 500).mean() > 0.3


def test_points_on_depth_edges_and_without_depth_are_not_reliable():
    depth = np.full((60, 80), 2.0, np.float32)
    depth[:, 40:] = 2.5
    depth[10:14, 10:14] = 0.0
    depth[40, 20], depth[40, 25] = 0.01, 500.0
    reliable = reliable_depth(depth)
    near_edge = np.zeros(80, bool)
    near_edge[40 - EDGE_RADIUS : 40 + EDGE_RADIUS] = True
    np.testing.assert_array_equal(reliable[30], ~near_edge)
    assert not reliable[10:14, 10:14].any()
    assert reliable[9, 10] and reliable[14, 10]
    assert not reliable[40, 20] and not reliable[40, 25]


def test_slanted_surfaces_are_reliable():
    # A floor seen from 1.2 m above, 1.5 to 3.5 m away, with the Kinect's focal length.
    rows = 525.0 * 1.2 / np.linspace(3.5, 1.5, 400)
    rows = np.arange(int(rows[0]), int(rows[-1]))
    depth = np.repeat((525.0 * 1.2 / rows).astype(np.float32)[:, None], 50, axis=1)
    assert reliable_depth(depth).all()


def test_no_depth_at_all_is_not_reliable():
    assert not reliable_depth(np.zeros((60, 80), np.float32)).any()


def test_lifted_points_project_back_to_their_pixels():
    rng = np.random.default_rng(1)
    depth = np.full((60, 80), 3.0, np.float32)
    pixels = rng.uniform([0, 0], [79, 59], (50, 2)).astype(np.float32)
    points = lift(pixels, depth, CAMERA)
    projected = points @ CAMERA.matrix.T
    np.testing.assert_allclose(projected[:, :2] / projected[:, 2:], pixels, atol=1e-4)
    np.testing.assert_allclose(points[:, 2], 3.0)


def test_lifting_survives_a_speckle_and_holes():
    depth = np.full((60, 80), 3.0, np.float32)
    depth[19:22, 29:32] = [[0, 0, 3.1], [0, 9.0, 3.0], [0, 0, 2.9]]
    (point,) = lift(np.array([[30.0, 20.0]], np.float32), depth, CAMERA)
    assert point[2] == pytest.approx(3.05, abs=0.051)


def test_undistorted_depth_is_taken_where_the_pixel_was():
    camera = Camera(80, 60, 70.0, 72.0, 39.5, 29.5, "plumb_bob", (-0.2, 0.05, 0.0, 0.0, 0.0))
    # Depth encodes the pixel it was read at, so the source of every value is known.
    columns, rows = np.meshgrid(np.arange(80), np.arange(60))
    depth = (1.0 + columns + 100.0 * rows).astype(np.float32)
    straight = camera.undistort_depth(depth)
    pixel = np.array([[[20.0, 15.0]]])
    rays = (pixel - [39.5, 29.5]) / [70.0, 72.0]
    (source,) = cv2.projectPoints(
        np.append(rays[0, 0], 1.0)[None],
        np.zeros(3),
        np.zeros(3),
        camera.matrix,
        np.array(camera.distortion),
    )[0][0]
    assert straight[15, 20] == 1 + round(source[0]) + 100 * round(source[1])
    assert camera.pinhole().undistort_depth(depth) is depth
