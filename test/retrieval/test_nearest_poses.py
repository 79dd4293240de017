"""Keyframes in a row: the nearest ones, unless they look elsewhere."""

from __future__ import annotations

import torch
from keyframes_in_a_row import DEPTH, wall_map

from dense_reloc_ros.retrieval.nearest_poses import nearest_poses


def at(x: float) -> torch.Tensor:
    """T_map_camera of a camera that looks along z from x."""
    T_map_camera = torch.eye(4, dtype=torch.float64)
    T_map_camera[0, 3] = x
    return T_map_camera


def test_the_nearest_come_first():
    assert nearest_poses(wall_map(5), at(0.31), DEPTH, 2) == [3, 4]
    assert nearest_poses(wall_map(5), at(0.31), DEPTH, 9) == [3, 4, 2, 1, 0]


def test_those_that_look_elsewhere_are_far():
    scene_map = wall_map(5)
    turned = scene_map.keyframe_poses.clone()
    turned[3, :3, :3] = torch.diag(torch.tensor([-1.0, 1.0, -1.0], dtype=torch.float64))
    scene_map = type(scene_map)(**{**vars(scene_map), "keyframe_poses": turned})
    assert nearest_poses(scene_map, at(0.31), DEPTH, 2) == [4, 2]
    # In a map of another unit of length a turn counts as much.
    large = wall_map(5, unit=7.0)
    turned = large.keyframe_poses.clone()
    turned[3] = turned[3] @ torch.diag(torch.tensor([-1.0, 1.0, -1.0, 1.0], dtype=torch.float64))
    large = type(large)(**{**vars(large), "keyframe_poses": turned})
    assert nearest_poses(large, at(7 * 0.31), 7 * DEPTH, 2) == [4, 2]
