import numpy as np
import pytest

from dense_reloc_ros.rendering.lighting import irradiance, lit_textures, shaded
from dense_reloc_ros.rendering.room import Box, Light, Room, Surface, Walkway

UP = np.array([0.0, 0.0, 1.0])


def room(boxes=(), lights=(), ambient=0.0, surfaces=()) -> Room:
    return Room((4, 4, 3), surfaces, boxes, lights, np.full(3, ambient), Walkway((1, 1), (2, 2)))


def lamp(height: float, size=(0.0, 0.0, 0.0)) -> Light:
    return Light(np.array([0, 0, height]), np.array(size), -UP, np.array([2.0, 1.0, 0.5]))


def test_a_point_light_follows_the_inverse_square_and_both_cosines():
    points = np.array([[0.0, 0, 0], [2.0, 0, 0], [0, 1.0, 0]])
    light = irradiance(points, np.tile(UP, (3, 1)), room(lights=(lamp(2.0),)))
    squared = np.array([4.0, 8.0, 5.0])
    expected = 4.0 / squared**2  # cos(received) * cos(emitted) / r^2 with height 2
    assert light == pytest.approx(expected[:, None] * [2.0, 1.0, 0.5])


def test_nothing_arrives_behind_a_light_or_on_the_back_of_a_surface():
    points = np.array([[0.0, 0, 3.0], [0.0, 0, 0.0]])
    light = irradiance(points, np.array([-UP, -UP]), room(lights=(lamp(2.0),), ambient=0.1))
    assert light == pytest.approx(np.full((2, 3), 0.1))


def test_a_turned_box_casts_its_shadow_where_geometry_says():
    half = np.deg2rad(45) / 2
    pose = np.eye(4)
    pose[:3, :3] = [
        [np.cos(2 * half), -np.sin(2 * half), 0],
        [np.sin(2 * half), np.cos(2 * half), 0],
        [0, 0, 1],
    ]
    pose[2, 3] = 1.0
    box = Box(pose, (0.4, 0.4, 0.0001))
    # From 2 m above, a square at 1 m throws a shadow twice its size: half diagonal 0.566 along x.
    points = np.array([[0.55, 0, 0], [0.58, 0, 0], [0.27, 0.27, 0], [0.30, 0.30, 0]])
    light = irradiance(points, np.tile(UP, (4, 1)), room((box,), (lamp(2.0),)))
    assert (light[:, 0] > 0).tolist() == [False, True, False, True]


def test_a_large_light_gives_half_shadows():
    box = Box(np.array([[1.0, 0, 0, 1], [0, 1, 0, 0], [0, 0, 1, 1], [0, 0, 0, 1]]), (2, 4, 0.01))
    points = np.stack([np.linspace(-1, 1, 41), np.zeros(41), np.zeros(41)], axis=1)
    scene = room((box,), (lamp(2.0, (0.8, 0.8, 0)),))
    shadow = irradiance(points, np.tile(UP, (41, 1)), scene)[:, 0]
    free = irradiance(points, np.tile(UP, (41, 1)), room(lights=scene.lights))[:, 0]
    share = shadow / free
    assert share[0] == 1 and share[-1] == 0
    assert (np.diff(share) <= 1e-9).all()
    assert ((share > 0.2) & (share < 0.8)).sum() >= 5


def test_white_in_full_light_is_bright_and_grey_keeps_its_order():
    texture = np.array([[[255] * 3, [128] * 3, [0] * 3]] * 3, dtype=np.uint8)
    lit = shaded(texture, np.ones((2, 2, 3)))
    assert lit[0, 0, 0] > 230
    assert 100 < lit[0, 1, 0] <= 128
    assert lit[0, 2, 0] == 0
    half = shaded(texture, np.full((2, 2, 3), 0.5))
    assert half[0, 1, 0] == pytest.approx(128 * 0.5 ** (1 / 2.2), abs=2)


def test_light_runs_over_the_texture_the_way_the_surface_lies():
    floor = Surface(
        np.array([-1.0, 1.0, 0]),
        np.array([2.0, 0, 0]),
        np.array([0, -2.0, 0]),
        np.full((50, 50, 3), 200, dtype=np.uint8),
    )
    light = Light(np.array([0.9, 0.9, 0.8]), np.zeros(3), -UP, np.ones(3))
    lit = lit_textures(room(lights=(light,), ambient=0.05, surfaces=(floor,)))[0]
    row, column = np.unravel_index(lit[..., 0].argmax(), lit.shape[:2])
    assert (int(row), int(column)) == (pytest.approx(2.5, abs=3), pytest.approx(47, abs=3))


def test_emission_shows_the_texture_without_any_light():
    window = Surface(
        np.zeros(3),
        np.array([1.0, 0, 0]),
        np.array([0, 0, -1.0]),
        np.full((9, 9, 3), 120, np.uint8),
    )
    bright = Surface(window.corner, window.edge_u, window.edge_v, window.texture, emission=1.0)
    dark, shown = lit_textures(room(surfaces=(window, bright)))
    assert dark.max() == 0
    assert shown == pytest.approx(120, abs=4)
