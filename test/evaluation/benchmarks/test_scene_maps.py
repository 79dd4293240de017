"""Maps of scenes that hold more than points."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from patterned_room import CAMERA, camera_pose, patterned_room

from dense_reloc_ros.configuration import LocalizerConfiguration
from dense_reloc_ros.evaluation.benchmarks.runner import QuerySet
from dense_reloc_ros.evaluation.benchmarks.scene_list import FramesEntry, Scene, SceneEntry
from dense_reloc_ros.evaluation.benchmarks.scene_maps import SceneMaps
from dense_reloc_ros.localization.methods import find_method
from dense_reloc_ros.mapping.coordinate_maps import with_coordinates
from dense_reloc_ros.mapping.map_of_source import MapSource
from dense_reloc_ros.mapping.sources.source_frame import SourceFrame
from dense_reloc_ros.scene.reader import load_map

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def scene() -> Scene:
    room = patterned_room()
    frames = []
    for k in range(4):
        pose = camera_pose(-0.5 + 0.3 * k, 0.0, 0.8)
        view = room.render(CAMERA, pose)
        frames.append(
            SourceFrame(
                f"{k:02d}", k, CAMERA, pose, lambda view=view: view.image,
                lambda view=view: view.depth.astype(np.float32),
            )
        )  # fmt: skip
    source = MapSource(frames, "a room", has_depth=True)
    entry = SceneEntry(
        name="room",
        map=FramesEntry(seven_scenes="map", camera_info="camera_info.yaml"),
        queries=FramesEntry(seven_scenes="map", camera_info="camera_info.yaml"),
    )
    return Scene(entry, source, QuerySet("room", frames))


def test_maps_with_coordinates_are_made_of_those_without(scene, tmp_path):
    def maps() -> SceneMaps:
        method = find_method("dsm_compact")
        return SceneMaps([method], None, LocalizerConfiguration(), tmp_path, CPU)

    (plain,) = maps().of(scene)
    (more,) = maps().of(scene, stored="coordinates")
    assert (plain.name, more.name) == ("room_compact", "room_compact_coordinates")
    first, second = load_map(plain), load_map(more)
    assert first.information.revision == second.information.revision
    assert (first.coordinates, first.images) == (None, None)
    torch.testing.assert_close(
        second.coordinates, with_coordinates(first, scene.source.frames).coordinates,
        equal_nan=True,
    )  # fmt: skip
    image = scene.source.frames[1].load_image()
    assert np.abs(second.images(1).astype(int) - image).mean() < 15
    written = [path.stat().st_mtime_ns for path in (plain, more)]
    (again,) = maps().of(scene, stored="coordinates")
    assert again == more
    assert [path.stat().st_mtime_ns for path in (plain, more)] == written
    (pictured,) = maps().of(scene, stored="images")
    assert load_map(pictured).coordinates is None
    assert load_map(pictured).images is not None
