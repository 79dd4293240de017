from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from torch.nn.functional import grid_sample
from training.data.clean_pairs import CLEAN, small_room
from training.scenes import small_scenes

from dense_reloc_ros.dsm.coordinate_pyramid import coordinates_of_depth
from dense_reloc_ros.errors import InputError
from dense_reloc_ros.geometry.projection import project
from dense_reloc_ros.mapping.sources.source_frame import SourceFrame
from dense_reloc_ros.training.data import rooms
from dense_reloc_ros.training.data.rgbd import rgbd_recordings
from dense_reloc_ros.training.data.scene_source import SceneSource
from dense_reloc_ros.training.data.sources import (
    RgbdScenesConfiguration,
    create_scene_source,
)
from dense_reloc_ros.training.examples import SceneQuery

SIZE = (48, 64)


@pytest.fixture(autouse=True)
def small_rooms(monkeypatch) -> None:
    """Every room is the same small one, in the same light always."""
    monkeypatch.setattr(rooms, "random_room", lambda _: small_room())
    monkeypatch.setattr(rooms, "relit", lambda room, _: room)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("rooms")


def create(cache, **values) -> SceneSource:
    return create_scene_source(small_scenes(cache, **{"photometric": CLEAN, **values}), SIZE)


def frame_of(T_map_camera: torch.Tensor, source: SceneSource) -> int:
    """The number of the room's frame with this pose."""
    poses = [frame.known_pose() for frame in frames_of(source)]
    gaps = [np.abs(pose - T_map_camera.numpy()).max() for pose in poses]
    assert min(gaps) < 1e-5
    return int(np.argmin(gaps))


def frames_of(source: SceneSource) -> list[SourceFrame]:
    return list(source._recordings[0].recording.frames)


def test_a_number_always_gives_the_same(cache):
    source, again = create(cache), create(cache)
    first = [source.pair(number) for number in range(4)]
    for number in (3, 0, 2, 1):
        other = again.pair(number)
        for field in fields(SceneQuery):
            assert torch.equal(getattr(first[number], field.name), getattr(other, field.name))
    assert not torch.equal(first[0].image, first[1].image)


@pytest.mark.parametrize("zoom", [1.0, 1.5])
def test_scene_images_show_what_the_query_shows_where_its_coordinates_project(cache, zoom):
    source = create(cache, zoom=zoom)
    differences = []
    for number in range(8):
        query = source.pair(number)
        points = coordinates_of_depth(query.depth, query.T_map_camera, query.intrinsics, 1)
        pixels, _ = project(
            torch.linalg.inv(query.T_map_scene),
            points.flatten(1).T,
            query.scene_intrinsics[:, None],
        )
        for view, there in enumerate(pixels):
            grid = (2 * there + 1) / torch.tensor([SIZE[1], SIZE[0]]) - 1
            shown = grid_sample(
                query.scene_images[view : view + 1], grid[None, None], align_corners=False
            )[0, :, 0]
            seen = (grid.abs() < 0.95).all(-1)
            # The point that the scene image has there is the query's, unless the pillar hides it.
            depth = grid_sample(
                query.scene_depth[view][None, None], grid[None, None], align_corners=False
            )[0, 0, 0]
            pose = torch.linalg.inv(query.T_map_scene[view])
            expected = pose[2, :3] @ points.flatten(1) + pose[2, 3]
            seen &= (depth - expected).abs() < 0.02 * expected
            differences.append((shown - query.image.flatten(1)).abs().mean(0)[seen])
    assert len(torch.cat(differences)) > 2000
    assert torch.cat(differences).median() < 0.03


def test_covered_pixels_have_no_depth(cache):
    photometric = CLEAN.model_copy(update={"covered": 0.45, "target": (0.0, 0.0, 1.0)})
    source, clean = create(cache, photometric=photometric), create(cache)
    hidden = 0
    for query, whole in ((source.pair(number), clean.pair(number)) for number in range(8)):
        assert torch.equal(query.scene_depth, whole.scene_depth)
        changed = (query.image - whole.image).abs().amax(0) > 0.02
        known = query.depth > 0
        assert not changed[known].any()
        assert torch.equal(query.depth[known], whole.depth[known])
        hidden += int((changed & (whole.depth > 0)).sum())
    assert hidden > 500


def test_queries_are_not_among_their_scene_images_and_these_differ(cache):
    source = create(cache, scene_images=3)
    for number in range(10):
        query = source.pair(number)
        shown = [frame_of(pose, source) for pose in query.T_map_scene]
        assert len(set(shown)) == 3
        assert frame_of(query.T_map_camera, source) not in shown


def test_more_scene_images_than_there_are_frames(cache):
    query = create(cache, scene_images=12).pair(0)
    assert query.scene_images.shape == (12, 3, *SIZE)
    assert query.scene_depth.shape == (12, *SIZE)


def test_apart_queries_come_from_the_visitors_walk(cache):
    source = create(cache, apart=True, overlap=0.1)
    queries = [source.pair(number) for number in range(10)]
    assert {frame_of(query.T_map_camera, source) for query in queries} <= {4, 5, 6, 7}
    shown = {frame_of(pose, source) for query in queries for pose in query.T_map_scene}
    assert shown <= {0, 1, 2, 3}


def test_strangers_are_any_frames_but_never_the_first(cache):
    alone, strange = create(cache), create(cache, strangers=1.0)
    for number in range(6):
        first = [frame_of(s.pair(number).T_map_scene[0], alone) for s in (alone, strange)]
        assert first[0] == first[1]
    second = [
        [frame_of(s.pair(number).T_map_scene[1], alone) for number in range(12)]
        for s in (alone, strange)
    ]
    assert second[0] != second[1]


def test_queries_of_a_batch_are_stacked(cache):
    source = create(cache)
    queries = [source.pair(number) for number in (2, 5)]
    batch = queries[0].batch(queries)
    for field in fields(SceneQuery):
        stacked = getattr(batch.to(torch.device("cpu")), field.name)
        assert torch.equal(stacked[1], getattr(queries[1], field.name))


def test_recordings_in_which_queries_see_nothing_of_the_scene_are_refused(cache):
    recording = replace(create(cache)._recordings[0], views=())
    with pytest.raises(InputError, match="no two frames"):
        SceneSource([recording], small_scenes(cache), SIZE)


def test_rgbd_folders(cache):
    create(cache)
    folder = next(cache.glob("room-*")) / "own"
    configuration = RgbdScenesConfiguration(
        folders=(folder,), scene_images=2, overlap=0.2, photometric=CLEAN
    )
    source = create_scene_source(configuration, SIZE)
    assert source.places == 1
    assert source.pair(0).scene_images.shape == (2, 3, *SIZE)
    assert len(rgbd_recordings(configuration)[0].frames) == 8


def test_half_of_the_queries_are_in_other_light(cache, tmp_path, monkeypatch):
    monkeypatch.setattr(rooms, "relit", lambda room, _: replace(room, ambient=room.ambient / 3))
    lit, dark = create(cache), create(tmp_path)
    darker = [
        float(dark.pair(number).image.mean() / lit.pair(number).image.mean())
        for number in range(16)
    ]
    # A third of linear light is about 0.6 in sRGB.
    assert 3 <= sum(ratio < 0.8 for ratio in darker) <= 13
    assert all(abs(ratio - (0.6 if ratio < 0.8 else 1.0)) < 0.1 for ratio in darker)
