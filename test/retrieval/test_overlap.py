"""Keyframes in a row before a wall: which of them see what a camera at a pose sees."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from keyframes_in_a_row import wall_map

from dense_reloc_ros.configuration import RetrievalConfiguration
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.retrieval.overlap import better_keyframes, overlapping_keyframes
from dense_reloc_ros.scene.scene_map import SceneMap

CAMERA = Camera(width=640, height=480, fx=200.0, fy=200.0, cx=319.5, cy=239.5)
"""So wide that it sees the whole wall, of six points for each keyframe."""
NARROW = replace(CAMERA, fx=700.0)
"""From the middle of the wall it sees the points at x = 0.5 but not those a metre to the side."""


def line_map(keyframes: int, camera: Camera = CAMERA) -> SceneMap:
    """The wall with all of its points at the height of the cameras."""
    wall = wall_map(keyframes)
    points = wall.points * torch.tensor([1.0, 0.0, 1.0])
    return replace(wall, points=points, cameras=keyframes * (camera,))


def at(x: float, z: float = 0.0, degrees: float = 0.0) -> np.ndarray:
    """T_map_camera, turned about the vertical axis."""
    pose = np.eye(4)
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    pose[:3, :3] = [[c, 0, s], [0, 1, 0], [-s, 0, c]]
    pose[:3, 3] = x, 0, z
    return pose


def test_the_share_is_that_of_the_points_in_the_image():
    for camera, share in ((CAMERA, 1.0), (NARROW, 1 / 3)):
        keyframes, shares = overlapping_keyframes(line_map(2, camera), at(0.5), camera)
        assert sorted(keyframes.tolist()) == [0, 1]
        assert shares.tolist() == pytest.approx([share, share])


@pytest.mark.parametrize(
    ("pose", "seen"),
    [
        (at(0.5, z=1.0), True),
        (at(0.5, z=1.5), False),  # four times nearer
        (at(0.5, z=-2.5), True),
        (at(0.5, z=-5.0), False),  # three times as far
        (at(0.5, degrees=180), False),
    ],
)
def test_points_seen_from_much_nearer_or_farther_or_behind_do_not_count(pose, seen):
    assert bool(len(overlapping_keyframes(line_map(2, NARROW), pose, NARROW)[0])) == seen


def test_it_is_the_size_in_pixels_that_counts_not_the_distance():
    shorter = Camera(160, 120, 200.0, 200.0, 79.5, 59.5)
    close_up = at(0.5, z=1.5)  # four times nearer, in an image a quarter as large
    scene_map = line_map(2, replace(CAMERA, fx=800.0, fy=800.0))
    assert len(overlapping_keyframes(scene_map, close_up, shorter)[0])
    assert not len(overlapping_keyframes(scene_map, at(0.5), shorter)[0])


def test_points_seen_from_another_side_do_not_count():
    scene_map = line_map(2)
    poses = scene_map.keyframe_poses.clone()
    poses[1, :3, 3] = torch.tensor([6.0, 0.0, 0.5])
    keyframes, _ = overlapping_keyframes(replace(scene_map, keyframe_poses=poses), at(0.5), CAMERA)
    assert keyframes.tolist() == [0]


def test_keyframes_that_overlap_more_than_those_used_are_better():
    scene_map = line_map(4)
    poses = scene_map.keyframe_poses.clone()
    poses[:2, :3, 3] = torch.tensor([[4.5, 0.0, 1.0], [4.4, 0.0, 1.0]])
    scene_map, options = replace(scene_map, keyframe_poses=poses), RetrievalConfiguration()
    assert better_keyframes(scene_map, at(0.5), CAMERA, (0, 1), options) == [3, 2]
    assert better_keyframes(scene_map, at(0.5), CAMERA, (1, 3), options) == []
    assert better_keyframes(scene_map, at(0.5, degrees=180), CAMERA, (0,), options) == []
