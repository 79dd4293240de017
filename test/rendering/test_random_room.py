import numpy as np
import pytest

from dense_reloc_ros.rendering.random_room import random_room, relit
from dense_reloc_ros.rendering.room import Room


@pytest.fixture(scope="module")
def rooms() -> list[Room]:
    return [random_room(seed) for seed in (0, 1)]


@pytest.fixture(params=[0, 1])
def room(request, rooms) -> Room:
    return rooms[request.param]


def test_the_same_seed_gives_the_same_room(rooms):
    first, second = rooms[0], random_room(0)
    assert len(first.surfaces) == len(second.surfaces)
    for one, other in zip(first.surfaces, second.surfaces, strict=True):
        assert (one.corner == other.corner).all()
        assert (one.texture == other.texture).all()


def test_other_seeds_give_other_rooms(rooms):
    assert rooms[0].size != rooms[1].size
    assert len(rooms[0].surfaces) != len(rooms[1].surfaces)


def test_everything_stands_inside_the_room(room):
    half = np.array([room.size[0] / 2, room.size[1] / 2])
    for surface in room.surfaces:
        corners = surface.corner + np.array(
            [np.zeros(3), surface.edge_u, surface.edge_v, surface.edge_u + surface.edge_v]
        )
        assert (np.abs(corners[:, :2]) <= half + 0.05).all()
        assert (corners[:, 2] >= -1e-9).all()
        assert (corners[:, 2] <= room.size[2] + 1e-9).all()


def test_the_walkway_is_free_of_furniture(room):
    angles = np.linspace(0, 2 * np.pi, 90)
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    inner, outer = np.array(room.walkway.inner), np.array(room.walkway.outer)
    assert (inner < outer).all()
    for share in (0.0, 0.5, 1.0):
        for x, y in circle * (inner + share * (outer - inner)):
            for box in room.shadow_boxes:
                local = box.T_map_box[:3, :3].T @ (np.array([x, y, 0]) - box.T_map_box[:3, 3])
                assert (np.abs(local[:2]) > np.array(box.size[:2]) / 2 + 0.1).any()


def test_every_surface_of_a_box_faces_outward(room):
    for box in room.shadow_boxes:
        for name in ("front", "back", "left", "right", "top", "bottom"):
            face = box.face(name, np.zeros((2, 2, 3), dtype=np.uint8))
            centre = box.T_map_box[:3, 3] + box.T_map_box[:3, 2] * box.size[2] / 2
            middle = face.corner + (face.edge_u + face.edge_v) / 2
            assert face.normal @ (middle - centre) > 0


def test_upright_textures_have_their_top_at_the_top(room):
    for surface in room.surfaces:
        if abs(surface.normal[2]) < 0.5:
            assert surface.edge_v[2] < 0
            assert surface.edge_u[2] == pytest.approx(0)


def test_the_light_is_uneven_and_comes_from_inside(room):
    assert len(room.lights) >= 3
    for light in room.lights:
        assert (np.abs(light.centre[:2]) < np.array(room.size[:2]) / 2).all()
        assert 0 < light.centre[2] < room.size[2]


def test_other_light_leaves_everything_in_its_place(room):
    other = relit(room, 0)
    assert other.surfaces is room.surfaces
    strengths = [
        changed.intensity / light.intensity
        for changed, light in zip(other.lights, room.lights, strict=True)
    ]
    assert len({round(float(strength[0]), 6) for strength in strengths}) == len(room.lights)
    assert min(strength.min() for strength in strengths) > 0.2
