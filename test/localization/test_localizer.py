"""What becomes of a method's estimates: the best is taken, and held against the threshold."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from gallery import CAMERA, looking
from scene.small_map import make_map

from dense_reloc_ros.configuration import LocalizerConfiguration
from dense_reloc_ros.errors import InputError
from dense_reloc_ros.localization.localizer import Localizer, PoseCandidates
from dense_reloc_ros.localization.result import PoseEstimate, Status
from dense_reloc_ros.parameter_blocks import block_from_mapping
from dense_reloc_ros.scene.scene_map import MapCalibration, SceneMap


class Answering(Localizer):
    """Has estimates of chosen scores for every image."""

    def __init__(self, scene_map: SceneMap, scores: list[float]) -> None:
        configuration = LocalizerConfiguration()
        super().__init__(scene_map, configuration, torch.device("cpu"), "nre")
        self.scores = scores

    def estimate(self, query, prior):
        if self.scores and min(self.scores) < 0:
            raise InputError("the lens cap is on")
        return PoseCandidates(
            [
                PoseEstimate(looking(10.0 * k), np.eye(6), score, np.array([k]), (k,))
                for k, score in enumerate(self.scores)
            ]
        )


def answer(scores: list[float], calibrated: float | None = None, configured: float | None = None):
    scene_map = make_map()
    calibration = MapCalibration(score_threshold=calibrated)
    information = scene_map.information.model_copy(update={"calibration": calibration})
    localizer = Answering(replace(scene_map, information=information), scores)
    localizer.configuration = block_from_mapping(
        LocalizerConfiguration, {"verification": {"score_threshold": configured}}
    )
    halves = np.zeros((240, 320, 3), np.uint8)
    halves[:, 160:] = 255
    return localizer.localize(halves, CAMERA)


def test_the_best_scored_place_wins():
    localization = answer([0.4, 0.9, 0.6])
    assert localization.status is Status.LOCALIZED
    np.testing.assert_array_equal(localization.T_map_camera, looking(10.0))


def test_the_threshold_is_the_maps_unless_configured():
    assert answer([0.5]).is_localized
    assert answer([0.5]).estimate.confidence == pytest.approx(1 / (1 + np.exp(-1.0)))
    assert answer([0.5], calibrated=0.4).is_localized
    rejected = answer([0.3, 0.5], calibrated=0.6)
    assert rejected.status is Status.REJECTED
    assert rejected.reason == "score 0.50 is below the threshold 0.60"
    assert rejected.T_map_camera is None
    assert rejected.estimate.score == 0.5
    assert answer([0.5], calibrated=0.6, configured=0.4).is_localized
    assert answer([0.5], calibrated=0.6, configured=0.0).is_localized
    assert not answer([0.5], calibrated=0.4, configured=0.6).is_localized


def test_no_estimate_is_no_candidate():
    localization = answer([])
    assert localization.status is Status.NO_CANDIDATES
    assert localization.reason == "too little of the map matches the image"
    assert localization.estimate is None


def test_unusable_images_are_invalid_input_not_an_exception():
    localization = answer([-1.0])
    assert localization.status is Status.INVALID_INPUT
    assert localization.reason == "the lens cap is on"
