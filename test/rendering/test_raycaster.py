import cv2
import numpy as np
import pytest

from dense_reloc_ros.errors import InputError
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.geometry.se3 import inverse, rigid
from dense_reloc_ros.rendering.paths import mapping_motion
from dense_reloc_ros.rendering.random_room import random_room
from dense_reloc_ros.rendering.raycaster import Raycaster
from dense_reloc_ros.rendering.room import Room, Surface, Walkway

CAMERA = Camera(160, 120, 130.0, 128.0, 78.3, 60.9)


def room_of(*surfaces: Surface) -> Room:
    """Surfaces shown with the colours of their textures: no lights, the same irradiance for all."""
    return Room((10, 10, 10), surfaces, (), (), np.ones(3), Walkway((1, 1), (2, 2)))


def wall(z: float, texture: np.ndarray, size: float = 2.0) -> Surface:
    """A square that faces a camera at the origin which looks along z (x right, y down)."""
    corner = np.array([-size / 2, -size / 2, z])
    return Surface(corner, np.array([size, 0, 0]), np.array([0, size, 0]), texture)


def grey(value: int) -> np.ndarray:
    return np.full((16, 16, 3), value, dtype=np.uint8)


@pytest.fixture(scope="module")
def furnished() -> tuple[Room, Raycaster]:
    room = random_room(3)
    return room, Raycaster(room)


def test_depth_of_a_slanted_plane_is_that_of_its_equation():
    corner = np.array([-3.0, -4.0, 1.5])
    edge_u, edge_v = np.array([7.0, 0.5, 2.0]), np.array([-0.4, 8.0, 1.0])
    caster = Raycaster(room_of(Surface(corner, edge_u, edge_v, grey(100))))
    depth = caster.render(CAMERA, np.eye(4)).depth
    normal = np.cross(edge_u, edge_v)
    for y, x in [(0, 0), (60, 78), (119, 3), (40, 150)]:
        ray = np.linalg.inv(CAMERA.matrix) @ [x, y, 1.0]
        assert depth[y, x] == pytest.approx(normal @ corner / (normal @ ray), rel=1e-5)


def test_the_nearer_surface_is_seen_and_nothing_is_black_with_depth_zero():
    near, far = wall(1.0, grey(200), size=0.4), wall(2.0, grey(60), size=1.5)
    for surfaces in ((near, far), (far, near)):
        view = Raycaster(room_of(*surfaces)).render(CAMERA, np.eye(4))
        assert view.depth[61, 78] == pytest.approx(1.0)
        assert view.depth[61, 110] == pytest.approx(2.0)
        assert view.image[61, 78, 0] > view.image[61, 110, 0] > 0
        assert view.depth[0, 0] == 0
        assert (view.image[0, 0] == 0).all()


def test_surfaces_behind_the_camera_or_seen_from_behind_are_not_there():
    behind = wall(-2.0, grey(200))
    front = wall(2.0, grey(200))
    turned = Surface(front.corner, front.edge_v, front.edge_u, front.texture)
    view = Raycaster(room_of(behind, turned)).render(CAMERA, np.eye(4))
    assert not view.depth.any()


def test_a_floor_that_passes_under_the_camera_is_cut_at_the_camera():
    floor = Surface(
        np.array([-5.0, 1.0, 6.0]), np.array([10.0, 0, 0]), np.array([0, 0, -12.0]), grey(90)
    )
    depth = Raycaster(room_of(floor)).render(CAMERA, np.eye(4)).depth
    rows = np.arange(90, 120)
    assert depth[90:, 70] == pytest.approx(CAMERA.fy / (rows - CAMERA.cy), rel=1e-5)
    assert not depth[:60].any()


def test_texture_is_upright_and_not_mirrored():
    texture = np.zeros((64, 64, 3), dtype=np.uint8)
    texture[:32, :32], texture[:32, 32:], texture[32:, :32] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    image = Raycaster(room_of(wall(2.0, texture))).render(CAMERA, np.eye(4)).image
    assert image[40, 50].argmax() == 0
    assert image[40, 110].argmax() == 1
    assert image[85, 50].argmax() == 2
    assert image[85, 110].max() == 0


