"""Two rooms and a corridor that a robot can drive through."""

from __future__ import annotations

import numpy as np
import pytest

from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.geometry.se3 import rigid
from dense_reloc_ros.rendering.building import CORRIDOR, Building, random_building
from dense_reloc_ros.rendering.doorway import HEIGHT, WIDTH, with_doorway
from dense_reloc_ros.rendering.paths import OPTICAL
from dense_reloc_ros.rendering.random_room import random_room
from dense_reloc_ros.rendering.raycaster import Raycaster
from dense_reloc_ros.rendering.room import Surface

CAMERA = Camera(64, 48, 46.0, 46.0, 31.5, 23.5)


@pytest.fixture(scope="module")
def building() -> Building:
    return random_building(1)


@pytest.fixture(scope="module")
def raycaster(building: Building) -> Raycaster:
    return Raycaster(*building.rooms)


def looking_east(x: float, y: float, z: float) -> np.ndarray:
    return rigid(OPTICAL, np.array([x, y, z]))


def test_one_looks_from_the_west_room_through_both_doors_to_the_far_wall(building, raycaster):
    x = building.west_middle[0] + 1.2
    depth = raycaster.render(CAMERA, looking_east(x, 0.0, 1.6)).depth
    far_wall = building.east_middle[0] + building.east.size[0] / 2
    # What stands there is less than a metre deep.
    assert far_wall - x - 1.0 < depth[24, 32] <= far_wall - x + 1e-3


def test_the_walls_beside_and_above_the_doors_are_closed(building, raycaster):
    x, wall = -CORRIDOR[0] / 2 - 1.3, -CORRIDOR[0] / 2
    beside = raycaster.render(CAMERA, looking_east(x, WIDTH / 2 + 0.1, 2.2)).depth
    above = raycaster.render(CAMERA, looking_east(x, 0.0, HEIGHT + 0.1)).depth
    assert beside[24, 32] == pytest.approx(wall - x, abs=1e-3)
    assert above[24, 32] == pytest.approx(wall - x, abs=1e-3)


def test_a_camera_sees_something_everywhere_on_the_way(building, raycaster):
    for x in np.linspace(building.west_middle[0] + 1.5, building.east_middle[0] - 1.5, 5):
        view = raycaster.render(CAMERA, looking_east(float(x), 0.0, 1.15))
        assert (view.depth > 0).all()
        assert view.image.std() > 10


def test_nothing_stands_in_the_doorways(building):
    for room in (building.west, building.east):
        for box in room.shadow_boxes:
            x, y, _ = box.T_map_box[:3, 3]
            if abs(x) < CORRIDOR[0] / 2 + 1.0:
                assert abs(y) - max(box.size[:2]) / 2 > 0.4


def test_a_room_without_doorways_is_the_one_it_always_was():
    room, opened = random_room(4), random_room(4, [0])
    assert room.size == opened.size
    assert len(room.surfaces) != len(opened.surfaces)
    again = random_room(4, ())
    assert all(
        (one.corner == other.corner).all()
        for one, other in zip(room.surfaces, again.surfaces, strict=True)
    )


def test_the_rooms_of_a_building_differ_and_its_light_can_change(building, raycaster):
    assert building.west.size != building.east.size
    pose = looking_east(0.0, 0.0, 1.15)
    before = raycaster.render(CAMERA, pose)
    after = Raycaster(*building.relit(1).rooms).render(CAMERA, pose)
    np.testing.assert_array_equal(before.depth, after.depth)
    assert np.abs(before.image.astype(int) - after.image).mean() > 3


def test_the_parts_of_a_wall_keep_their_texture_in_place():
    rng = np.random.default_rng(0)
    texture = rng.integers(0, 255, (250, 400, 3), dtype=np.uint8)
    wall = Surface(np.zeros(3), np.array([4.0, 0, 0]), np.array([0, 0, -2.5]), texture)
    left, right, lintel = with_doorway(wall)
    assert right.corner[0] - left.edge_u[0] == pytest.approx(WIDTH, abs=0.02)
    assert -lintel.edge_v[2] == pytest.approx(2.5 - HEIGHT, abs=0.02)
    column = round(right.corner[0] * 100)
    np.testing.assert_array_equal(right.texture, texture[:, column:])
    np.testing.assert_array_equal(lintel.texture[0, 0], texture[0, left.texture.shape[1]])


def test_a_wall_that_is_too_small_for_a_doorway_is_refused():
    wall = Surface(
        np.zeros(3), np.array([1.0, 0, 0]), np.array([0, 0, -2.5]), np.zeros((9, 9, 3), np.uint8)
    )
    with pytest.raises(ValueError, match="no doorway fits"):
        with_doorway(wall)
