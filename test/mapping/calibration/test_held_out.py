"""Keyframes as queries: what they must not see, and in which light."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from keyframes_in_a_row import Seeing, image_of, wall_map
from scipy.spatial.transform import Rotation

from dense_reloc_ros.mapping.calibration.held_out import (
    BAD_LIGHT,
    HELD_OUT,
    MEDIUM_LIGHT,
    WORSE_LIGHT,
    HeldOut,
)


@pytest.mark.parametrize("unit", [0.01, 1.0, 100.0])
def test_a_tenth_of_the_keyframes_is_held_out_with_its_nearest(unit):
    held_out = HeldOut(wall_map(40, unit), image_of, Seeing())
    assert len(held_out.keyframes) == len(set(held_out.keyframes)) == HELD_OUT
    assert (held_out.keyframes[0], held_out.keyframes[-1]) == (0, 39)
    assert held_out.neighbours(0) == {0, 1, 2, 3}
    assert held_out.neighbours(20) in ({18, 19, 20, 21}, {19, 20, 21, 22})


@pytest.mark.parametrize("unit", [0.01, 1.0, 100.0])
def test_a_keyframe_that_looks_elsewhere_is_not_near(unit):
    scene_map = wall_map(20, unit)
    scene_map.keyframe_poses[1, :3, :3] = torch.from_numpy(
        Rotation.from_euler("y", 90, degrees=True).as_matrix()
    )
    assert HeldOut(scene_map, image_of, Seeing()).neighbours(0) == {0, 2}


def test_witnesses_are_all_that_see_the_same_points():
    held_out = HeldOut(wall_map(7), image_of, Seeing())
    every = [held_out.witnesses(keyframe) for keyframe in range(7)]
    assert every == [{0, 1}, {0, 1}, {2, 3}, {2, 3}, {4, 5}, {4, 5}, {6}]


@pytest.mark.parametrize("light", [MEDIUM_LIGHT, BAD_LIGHT, WORSE_LIGHT])
def test_bad_light_is_the_same_each_time_and_different_for_each_image(light):
    held_out = HeldOut(wall_map(2), lambda k: np.full((48, 64, 3), 128, np.uint8), Seeing())
    one, again, other = (held_out.in_light(k, light).global_descriptor for k in (0, 0, 1))
    torch.testing.assert_close(one, again, rtol=0, atol=0)
    assert (one - 128 / 255).abs().max() > 0.05
    assert not torch.equal(one, other)
