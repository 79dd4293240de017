"""The basin of convergence of Feature-PnP, in a rendered room whose poses are exact."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from gallery import CAMERA, Gallery, looking

from dense_reloc_ros.configuration import LocalizerConfiguration
from dense_reloc_ros.errors import InputError
from dense_reloc_ros.evaluation.benchmarks.convergence_basin import (
    OFFSETS,
    STARTS,
    convergence_basin,
    offset_poses,
)
from dense_reloc_ros.geometry.se3 import inverse, pose_error
from dense_reloc_ros.localization.factory import localizer_for
from dense_reloc_ros.localization.place_localizer import PlaceLocalizer
from dense_reloc_ros.mapping.sources.source_frame import SourceFrame
from dense_reloc_ros.scene.scene_map import SceneMap

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def localizer(gallery_map: SceneMap) -> PlaceLocalizer:
    return localizer_for(gallery_map, LocalizerConfiguration(), "feature_pnp", CPU)


def frame(gallery: Gallery, yaw: float) -> SourceFrame:
    pose = looking(yaw, distance=0.3, height=1.3, pitch=2.0)
    return SourceFrame(f"{yaw}", 0, CAMERA, pose, lambda: gallery.render(pose).image)


def test_small_offsets_converge_and_large_ones_do_not(gallery, localizer):
    basin = convergence_basin(localizer, "gallery", [frame(gallery, yaw) for yaw in (15, 200)])
    assert (basin.map, basin.frames) == ("gallery", 2)
    assert basin.weights_sha256 == localizer.extractor.signature.weights_sha256
    assert basin.optimum_translation_m < 0.05
    assert basin.optimum_rotation_deg < 1.0
    assert basin.converged["0.25"] > 0.8
    assert basin.converged["8"] < 0.5
    again = convergence_basin(localizer, "gallery", [frame(gallery, yaw) for yaw in (15, 200)])
    assert again == basin


def test_starts_are_off_by_what_they_say():
    truth = np.linalg.inv(looking(40, 0.5))
    poses = offset_poses(torch.from_numpy(truth), 3.0, torch.Generator().manual_seed(0)).numpy()
    errors = [pose_error(inverse(pose), inverse(truth)) for pose in poses]
    degrees = np.degrees([error.rotation for error in errors]).reshape(len(OFFSETS), STARTS)
    np.testing.assert_allclose(degrees, np.broadcast_to(np.array(OFFSETS)[:, None], degrees.shape))
    moved = np.array([error.translation for error in errors]).reshape(len(OFFSETS), STARTS)
    expected = 3.0 * np.radians(OFFSETS)[:, None]
    np.testing.assert_allclose(moved, np.broadcast_to(expected, moved.shape), rtol=0.01)


def test_frames_must_show_the_map(gallery, localizer):
    unknown = SourceFrame("unknown", 0, CAMERA, None, lambda: gallery.render(looking(0)).image)
    with pytest.raises(InputError, match="enough of the map"):
        convergence_basin(localizer, "gallery", [unknown])
