from __future__ import annotations

import numpy as np

from dense_reloc_ros.rendering.room import Walkway
from dense_reloc_ros.rendering.standpoints import HEIGHTS, random_lens, standpoints

WALKWAY = Walkway((1.0, 0.8), (2.0, 1.6))


def test_cameras_stand_on_the_walkway_and_look_everywhere():
    poses = standpoints(WALKWAY, 400, seed=0)
    x, y, z = poses[:, :3, 3].T
    assert ((x / 1.0) ** 2 + (y / 0.8) ** 2 >= 1 - 1e-9).all()
    assert ((x / 2.0) ** 2 + (y / 1.6) ** 2 <= 1 + 1e-9).all()
    assert z.min() >= HEIGHTS[0] and z.max() <= HEIGHTS[1]
    forward, down = poses[:, :3, 2], poses[:, :3, 1]
    yaw = np.degrees(np.arctan2(forward[:, 1], forward[:, 0]))
    quarters = np.histogram(yaw, bins=4, range=(-180, 180))[0]
    assert quarters.min() > 70
    # Optical frames: z forward, somewhat down; y down.
    assert -0.3 < forward[:, 2].mean() < -0.05
    assert down[:, 2].max() < -0.5
    assert np.allclose(np.linalg.det(poses[:, :3, :3]), 1)


def test_the_same_seed_gives_the_same_poses():
    assert np.array_equal(standpoints(WALKWAY, 5, 3), standpoints(WALKWAY, 5, 3))
    assert not np.allclose(standpoints(WALKWAY, 5, 3), standpoints(WALKWAY, 5, 4))


def test_lenses_differ_and_see_their_image_from_its_middle():
    lenses = [random_lens(320, 240, np.random.default_rng(seed)) for seed in range(50)]
    wide = np.degrees([2 * np.arctan(160 / lens.fx) for lens in lenses])
    assert 53 <= wide.min() < wide.max() <= 71.1
    assert all((lens.cx, lens.cy) == (159.5, 119.5) for lens in lenses)
