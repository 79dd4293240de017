"""Views that are held out of a map: what they must not see, and that their truth is true."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from keyframes_in_a_row import DEPTH, Seeing, image_of, wall_map
from scipy.spatial.transform import Rotation

from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.mapping.calibration.held_out import HELD_OUT, RADII, HeldOut, turned

CAMERA = Camera(160, 120, 140.0, 150.0, 77.0, 62.0)


@pytest.mark.parametrize("unit", [0.01, 1.0, 100.0])
def test_a_stretch_is_all_within_a_radius_relative_to_the_depth(unit):
    held_out = HeldOut(wall_map(40, unit), image_of, Seeing())
    assert len(held_out.keyframes) == HELD_OUT
    assert held_out.stretch(20, 0.24 / DEPTH) == {18, 19, 20, 21, 22}
    assert held_out.stretch(0, 0.01 / DEPTH) == {0}


def test_a_keyframe_that_looks_elsewhere_is_not_near():
    scene_map = wall_map(20)
    scene_map.keyframe_poses[1, :3, :3] = torch.from_numpy(
        Rotation.from_euler("y", 30, degrees=True).as_matrix()
    )
    held_out = HeldOut(scene_map, image_of, Seeing())
    assert held_out.stretch(0, 0.24 / DEPTH) == {0, 2}
    assert held_out.stretch(0, 0.54) == {0, *range(1, 11)}


def test_witnesses_are_all_that_see_the_same_points():
    held_out = HeldOut(wall_map(7), image_of, Seeing())
    every = [held_out.witnesses(keyframe) for keyframe in range(7)]
    assert every == [{0, 1}, {0, 1}, {2, 3}, {2, 3}, {4, 5}, {4, 5}, {6}]


def test_queries_are_spread_over_the_map_and_always_the_same():
    held_out = HeldOut(wall_map(40), image_of, Seeing())
    first, again = ([held_out.query("stretch", k, 10) for k in range(10)] for _ in range(2))
    assert [query.keyframe for query in first] == list(range(0, 40, 4))
    for one, other in zip(first, again, strict=True):
        assert one.excluded == other.excluded
        assert one.keyframe in one.excluded
        assert len(one.excluded) <= 1 + 2 * RADII[1] * DEPTH / 0.1
        assert torch.equal(one.features.global_descriptor, other.features.global_descriptor)
    assert len({len(query.excluded) for query in first}) > 3


def test_what_leaves_nothing_of_the_map_is_no_query():
    held_out = HeldOut(wall_map(2), image_of, Seeing())
    assert held_out.query("unseen", 0, 4) is None


@pytest.mark.parametrize("zoom", [0.5, 1.0, 1.5])
@pytest.mark.parametrize("degrees", [-30.0, 0.0, 20.0])
def test_a_turned_and_zoomed_image_shows_points_where_its_pose_puts_them(degrees, zoom):
    point = np.array([0.12, -0.08, 1.0])
    x, y, _ = CAMERA.matrix @ point
    image = np.zeros((CAMERA.height, CAMERA.width, 3), np.uint8)
    cv2.circle(image, (round(x), round(y)), 4, (255, 255, 255), -1)
    changed, camera, pose = turned(image, CAMERA, np.eye(4), np.deg2rad(degrees), zoom)
    assert changed.shape == (camera.height, camera.width, 3)
    in_camera = np.linalg.inv(pose)[:3, :3] @ point
    expected = (camera.matrix @ in_camera)[:2] / in_camera[2]
    rows, columns = np.nonzero(changed[..., 0] > 128)
    assert [columns.mean(), rows.mean()] == pytest.approx(expected, abs=0.8)
    assert camera.fx == pytest.approx(zoom * CAMERA.fx, rel=0.01)
