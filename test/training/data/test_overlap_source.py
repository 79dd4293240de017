from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from training.data.clean_pairs import CLEAN, blobs, small_room

from dense_reloc_ros.errors import InputError
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.geometry.se3 import inverse, rigid, transformed
from dense_reloc_ros.neurhal.tasks import Task
from dense_reloc_ros.training.data import rooms
from dense_reloc_ros.training.data.depth_frames import NEAREST, DepthFrame
from dense_reloc_ros.training.data.overlap_places import (
    OverlapPhotographsConfiguration,
    OverlapRoomsConfiguration,
    mirror_image,
    overlap_source,
    turned_views,
)
from dense_reloc_ros.training.data.overlap_source import BEHIND, OverlapSource, tasks_of
from dense_reloc_ros.training.data.overlap_views import mutual_overlaps

SIZE = (72, 96)
CAMERA = Camera(96, 72, 80.0, 80.0, 47.5, 35.5)


@pytest.fixture
def source(tmp_path, monkeypatch) -> OverlapSource:
    monkeypatch.setattr(rooms, "random_room", lambda _: small_room())
    monkeypatch.setattr(rooms, "relit", lambda room, _: room)
    return overlap_source(of_rooms(tmp_path / "rooms"), SIZE, 40)


def of_rooms(cache, **values) -> OverlapRoomsConfiguration:
    few = {"rooms": 1, "frames": 12, "width": 96, "height": 72, "cell": 6, "photometric": CLEAN}
    return OverlapRoomsConfiguration(cache=cache, **{**few, **values})


def wall_frame(shift: float, depth: float = 4.0) -> DepthFrame:
    """A view, from `shift` metres to the right, of a wall."""
    distances = np.full((72, 96), depth, dtype=np.float32)
    pose = rigid(np.eye(3), np.array([shift, 0, 0]))
    image = np.zeros((72, 96, 3), dtype=np.uint8)
    return DepthFrame(image, distances, distances > 0, CAMERA, pose)


def test_overlaps_of_a_wall_are_those_of_shifted_rectangles():
    # One image shows 4 m * 96 / 80 = 4.8 m of the wall.
    overlaps = mutual_overlaps([wall_frame(0.0), wall_frame(1.2), wall_frame(4.7), wall_frame(9.0)])
    step = 1 / 16
    assert overlaps[0, 0] == 1
    assert overlaps[0, 1] == pytest.approx(0.75, abs=step)
    assert overlaps[0, 2] == pytest.approx(0.0, abs=step)
    assert overlaps[0, 3] == 0
    assert np.array_equal(overlaps, overlaps.T)


def test_an_overlap_is_the_lesser_share_of_both_ways():
    far, near = wall_frame(0.0), wall_frame(0.0, depth=2.0)
    near = replace(near, T_map_camera=rigid(np.eye(3), np.array([0, 0, 2.0])))
    # The near view shows a half of each side of what the far one shows.
    assert mutual_overlaps([far, near])[0, 1] == pytest.approx(0.25, abs=0.05)


def test_points_are_seen_hidden_or_outside():
    depth = np.full((72, 96), 4.0, dtype=np.float32)
    depth[:, :48] = 2.0
    depth[0] = 0.0
    pixels = np.array([[60, 40], [20, 40], [20, 40], [-1, 40], [60, 90], [60, 40], [60, 0]])
    depths = np.array([4.05, 2.0, 4.0, 4.0, 1.0, 3.0, 4.0])
    expected = [
        *(Task.IDENTIFY, Task.IDENTIFY, Task.INPAINT, Task.OUTPAINT, Task.OUTPAINT),
        # In front of what is seen there; and where nothing is known.
        *(Task.UNKNOWN, Task.UNKNOWN),
    ]
    assert tasks_of(pixels.astype(float), depths, depth).tolist() == expected


def test_correspondents_are_where_the_geometry_says_whatever_hides_them(source):
    numbers = range(30)
    tasks = torch.cat([source.pair(number).tasks for number in numbers])
    assert {int(task) for task in tasks.unique()} >= {0, 1, 2}
    for number in numbers:
        pair = source.pair(number)
        counted = pair.counted
        fx, fy, cx, cy = pair.source_intrinsics.double().tolist()
        rays = (pair.source_pixels.double() - torch.tensor([cx, cy])) / torch.tensor([fx, fy])
        in_source = torch.cat([rays, torch.ones(len(rays), 1)], 1) * pair.source_depths[:, None]
        T = pair.T_target_source.double()
        in_target = in_source @ T[:3, :3].T + T[:3, 3]
        fx, fy, cx, cy = pair.target_intrinsics.double().tolist()
        expected = in_target[:, :2] / in_target[:, 2:] * torch.tensor([fx, fy])
        expected = expected + torch.tensor([cx, cy])
        before = counted & (in_target[:, 2] > NEAREST)
        # Far outside, a small error of the depth goes a long way.
        near = before & (expected.abs() < 300).all(-1)
        found = pair.target_pixels.double()
        torch.testing.assert_close(found[near], expected[near], atol=0.2, rtol=1e-3)
        behind = found[counted & ~before]
        assert torch.equal(behind, torch.full_like(behind, BEHIND))
        assert bool((pair.tasks[counted & ~before] == Task.OUTPAINT).all())


