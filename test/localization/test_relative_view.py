"""How a view differs from the keyframes that it shows again."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scene.small_map import make_map
from scipy.spatial.transform import Rotation

from dense_reloc_ros.geometry.se3 import rigid
from dense_reloc_ros.localization.relative_view import relative_view


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
