"""Keyframes in view of a predicted pose, against counting one by one."""

from __future__ import annotations

import torch
from keyframes_in_a_row import DEPTH, wall_map

from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.temporal.keyframes_in_view import keyframes_in_view

CAMERA = Camera(64, 48, 50.0, 50.0, 31.5, 23.5)


def at(x: float) -> torch.Tensor:
    """T_camera_map of a camera that looks along z from x."""
    T_camera_map = torch.eye(4)
    T_camera_map[0, 3] = -x
    return T_camera_map


def count_in_view(scene_map, keyframe: int, x: float) -> int:
    points = scene_map.points[scene_map.observation_points[scene_map.observations(keyframe)]]
    count = 0
    for point in points.numpy():
        u = 50.0 * (point[0] - x) / point[2] + 31.5
        v = 50.0 * point[1] / point[2] + 23.5
        count += 0 <= u <= 63 and 0 <= v <= 47
    return count


def test_those_with_the_most_points_in_view_come_first():
    scene_map = wall_map(6)
    points = scene_map.points.clone()
    points[torch.arange(len(points)) % 6 == 0, 2] *= 3  # further away, more of them in view
    points[:3] += torch.tensor([0.0, 0.0, 2 * DEPTH])
    scene_map = type(scene_map)(**{**vars(scene_map), "points": points})
    for x in (0.0, 0.8):
        counts = {k: count_in_view(scene_map, k, x) for k in range(6)}
        found = keyframes_in_view(scene_map, [5, 4, 0, 1, 2, 3, 0], at(x), CAMERA, 4)
        assert len(set(found)) == len(found) == 4
        expected = sorted(counts.values(), reverse=True)[:4]
        assert [counts[k] for k in found] == expected
        assert len(set(counts.values())) > 1


def test_those_that_show_nothing_of_it_are_left_out():
    away = at(0.0)
    away[:3, :3] = torch.diag(torch.tensor([-1.0, 1.0, -1.0]))
    assert keyframes_in_view(wall_map(4), range(4), away, CAMERA, 4) == []
