"""What else explains an image, in a corridor of two equal doors whose ends are in sight."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from corridors import corridor_localizer

from dense_reloc_ros.features.extractor import DenseFeatures, image_to_tensor
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.geometry.se3 import pose_error, rigid
from dense_reloc_ros.localization.decision import contradict
from dense_reloc_ros.localization.result import PoseEstimate
from dense_reloc_ros.localization.rivals import rivals_of
from dense_reloc_ros.localization.sparse_to_dense import SparseToDenseLocalizer
from dense_reloc_ros.rendering.corridor import SECTION, corridor_of_doors, facing_doors
from dense_reloc_ros.rendering.raycaster import Raycaster
from dense_reloc_ros.retrieval.places import rank_keyframes
from dense_reloc_ros.stopwatch import Stopwatch

CAMERA = Camera(320, 240, 160.0, 160.0, 159.5, 119.5)
HALF = SECTION
WATCH = Stopwatch(torch.device("cpu"))


@pytest.fixture(scope="module")
def raycaster() -> Raycaster:
    return Raycaster(corridor_of_doors(23, doors=2))


@pytest.fixture(scope="module")
def localizer(raycaster: Raycaster) -> SparseToDenseLocalizer:
    poses = facing_doors(np.arange(-HALF + 0.6, HALF - 0.59, 0.3), 0)
    return corridor_localizer(raycaster, CAMERA, poses)


@pytest.fixture(scope="module")
def truths() -> np.ndarray:
    return facing_doors(np.linspace(-1.8, 1.8, 13), 9)


def described(
    raycaster: Raycaster, localizer: SparseToDenseLocalizer, truth: np.ndarray
) -> DenseFeatures:
    return localizer.extractor(image_to_tensor(raycaster.render(CAMERA, truth).image))


@pytest.fixture(scope="module")
def contested(
    raycaster: Raycaster, localizer: SparseToDenseLocalizer, truths: np.ndarray
) -> list[tuple[np.ndarray, PoseEstimate, PoseEstimate]]:
    """True and best poses of images for which there is one as good elsewhere, and that."""
    found = []
    with torch.inference_mode():
        for truth in truths:
            features = described(raycaster, localizer, truth)
            ranked = rank_keyframes(
                features, localizer.scene_map, localizer.configuration.retrieval
            )
            places = [ranked.keyframes[:8].tolist()]
            (best,) = localizer.estimate_in(places, features, CAMERA, None, WATCH)
            rivals = rivals_of(localizer, best, ranked, features, CAMERA, WATCH)
            found += [(truth, best, rival) for rival in rivals if rival.score > 0.5 * best.score]
    return found


def test_a_rival_is_the_pose_at_the_other_door(contested):
    assert len(contested) >= 3
    for truth, best, rival in contested:
        assert contradict(best, rival, best.depth)
        for estimate in (best, rival):
            off = (estimate.T_map_camera[:3, 3] - truth[:3, 3]) / SECTION
            assert off[0] == pytest.approx(round(off[0]), abs=0.03)
            assert np.abs(off[1:]).max() < 0.03


@torch.inference_mode()
def test_a_pose_is_found_again_from_near_it(raycaster, localizer, truths):
    for truth in truths[::4]:
        features = described(raycaster, localizer, truth)
        options = localizer.configuration.retrieval
        keyframes = rank_keyframes(features, localizer.scene_map, options).keyframes[:8].tolist()
        (found,) = localizer.estimate_in([keyframes], features, CAMERA, None, WATCH)
        start = rigid(np.eye(3), np.array([0.03, -0.03, 0.03])) @ found.T_map_camera
        near = localizer.estimate_near(start, keyframes, features, CAMERA, WATCH)
        assert pose_error(near.T_map_camera, found.T_map_camera).translation < 0.02
        assert near.score == pytest.approx(found.score, abs=0.03)
        assert near.evidence.supporting == pytest.approx(found.evidence.supporting, rel=0.1)


def test_an_image_whose_ends_are_in_sight_is_localized_although_it_has_a_rival(
    raycaster, localizer, truths
):
    """No pose is wrong, and some are published whose rival has more than half of their score."""
    had_rivals = 0
    for truth in truths:
        found = localizer.localize(raycaster.render(CAMERA, truth).image, CAMERA)
        if found.is_localized:
            assert pose_error(found.T_map_camera, truth).translation < 0.1
            had_rivals += found.estimate.evidence.rival > 0.5
    assert had_rivals >= 1
