"""Coordinate maps of a wall whose every point is known, and what is made of wrong depth."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from scene.wall import CAMERA, WALL_DEPTH, PixelDescriber, wall_frame

from dense_reloc_ros.errors import InputError
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.mapping.builder import build_from_depth
from dense_reloc_ros.mapping.coordinate_maps import (
    coordinate_map,
    correction_by_points,
    with_coordinates,
)
from dense_reloc_ros.mapping.sources.source_frame import SourceFrame
from dense_reloc_ros.scene.scene_map import SceneMap

SIZE = (12, 16)
"""Cells of 10 x 10 pixels."""


def frames(factor: float = 1.0) -> list[SourceFrame]:
    """Views of the wall with depth that is off by a factor."""
    seen = [wall_frame(k, (0.12 * k - 0.2, 0.05 * k, 0.1 * k), -4.0 * k) for k in range(4)]
    return [
        replace(frame, read_depth=lambda depth=frame.read_depth: factor * depth()) for frame in seen
    ]


@pytest.fixture(scope="module")
def scene_map() -> SceneMap:
    """With all points exactly on the wall."""
    built = build_from_depth(frames(), PixelDescriber())
    built.points[:, 2] = WALL_DEPTH
    return built


def on_the_wall(frame: SourceFrame, column: float, row: float) -> np.ndarray:
    """Where the ray of a pixel meets the wall."""
    pose = frame.known_pose()
    ray = pose[:3, :3] @ np.linalg.inv(CAMERA.matrix) @ [column, row, 1.0]
    return pose[:3, 3] + ray * (WALL_DEPTH - pose[2, 3]) / ray[2]


def test_each_cell_has_the_point_seen_at_its_centre():
    frame = frames()[3]
    points = coordinate_map(frame.load_depth(), CAMERA, frame.known_pose(), SIZE)
    assert points.shape == (12, 16, 3)
    # The ray is exact; the depth is that of pixels half a pixel away.
    for row, column in ((0, 0), (11, 15), (4, 9)):
        expected = on_the_wall(frame, 10 * column + 4.5, 10 * row + 4.5)
        np.testing.assert_allclose(points[row, column], expected, atol=2e-3)


def test_unknown_depth_makes_unknown_cells_and_no_others():
    frame = frames()[0]
    depth = frame.load_depth().copy()
    depth[40:60, 30:50] = 0.0
    depth[100, 155] = 0.0
    depth[0:10, 0:10] = 70.0
    points = coordinate_map(depth, CAMERA, frame.known_pose(), SIZE)
    unknown = np.zeros(SIZE, bool)
    unknown[4:6, 3:5] = unknown[0, 0] = True
    np.testing.assert_array_equal(np.isnan(points).any(axis=2), unknown)
    np.testing.assert_array_equal(np.isnan(points).all(axis=2), unknown)


def test_cells_may_be_finer_than_pixels_and_of_any_shape():
    frame = frames()[1]
    points = coordinate_map(frame.load_depth(), CAMERA, frame.known_pose(), (240, 40))
    # Cells are 4 pixels wide and half a pixel high.
    np.testing.assert_allclose(points[101, 7], on_the_wall(frame, 29.5, 50.25), atol=4e-3)


@pytest.mark.parametrize("factor", [0.97, 1.0, 1.02])
def test_depth_is_corrected_by_the_points_of_the_map(scene_map, factor):
    """The points lie on the wall; a camera that reads it nearer or farther is put right."""
    coordinates = with_coordinates(scene_map, frames(factor), SIZE).coordinates
    assert coordinates.shape == (4, 12, 16, 3)
    assert coordinates.dtype == torch.float32
    np.testing.assert_allclose(coordinates[..., 2], WALL_DEPTH, atol=2e-3)
    expected = on_the_wall(frames()[2], 94.5, 74.5)
    np.testing.assert_allclose(coordinates[2, 7, 9], expected, atol=4e-3)


def test_distorted_depth_is_undistorted(scene_map):
    bent = Camera(160, 120, 150.0, 150.0, 79.5, 59.5, "plumb_bob", (-0.3, 0.1, 0.0, 0.0))
    flat = replace(
        wall_frame(0, (-0.2, 0.0, 0.0)),
        camera=bent,
        read_depth=lambda: _depth_step(bent),
    )
    others = [replace(frame, camera=bent) for frame in frames()[1:]]
    coordinates = with_coordinates(scene_map, [flat, *others], (120, 160)).coordinates
    pose = flat.known_pose()
    depth = ((coordinates[0].numpy() - pose[:3, 3]) @ pose[:3, :3])[..., 2]
    # The step at ray x / z = 0.4 is straight in the undistorted image.
    columns = (depth[:, :-1] < 2.5).sum(axis=1)
    np.testing.assert_allclose(columns, 0.4 * 150 + 79.5, atol=1.5)


def _depth_step(camera: Camera) -> np.ndarray:
    """2 m left of the rays x / z = 0.4 and 3 m right of them, as a distorted camera sees it."""
    grid = np.stack(np.meshgrid(np.arange(160.0), np.arange(120.0)), axis=-1).reshape(-1, 1, 2)
    rays = cv2.undistortPoints(grid, camera.matrix, np.array(camera.distortion))
    return np.where(rays[:, 0, 0] < 0.4, 2.0, 3.0).reshape(120, 160).astype(np.float32)


def test_keyframes_without_depth_are_named(scene_map):
    incomplete = [*frames()[:2], replace(frames()[2], read_depth=None), frames()[3]]
    with pytest.raises(InputError, match="frame-000002: its depth is missing"):
        with_coordinates(scene_map, incomplete, SIZE)


def test_the_correction_follows_the_distance_and_outliers_do_not_matter():
    rng = np.random.default_rng(0)
    readings = rng.uniform(1.0, 4.0, 3000)
    depths = readings * (1.0 + 0.01 * (readings - 2.0)) + rng.normal(0, 0.01, 3000)
    depths[rng.random(3000) < 0.2] += 1.5
    readings[:40] = np.nan
    correction = correction_by_points(readings, depths)
    at = np.array([1.5, 2.5, 3.5])
    np.testing.assert_allclose(correction.at(at), 0.01 * (at - 2.0), atol=4e-3)


def test_too_few_readings_correct_nothing():
    correction = correction_by_points(np.full(20, 2.0), np.full(20, 2.2))
    np.testing.assert_array_equal(correction.at(np.array([1.0, 2.0])), [0.0, 0.0])
