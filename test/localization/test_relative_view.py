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
from dense_reloc_ros.localization.relative_view import quarters_at, quarters_of_up, relative_view
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
def test_the_direction_up_tells_the_same_turn_as_a_pose(degrees):
    scene_map = upright_keyframes([-30.0, 0.0, 40.0], [-10.0, 0.0, 10.0])
    pose = rolled(degrees, looking(20.0, pitch=5.0))
    quarters = quarters_of_up(scene_map, pose[2, :3])
    assert quarters is not None
    assert quarters % 4 == quarters_at(scene_map, pose) % 4 == round(-degrees / 90) % 4


def test_the_direction_up_tells_nothing_to_a_camera_that_looks_up():
    scene_map = upright_keyframes([0.0, 0.0, 0.0], [0.0, 0.0, 0.0])
    assert quarters_of_up(scene_map, looking(20.0, pitch=-50.0)[2, :3]) == 0
    assert quarters_of_up(scene_map, looking(20.0, pitch=-70.0)[2, :3]) is None


def test_the_direction_up_tells_nothing_where_keyframes_are_rolled_differently():
    scene_map = upright_keyframes([0.0, 0.0, 0.0], [0.0, 90.0, 0.0])
    assert quarters_of_up(scene_map, looking(20.0)[2, :3]) is None
