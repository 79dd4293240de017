"""How a view differs from the keyframes that it shows again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from gallery import looking, rolled
from scene.small_map import make_map
from scipy.spatial.transform import Rotation

from dense_reloc_ros.geometry.se3 import rigid
from dense_reloc_ros.localization.relative_view import (
    quarters_at,
    quarters_of,
    relative_view,
    roll_by_up,
)
from dense_reloc_ros.scene.scene_map import SceneMap


def test_the_relative_view_is_what_turns_and_scales_it_to_the_keyframe():
    scene_map = make_map()
    pose, camera = scene_map.keyframe_poses[0].numpy(), scene_map.cameras[0]
    seen = scene_map.observation_points[scene_map.observations(0)].long()
    in_front = (scene_map.points[seen].double() - torch.from_numpy(pose[:3, 3])) @ torch.from_numpy(
        pose[:3, 2]
    ) > 0
    points = torch.unique(seen[in_front]).numpy()
    assert len(points)
    turned = pose @ rigid(Rotation.from_euler("z", 70, degrees=True).as_matrix(), np.zeros(3))
    relative = relative_view(scene_map, turned, points, (0,), camera.scaled(128, 96))
    assert np.degrees(relative.roll) == pytest.approx(-70)
    assert relative.quarters == -1
    assert relative.magnification == pytest.approx(2.0)


def upright_keyframes(pitches: Sequence[float], rolls: Sequence[float]) -> SceneMap:
    """Of a map whose keyframes look ahead, up or down, rolled; all degrees."""
    poses = make_map().keyframe_poses.clone()
    for pose, pitch, roll in zip(poses, pitches, rolls, strict=True):
        pose[:3] = torch.from_numpy(rolled(roll, looking(20.0, pitch=pitch))[:3])
    return replace(make_map(), keyframe_poses=poses)


@pytest.mark.parametrize("degrees", [0, 30, 80, 90, 170, 180, 260, 270])
def test_the_direction_up_tells_the_same_roll_as_a_pose(degrees):
    scene_map = upright_keyframes([-30.0, 0.0, 40.0], [-10.0, 0.0, 10.0])
    pose = rolled(degrees, looking(20.0, pitch=5.0))
    roll = roll_by_up(scene_map, pose[2, :3])
    assert np.exp(1j * roll) == pytest.approx(np.exp(-1j * np.radians(degrees)))
    assert quarters_of(roll) % 4 == quarters_at(scene_map, pose) % 4


@pytest.mark.parametrize(
    ("pitches", "rolls", "pitch", "is_known"),
    [
        ([0.0, 0.0, 0.0], [0.0, 0.0, 0.0], -50.0, True),
        ([0.0, 0.0, 0.0], [0.0, 0.0, 0.0], -70.0, False),  # the image looks up
        ([0.0, 0.0, 0.0], [0.0, 90.0, 0.0], 0.0, False),  # keyframes hang differently
        ([70.0, 0.0, 0.0], [50.0, 0.0, 0.0], 0.0, True),
        ([70.0, 70.0, 0.0], [50.0, -80.0, 0.0], 0.0, False),  # most keyframes look down
    ],
)
def test_the_direction_up_tells_the_roll_where_most_are_upright(pitches, rolls, pitch, is_known):
    scene_map = upright_keyframes(pitches, rolls)
    roll = roll_by_up(scene_map, looking(20.0, pitch=pitch)[2, :3])
    assert roll == (pytest.approx(0.0, abs=1e-6) if is_known else None)
