"""What else explains an image, in a corridor of two equal doors whose ends are in sight."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from rendered_frames import rendered_frame

from dense_reloc_ros.configuration import LocalizerConfiguration
from dense_reloc_ros.features.extractor import DenseFeatures, image_to_tensor
from dense_reloc_ros.features.extractors import create_extractor
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.geometry.se3 import pose_error
from dense_reloc_ros.localization.factory import localizer_for
from dense_reloc_ros.localization.sparse_to_dense import SparseToDenseLocalizer
from dense_reloc_ros.mapping.builder import build_from_depth
from dense_reloc_ros.mapping.dense_describer import DenseDescriber
from dense_reloc_ros.rendering.corridor import SECTION, corridor_of_doors, facing_doors
from dense_reloc_ros.rendering.raycaster import Raycaster
from dense_reloc_ros.retrieval.places import rank_keyframes
from dense_reloc_ros.stopwatch import Stopwatch

CAMERA = Camera(320, 240, 160.0, 160.0, 159.5, 119.5)
CPU = torch.device("cpu")
HALF = SECTION


@pytest.fixture(scope="module")
def raycaster() -> Raycaster:
    return Raycaster(corridor_of_doors(71, doors=2))


@pytest.fixture(scope="module")
def localizer(raycaster: Raycaster) -> SparseToDenseLocalizer:
    poses = facing_doors(np.arange(-HALF + 0.6, HALF - 0.59, 0.3), 0)
    frames = [rendered_frame(raycaster, CAMERA, number, pose) for number, pose in enumerate(poses)]
    scene_map = build_from_depth(frames, DenseDescriber(create_extractor("compact", CPU), 200))
    return localizer_for(scene_map, LocalizerConfiguration(), None, CPU)


@pytest.fixture(scope="module")
def described(raycaster: Raycaster, localizer: SparseToDenseLocalizer) -> list[DenseFeatures]:
    truths = facing_doors(np.linspace(-1.4, 1.4, 4), 9)
    images = [raycaster.render(CAMERA, truth).image for truth in truths]
    with torch.inference_mode():
        return [localizer.extractor(image_to_tensor(image)) for image in images]


@torch.inference_mode()
def test_a_pose_that_stays_is_judged_as_one_that_was_found(localizer, described):
    options = localizer.configuration.retrieval
    for features in described:
        places = [rank_keyframes(features, localizer.scene_map, options).keyframes[:8].tolist()]
        (found,) = localizer.estimate_in(places, features, CAMERA, None, Stopwatch(CPU))
        at = localizer.estimate_at(found.T_map_camera, places[0], features, CAMERA, Stopwatch(CPU))
        np.testing.assert_allclose(at.T_map_camera, found.T_map_camera, atol=1e-6)
        assert at.score == pytest.approx(found.score, abs=0.03)
        assert at.evidence.supporting == pytest.approx(found.evidence.supporting, rel=0.1)


@pytest.mark.parametrize("x", [-1.8, -1.6, 1.6, 1.8])
def test_an_end_that_is_in_sight_tells_equal_doors_apart(x, raycaster, localizer):
    """What is out of sight at the right pose may fit the other door; the end does not."""
    (truth,) = facing_doors(np.array([x]), 9)
    found = localizer.localize(raycaster.render(CAMERA, truth).image, CAMERA)
    assert found.is_localized, found.reason
    assert pose_error(found.T_map_camera, truth).translation < 0.05