def test_seen_points_look_alike_in_both_images(source):
    differences = []
    for number in range(20):
        pair = source.pair(number)
        seen = pair.counted & (pair.tasks == Task.IDENTIFY)
        images = (pair.source, pair.source_pixels), (pair.target, pair.target_pixels)
        one, other = (
            image[:, pixels[seen][:, 1].round().long(), pixels[seen][:, 0].round().long()]
            for image, pixels in images
        )
        differences.append((one - other).abs().mean(0))
    all_differences = torch.cat(differences)
    assert len(all_differences) > 50
    assert float(all_differences.median()) < 0.06


def test_pairs_overlap_as_wanted_and_repeat(source):
    views, bins = source._places[0]
    overlaps = [views.overlaps[tuple(pair)] for pairs in bins for pair in pairs]
    assert min(overlaps) >= 0.02 and max(overlaps) < 0.5
    one, again = source.pair(3), source.pair(3)
    assert torch.equal(one.target_pixels, again.target_pixels)
    assert torch.equal(one.target, again.target)


def test_a_mirror_shows_the_same_points_at_the_mirrored_pixels():
    rng = np.random.default_rng(0)
    camera = Camera(96, 72, 80.0, 84.0, 45.0, 35.5)
    shape = (72, 96)
    turn = Rotation.from_rotvec([0.3, -0.9, 0.2]).as_matrix()
    pose = rigid(turn, np.array([0.3, -0.2, 0.1]))
    depth = rng.uniform(1, 3, shape).astype(np.float32)
    frame = DepthFrame(np.zeros((*shape, 3), np.uint8), depth, depth > 2, camera, pose)
    mirrored = mirror_image(frame)
    pixels = np.array([[10.0, 20.0], [90.0, 3.0]])
    there = pixels * (-1, 1) + (95, 0)
    points = [
        transformed(one.T_map_camera, one.camera.lift(p, one.depth[tuple(p.astype(int).T[::-1])]))
        for one, p in ((frame, pixels), (mirrored, there))
    ]
    np.testing.assert_allclose(points[1], points[0] * (-1, 1, 1), atol=1e-6)
    assert np.linalg.det(mirrored.T_map_camera[:3, :3]) == pytest.approx(1)
    assert np.array_equal(mirrored.reliable[:, ::-1], frame.reliable)


def test_each_room_is_one_more_place_where_it_is_mirrored(tmp_path, monkeypatch):
    monkeypatch.setattr(rooms, "random_room", lambda _: small_room())
    source = overlap_source(of_rooms(tmp_path, quick=True, mirrored=True), SIZE, 40)
    assert source.places == 2
    assert not list(tmp_path.glob("*/other"))
    one, other = (views for views, _ in source._places)
    # The points that are counted are not quite the mirrored ones.
    assert np.abs(one.overlaps - other.overlaps).mean() < 0.01


def test_what_a_network_keeps_of_the_images_is_computed_once(tmp_path, monkeypatch):
    monkeypatch.setattr(rooms, "random_room", lambda _: small_room())
    monkeypatch.setattr(rooms, "relit", lambda room, _: room)
    calls = []

    def frozen(images: torch.Tensor) -> torch.Tensor:
        calls.append(len(images))
        return images.mean((2, 3), keepdim=True)

    configuration = of_rooms(tmp_path)
    first = overlap_source(configuration, SIZE, 40, ("mean", frozen))
    assert calls == [2] * 12
    again = overlap_source(configuration, SIZE, 40, ("mean", frozen))
    assert len(calls) == 12
    assert first.pair(1).source.shape == (3, 1, 1)
    assert torch.equal(first.pair(1).source, again.pair(1).source)
    overlap_source(configuration, SIZE, 40, ("other", frozen))
    assert len(calls) == 24


def test_places_without_such_pairs_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(rooms, "random_room", lambda _: small_room())
    monkeypatch.setattr(rooms, "relit", lambda room, _: room)
    configuration = of_rooms(tmp_path, least_overlap=0.9989, most_overlap=0.999)
    with pytest.raises(InputError, match="overlap"):
        overlap_source(configuration, SIZE, 40)


def test_views_of_a_photograph_show_the_same_where_their_rotations_say_so():
    photograph = blobs(600, 900, 0, cells=50)
    views = turned_views(photograph, 8, SIZE, np.random.default_rng(0))
    assert len(views) == 8
    first, overlaps = views[0], mutual_overlaps(views)
    second = views[int(np.argsort(overlaps[0])[-2])]
    pixels = np.stack(np.meshgrid(np.arange(4, 92, 4), np.arange(4, 68, 4)), -1).reshape(-1, 2)
    rays = first.camera.lift(pixels.astype(float), np.ones(len(pixels)))
    T_second_first = inverse(second.T_map_camera) @ first.T_map_camera
    there = np.rint(second.camera.project(transformed(T_second_first, rays))).astype(int)
    inside = ((there >= 0) & (there < (96, 72))).all(1)
    assert inside.sum() > 30
    one = first.image[pixels[inside, 1], pixels[inside, 0]].astype(float)
    other = second.image[there[inside, 1], there[inside, 0]].astype(float)
    assert np.median(np.abs(one - other)) < 6


def test_photographs_give_pairs_in_which_nothing_is_hidden(tmp_path):
    configuration = OverlapPhotographsConfiguration(
        cache=tmp_path, pictures=("coffee", "astronaut"), photometric=CLEAN, most_overlap=0.8
    )
    source = overlap_source(configuration, SIZE, 40)
    pairs = [source.pair(number) for number in range(10)]
    tasks = torch.cat([pair.tasks[pair.counted] for pair in pairs])
    assert {int(task) for task in tasks.unique()} == {Task.IDENTIFY, Task.OUTPAINT}
    assert {int(pair.place) for pair in pairs} == {0, 1}
