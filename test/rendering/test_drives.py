"""Ways of a robot on wheels."""

from __future__ import annotations

import numpy as np
import pytest

from dense_reloc_ros.rendering.drives import around, camera_on_a_mast, driven
from dense_reloc_ros.rendering.room import Walkway

WALKWAY = Walkway((1.0, 0.8), (2.0, 1.6))


def test_a_drive_is_even_flat_and_looks_ahead():
    motion = driven(np.array([[0.0, 0.0], [2.0, 0.5], [4.0, -0.5], [6.0, 0.0]]), 0.8, 20.0)
    positions = motion.T_map_base[:, :3, 3]
    steps = np.diff(positions, axis=0)
    assert np.diff(motion.times) == pytest.approx(1 / 20)
    assert np.linalg.norm(steps, axis=1) == pytest.approx(0.04, rel=0.01)
    assert (positions[:, 2] == 0).all()
    assert motion.T_map_base[:, :3, 2] == pytest.approx(np.tile([0, 0, 1], (len(positions), 1)))
    ahead = steps / np.linalg.norm(steps, axis=1, keepdims=True)
    assert np.einsum("ni,ni->n", ahead, motion.T_map_base[:-1, :3, 0]).min() > 0.999


def test_a_drive_passes_its_waypoints():
    waypoints = np.array([[0.0, 0.0], [2.0, 1.0], [4.0, 0.0]])
    positions = driven(waypoints, 0.5, 50.0).T_map_base[:, :2, 3]
    for waypoint in waypoints:
        assert np.linalg.norm(positions - waypoint, axis=1).min() < 0.02


def test_the_way_around_a_room_lies_in_its_walkway_and_has_a_direction():
    middle = np.array([5.0, -3.0, 0.0])
    there, back = around(middle, WALKWAY, 0.5, 0, 270), around(middle, WALKWAY, 0.5, 270, 0)
    np.testing.assert_allclose(there, back[::-1])
    assert there[0] == pytest.approx([6.5, -3.0])
    assert there[-1] == pytest.approx([5.0, -4.2])
    assert there[1, 1] > -3.0


def test_the_camera_looks_ahead_and_a_little_down():
    ahead = camera_on_a_mast()[:3, 2]
    assert ahead[0] == pytest.approx(np.cos(np.radians(5)))
    assert ahead[2] == pytest.approx(-np.sin(np.radians(5)))
