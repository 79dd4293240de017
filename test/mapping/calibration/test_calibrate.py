"""What is fitted on a map's own images, with a localizer whose answers are known."""

from __future__ import annotations

from dataclasses import replace

import pytest
from keyframes_in_a_row import DEPTH, Seeing, image_of, moved, wall_map

from dense_reloc_ros.localization.place_localizer import DEFAULT_TEMPERATURES
from dense_reloc_ros.mapping.calibration import calibrate as module
from dense_reloc_ros.mapping.calibration.calibrate import LEAST_THRESHOLD, VIEWS, calibrate
from dense_reloc_ros.pose.confidence import shipped_weights
from dense_reloc_ros.pose.evidence import PoseEvidence
from dense_reloc_ros.scene.scene_map import MapCalibration, SceneMap

UNSURE = PoseEvidence(0.2, 100, 300, 0.4, 0.4, 0.2, 0.02, 0.02, 0.3)


def calibrated(
    scene_map: SceneMap, monkeypatch: pytest.MonkeyPatch, metres: float, score: float = 0.5
) -> MapCalibration:
    """Calibrates with a localizer that is always off by some metres; also counts its answers."""
    asked = []

    class Planned:
        def __init__(self, scene_map, configuration, device, method, extractor) -> None:
            assert scene_map.information.calibration == MapCalibration()
            self.scene_map, self.device = scene_map, device
            self.configuration = configuration
            self.temperatures: dict[str, float] = {}

        def retrieve(self, features, excluded):
            asked.append(excluded)
            return [[0]]

        def estimate_in(self, places, features, camera, prior, stopwatch):
            keyframe = PLACES[len(asked) - 1]
            found = moved(self.scene_map, keyframe, score, metres=metres)
            return [replace(found, evidence=UNSURE, depth=DEPTH)]

    class Plain:
        """Held-out views that are neither rolled nor darkened."""

        def __init__(self, scene_map, image_of, extractor) -> None:
            self.held_out = RealHeldOut(scene_map, image_of, extractor)
            self.keyframes = self.held_out.keyframes

        def query(self, kind, number, count):
            query = self.held_out.query(kind, number, count)
            PLACES.append(query.keyframe)
            pose = scene_map.keyframe_poses[query.keyframe].numpy()
            return replace(query, T_map_camera=pose)

    PLACES: list[int] = []
    RealHeldOut = module.HeldOut
    monkeypatch.setattr(module, "SparseToDenseLocalizer", Planned)
    monkeypatch.setattr(module, "HeldOut", Plain)
    monkeypatch.setattr(module, "fit_temperatures", lambda *_: DEFAULT_TEMPERATURES.copy())
    result = calibrate(scene_map, image_of, Seeing())
    assert len(asked) == sum(count for _, count in VIEWS)
    return result


def test_right_poses_raise_confidences_and_wrong_ones_lower_them(monkeypatch):
    scene_map = wall_map(60)
    right = calibrated(scene_map, monkeypatch, metres=0.01)
    monkeypatch.undo()
    wrong = calibrated(scene_map, monkeypatch, metres=DEPTH)
    confidence = shipped_weights().confidence
    below = confidence(UNSURE, wrong.confidence_offset)
    assert below < confidence(UNSURE, 0.0) < confidence(UNSURE, right.confidence_offset)


@pytest.mark.parametrize(("metres", "factor"), [(0.01, 0.14), (0.1, 10.0)])
def test_covariances_are_scaled_to_the_errors(metres, factor, monkeypatch):
    """A deviation of 1 cm: errors of 1 cm are far below the 80% quantile of six dimensions."""
    found = calibrated(wall_map(60), monkeypatch, metres)
    assert found.covariance_factor == pytest.approx(factor, rel=0.25)


def test_the_score_threshold_is_what_wrong_poses_rarely_reach(monkeypatch):
    assert calibrated(wall_map(60), monkeypatch, DEPTH, 0.5).score_threshold == 0.5
    monkeypatch.undo()
    low = calibrated(wall_map(60), monkeypatch, DEPTH, 0.1)
    assert low.score_threshold == LEAST_THRESHOLD


def test_a_map_calibrated_before_is_calibrated_anew(monkeypatch):
    scene_map = wall_map(60)
    old = MapCalibration(covariance_factor=7.0, confidence_offset=-2.0)
    information = scene_map.information.model_copy(update={"calibration": old})
    again = calibrated(replace(scene_map, information=information), monkeypatch, 0.1)
    monkeypatch.undo()
    assert again == calibrated(scene_map, monkeypatch, 0.1)


def test_nothing_can_be_held_out_of_one_keyframe():
    assert calibrate(wall_map(1), image_of, Seeing()) == MapCalibration()