def test_an_edge_in_the_texture_lies_where_the_camera_projects_it():
    texture = np.zeros((400, 400, 3), dtype=np.uint8)
    texture[:, 230:] = 255
    image = Raycaster(room_of(wall(2.0, texture))).render(CAMERA, np.eye(4)).image
    expected = CAMERA.fx * (2.0 * 230 / 400 - 1.0) / 2.0 + CAMERA.cx
    row = image[60, 20:140, 0] / image.max()
    # The bright part of a pixel is the share of it right of the edge.
    assert 139.5 - row.sum() == pytest.approx(expected, abs=0.15)


def test_fine_texture_far_away_averages_instead_of_flickering():
    checks = np.kron(np.indices((200, 200)).sum(axis=0) % 2, np.ones((2, 2)))
    texture = np.repeat((checks * 255).astype(np.uint8)[..., None], 3, axis=2)
    image = Raycaster(room_of(wall(4.0, texture))).render(CAMERA, np.eye(4)).image
    inside = image[45:75, 60:95].astype(float)
    assert inside.std() < 25  # a fifth of what single samples would give
    assert 90 < inside.mean() < 200


def test_a_distorted_camera_is_refused():
    camera = Camera(160, 120, 130, 130, 80, 60, "plumb_bob", (0.1, 0, 0, 0))
    with pytest.raises(InputError, match="distortion"):
        Raycaster(room_of(wall(2.0, grey(9)))).render(camera, np.eye(4))


def test_rendering_is_deterministic(furnished):
    room, caster = furnished
    pose = mapping_motion(room.walkway, 8, seed=0).T_map_camera[3]
    again = Raycaster(random_room(3)).render(CAMERA, pose)
    once = caster.render(CAMERA, pose)
    assert (once.image == again.image).all()
    assert (once.depth == again.depth).all()


def test_two_views_agree_where_they_see_the_same(furnished):
    room, caster = furnished
    camera = Camera(320, 240, 260.0, 260.0, 159.5, 119.5)
    motion = mapping_motion(room.walkway, 60, seed=0)
    T_map_one, T_map_two = motion.T_map_camera[[40, 41]]
    one, two = caster.render(camera, T_map_one), caster.render(camera, T_map_two)
    rows, columns = np.mgrid[0:240:3, 0:320:3].reshape(2, -1)
    rays = np.linalg.inv(camera.matrix) @ np.stack([columns, rows, np.ones(len(rows))])
    points = np.vstack([rays * one.depth[rows, columns], np.ones(len(rows))])
    in_two = (inverse(T_map_two) @ T_map_one @ points)[:3]
    x, y, _ = camera.matrix @ in_two / in_two[2]
    inside = (in_two[2] > 0) & (x > 1) & (x < 318) & (y > 1) & (y < 238)
    assert inside.mean() > 0.4
    x, y, z = x[inside].astype(np.float32), y[inside].astype(np.float32), in_two[2, inside]
    seen_depth = 1 / cv2.remap(1 / two.depth, x[None], y[None], cv2.INTER_LINEAR)[0]
    visible = np.abs(seen_depth - z) < 2e-3 * z
    assert visible.mean() > 0.8
    colours = cv2.remap(two.image, x[None], y[None], cv2.INTER_LINEAR)[0].astype(float)
    difference = np.abs(colours - one.image[rows, columns][inside]).mean(axis=1)[visible]
    assert np.median(difference) < 2
    assert np.percentile(difference, 90) < 10


def test_moving_the_room_and_the_camera_together_changes_nothing():
    turned = rigid(np.array([[0.0, -1, 0], [0, 0, -1], [1, 0, 0]]), np.array([3.0, -2, 5]))
    rng = np.random.default_rng(0)
    here = wall(2.0, rng.integers(0, 256, (40, 40, 3), dtype=np.uint8))
    there = Surface(
        turned[:3, :3] @ here.corner + turned[:3, 3],
        turned[:3, :3] @ here.edge_u,
        turned[:3, :3] @ here.edge_v,
        here.texture,
    )
    first = Raycaster(room_of(here)).render(CAMERA, np.eye(4))
    second = Raycaster(room_of(there)).render(CAMERA, turned)
    assert np.abs(first.depth - second.depth).max() < 1e-5
    assert np.abs(first.image.astype(int) - second.image).max() <= 1
