"""Points have the colours that were stored with them, or those of the images that show them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from scene.small_map import make_map

from dense_reloc_ros.scene.colours import GREY, colours_at, mean_colours, point_colours
from dense_reloc_ros.scene.reader import load_map
from dense_reloc_ros.scene.writer import write_map

COLOURS = torch.arange(60, dtype=torch.uint8).reshape(20, 3)


def test_stored_colours_come_back_with_the_map(tmp_path):
    write_map(tmp_path / "map", replace(make_map(), colours=COLOURS))
    np.testing.assert_array_equal(point_colours(load_map(tmp_path / "map")), COLOURS.numpy())


def test_a_map_without_colours_still_opens_and_is_grey(tmp_path):
    write_map(tmp_path / "map", make_map())
    scene_map = load_map(tmp_path / "map")
    assert scene_map.colours is None
    assert (point_colours(scene_map) == GREY).all()


def test_stored_colours_need_no_image():
    def unreadable(keyframe):
        raise AssertionError

    scene_map = replace(make_map(), colours=COLOURS, images=unreadable)
    np.testing.assert_array_equal(point_colours(scene_map), COLOURS.numpy())


def test_a_colour_is_the_mean_of_all_observations():
    seen = np.array([[10, 0, 255], [20, 0, 255], [7, 8, 9]], np.uint8)
    found = mean_colours(np.array([2, 2, 0]), seen, 4)
    assert found.dtype == np.uint8
    assert found.tolist() == [[7, 8, 9], [GREY] * 3, [15, 0, 255], [GREY] * 3]


def test_pixels_on_the_border_belong_to_the_image():
    image = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    pixels = np.array([[-0.5, -0.5], [1.4, 1.4], [0.6, 0.2]], np.float32)
    assert colours_at(image, pixels).tolist() == [[0, 1, 2], [9, 10, 11], [3, 4, 5]]
