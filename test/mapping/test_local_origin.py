"""The same place in UTM coordinates gives the same poses, in UTM coordinates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from mapping.consistency.room_frames import room_frames

from dense_reloc_ros.configuration import LocalizerConfiguration
from dense_reloc_ros.geometry.se3 import pose_error, shifted
from dense_reloc_ros.localization.factory import localizer_for
from dense_reloc_ros.localization.localizer import Localizer
from dense_reloc_ros.mapping.local_origin import local_origin
from dense_reloc_ros.mapping.map_of_source import MapSource, make_map
from dense_reloc_ros.mapping.sources.source_frame import SourceFrame
from dense_reloc_ros.mapping.sparse_describer import RootSiftDescriber
from dense_reloc_ros.scene.reader import load_map
from dense_reloc_ros.scene.summary import summarize_map
from dense_reloc_ros.scene.writer import write_map
from dense_reloc_ros.temporal.fusion_configuration import TemporalConfiguration
from dense_reloc_ros.temporal.temporal_localizer import TemporalLocalizer

UTM = np.array([500_000.0, 4_500_000.0, 100.0])


def in_utm(frames: Sequence[SourceFrame]) -> list[SourceFrame]:
    return [replace(f, T_map_camera=shifted(f.known_pose(), UTM)) for f in frames]


@pytest.fixture(scope="module")
def localizers(tmp_path_factory) -> tuple[Localizer, Localizer]:
    """Of every second frame of the room, and of the same in UTM coordinates, from the disk."""
    made = []
    for name, frames in {"room": room_frames()[::2], "utm": in_utm(room_frames()[::2])}.items():
        path = tmp_path_factory.mktemp("maps") / name
        source = MapSource(frames, name, has_depth=True)
        write_map(path, make_map(source, frames, RootSiftDescriber()))
        scene_map = load_map(path)
        device = torch.device("cpu")
        made.append(localizer_for(scene_map, LocalizerConfiguration(), None, device))
    return made[0], made[1]


def test_poses_are_the_same_within_a_tenth_of_a_millimetre(localizers):
    near, far = localizers
    localized = 0
    for frame in room_frames()[1::2]:
        one = near.localize(frame.load_image(), frame.camera)
        other = far.localize(frame.load_image(), frame.camera)
        assert one.status == other.status
        if one.T_map_camera is None:
            continue
        error = pose_error(shifted(one.T_map_camera, UTM), other.T_map_camera)
        assert error.translation < 1e-4
        assert np.rad2deg(error.rotation) < 0.005
        truth = pose_error(other.T_map_camera, shifted(frame.known_pose(), UTM))
        assert truth.translation < 0.02
        covariances = one.estimate.covariance, other.estimate.covariance
        np.testing.assert_allclose(*covariances, rtol=0.05, atol=1e-9)
        localized += 1
    assert localized >= 5


def test_a_video_is_fused_in_the_coordinates_of_the_user(localizers):
    near, far = (TemporalLocalizer(one, TemporalConfiguration()) for one in localizers)
    for index, frame in enumerate(room_frames()[1::2]):
        stamp = (index + 1) * 100_000_000
        one = near.localize(frame.load_image(), frame.camera, stamp)
        other = far.localize(frame.load_image(), frame.camera, stamp)
        assert one.status == other.status
        if one.T_map_camera is not None:
            error = pose_error(shifted(one.T_map_camera, UTM), other.T_map_camera)
            assert error.translation < 2e-4


def test_the_map_says_where_it_is(localizers, tmp_path):
    scene_map = localizers[1].scene_map
    assert np.linalg.norm(scene_map.origin - UTM) < 3.0
    assert scene_map.points.abs().max() < 10.0
    write_map(tmp_path / "map", scene_map)
    low, high = np.array(summarize_map(tmp_path / "map").bounding_box)
    assert np.all(low - UTM > [-3.1, -2.6, -0.1])
    assert np.all(high - UTM < [3.1, 2.6, 3.1])


def test_maps_near_the_origin_of_their_frame_keep_it(localizers):
    assert localizers[0].scene_map.information.origin == (0.0, 0.0, 0.0)
    assert local_origin(in_utm(room_frames())).tolist() != [0.0, 0.0, 0.0]
