"""A corridor whose doors cannot be told from each other, but for its ends."""

from __future__ import annotations

import numpy as np
import pytest

from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.geometry.se3 import rigid
from dense_reloc_ros.rendering.corridor import (
    SECTION,
    WIDTH,
    corridor_of_doors,
    door_position,
    facing_doors,
)
from dense_reloc_ros.rendering.raycaster import Raycaster

CAMERA = Camera(160, 120, 130.0, 130.0, 79.5, 59.5)


@pytest.fixture(scope="module")
def raycaster() -> Raycaster:
    return Raycaster(corridor_of_doors(1, doors=4))


def test_doors_stand_a_section_apart_around_the_middle():
    positions = [door_position(number, 10) for number in range(10)]
    assert np.diff(positions) == pytest.approx(np.full(9, SECTION))
    assert sum(positions) == pytest.approx(0.0)


def test_all_doors_look_the_same(raycaster):
    T_map_camera = facing_doors(np.array([door_position(1, 4) + 0.3]), 5)[0]
    one = raycaster.render(CAMERA, T_map_camera)
    along = rigid(np.eye(3), np.array([SECTION, 0.0, 0.0]))
    other = raycaster.render(CAMERA, along @ T_map_camera)
    assert np.abs(one.image.astype(int) - other.image).max() <= 2
    assert one.depth == pytest.approx(other.depth, abs=1e-4)
    assert one.image.std() > 10


def test_the_camera_stands_before_the_doors_and_looks_at_them():
    poses = facing_doors(np.linspace(-4, 4, 30), 0)
    assert poses[:, 0, 3] == pytest.approx(np.linspace(-4, 4, 30))
    away = WIDTH / 2 - poses[:, 1, 3]
    assert 1.5 <= away.min() < away.max() <= 2.0
    assert np.degrees(np.arccos(poses[:, 1, 2])).max() <= 15.0


def test_the_two_ends_differ(raycaster):
    east = facing_doors(np.array([0.0]), 0)[0]
    quarter = rigid(np.array([[0.0, 1, 0], [-1, 0, 0], [0, 0, 1]]), np.zeros(3))
    to_the_right = quarter[:3, :3] @ east[:3, :3]
    views = []
    for turn in (to_the_right, quarter[:3, :3] @ quarter[:3, :3] @ to_the_right):
        views.append(raycaster.render(CAMERA, rigid(turn, np.array([0.0, 0.0, 1.3]))).image)
    middle = [view[40:80, 60:100].astype(int) for view in views]
    assert np.abs(middle[0] - middle[1]).mean() > 20
