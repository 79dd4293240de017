"""At which scale an image is looked at."""

from __future__ import annotations

import pytest
from scene.small_map import make_map

from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.localization.view_choice import map_magnification


def test_focal_lengths_within_those_of_the_keyframes_are_left_alone():
    scene_map = make_map()  # 50 to 52 and 51 pixels
    shortest, longest = (scene_map.cameras[k].focal_length for k in (0, -1))
    for focal, expected in ((51.0, 1.0), (102.0, longest / 102.0), (25.0, shortest / 25.0)):
        camera = Camera(64, 48, focal, focal, 31.5, 23.5)
        assert map_magnification(scene_map, camera) == pytest.approx(expected)
