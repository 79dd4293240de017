"""What is fitted on a map's own images, with a localizer whose answers are known."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from keyframes_in_a_row import DEPTH, Seeing, image_of, moved, wall_map
from scipy.stats import chi2

from dense_reloc_ros.features.extractor import DenseFeatures
from dense_reloc_ros.images.photometric import Exposure, PhotometricConfiguration
from dense_reloc_ros.localization.result import PoseEstimate
from dense_reloc_ros.localization.sparse_to_dense import DEFAULT_TEMPERATURES
from dense_reloc_ros.mapping.calibration import calibrate as module
from dense_reloc_ros.mapping.calibration import held_out
from dense_reloc_ros.mapping.calibration.calibrate import LEAST_THRESHOLD, calibrate
from dense_reloc_ros.mapping.calibration.held_out import BAD_LIGHT, MEDIUM_LIGHT, WORSE_LIGHT
from dense_reloc_ros.scene.scene_map import MapCalibration, SceneMap
from dense_reloc_ros.temporal.pose_probability import confidence_of

LEVELS = {MEDIUM_LIGHT: 150, BAD_LIGHT: 100, WORSE_LIGHT: 50}
"""How bright the light part of `image_of`, 200 in plain light, becomes."""
NAMES = {200: "plain", 150: "medium", 100: "bad", 50: "worse"}


class RecognizableCamera:
    """Darkens the light part of `image_of`; the rest still says which keyframe it is."""

    def __init__(self, light: PhotometricConfiguration) -> None:
        (self._level,) = (level for other, level in LEVELS.items() if other == light)

    def expose_target(self, image: np.ndarray, rng: np.random.Generator) -> Exposure:
        darker = image.copy()
        darker[:, :4] = self._level
        return Exposure(darker, np.zeros(image.shape[:2], bool))


def taken_from(features: DenseFeatures) -> tuple[int, str]:
    """Which keyframe an image comes from, and in which light."""
    row = (features.global_descriptor[0, 0, 0] * 255).round().int().tolist()
    return row[4] // 2, NAMES[row[0]]


Plan = Mapping[tuple[int, str, str], list[PoseEstimate]]
"""Poses found of a keyframe's image, in some light (`NAMES`), while the map has or lacks its
points: `seen` or `unseen`."""


def calibrated(scene_map: SceneMap, plan: Plan, monkeypatch: pytest.MonkeyPatch) -> MapCalibration:
    """Calibrates with a localizer that answers as planned, by no pose where nothing is."""

    class Planned:
        def __init__(self, scene_map, configuration, method, device, extractor) -> None:
            self.scene_map, self.device = scene_map, device
            self.temperatures: dict[str, float] = {}
            self.excluded: frozenset[int] = frozenset()

        def retrieve(self, features, excluded):
            self.excluded = excluded
            return []

        def estimate_in(self, places, features, camera, prior, stopwatch):
            keyframe, light = taken_from(features)
            assert prior is None
            assert keyframe in self.excluded
            return plan.get((keyframe, light, "unseen" if len(self.excluded) == 2 else "seen"), [])

    monkeypatch.setattr(module, "SparseToDenseLocalizer", Planned)
    monkeypatch.setattr(held_out, "RandomCamera", RecognizableCamera)
    return calibrate(scene_map, image_of, Seeing())


@pytest.mark.parametrize(
    ("scores", "threshold"),
    [({"plain": 0.5, "bad": 0.3}, 0.5), ({"plain": 0.3, "bad": 0.5}, 0.5), ({"bad": 0.4}, 0.4)],
)
def test_the_threshold_is_the_best_score_of_a_wrong_pose(scores, threshold, monkeypatch):
    scene_map = wall_map()
    lights = ("plain", "bad")
    plan = {(k, light, "seen"): [moved(scene_map, k)] for k in range(4) for light in lights}
    for light, score in scores.items():
        plan[1, light, "unseen"] = [moved(scene_map, 1, score, metres=DEPTH)]
        plan[2, light, "unseen"] = [moved(scene_map, 2, score / 2, degrees=30)]
    assert calibrated(scene_map, plan, monkeypatch).score_threshold == threshold


def test_the_threshold_is_never_below_what_other_places_reach(monkeypatch):
    scene_map = wall_map()
    plan = {(0, "bad", "unseen"): [moved(scene_map, 0, 0.01, metres=DEPTH)]}
    assert calibrated(scene_map, plan, monkeypatch).score_threshold == LEAST_THRESHOLD


def test_a_right_pose_raises_no_threshold(monkeypatch):
    """Also where the map should not know its place."""
    scene_map = wall_map()
    plan = {
        (0, "plain", "unseen"): [moved(scene_map, 0, 0.5, metres=DEPTH)],
        (1, "plain", "unseen"): [moved(scene_map, 1, 0.9)],
    }
    assert calibrated(scene_map, plan, monkeypatch).score_threshold == 0.5


def test_the_best_place_of_an_image_counts(monkeypatch):
    scene_map = wall_map()
    places = [moved(scene_map, 0, score, metres=DEPTH) for score in (0.4, 0.6, 0.5)]
    plan = {(0, "bad", "unseen"): places}
    assert calibrated(scene_map, plan, monkeypatch).score_threshold == 0.6


@pytest.mark.parametrize("factor", [0.5, 1.0, 2.5])
def test_errors_are_scaled_to_their_covariance(factor, monkeypatch):
    """19 of 20 errors are as large as they should be at most, times a factor."""
    scene_map = wall_map(11)
    largest = np.sqrt(factor * chi2.ppf(0.95, df=6) * 1e-4)
    sizes = [*[0.5 * largest] * 19, largest, 2 * largest]
    plan: dict[tuple[int, str, str], list[PoseEstimate]] = {}
    for number, size in enumerate(sizes, start=1):
        keyframe = number // 2
        if number % 2:
            plan[keyframe, "plain", "seen"] = [moved(scene_map, keyframe, metres=size)]
        else:
            plan[keyframe, "bad", "seen"] = [moved(scene_map, keyframe, degrees=np.degrees(size))]
    plan[0, "bad", "seen"] = [moved(scene_map, 0, 0.5, metres=DEPTH)]
    plan[0, "bad", "unseen"] = [moved(scene_map, 0, 0.5, metres=DEPTH / 10)]
    scale = calibrated(scene_map, plan, monkeypatch).covariance_scale
    assert scale == pytest.approx(factor, rel=1e-3)


def test_a_map_that_explains_none_of_its_images_keeps_the_defaults(monkeypatch):
    fitted = calibrated(wall_map(), {}, monkeypatch)
    assert fitted.temperatures == DEFAULT_TEMPERATURES
    assert fitted.covariance_scale == 1.0


def test_nothing_can_be_held_out_of_one_keyframe(monkeypatch):
    assert calibrated(wall_map(1), {}, monkeypatch) == MapCalibration()


@pytest.mark.parametrize("light", ["plain", "medium", "bad", "worse"])
def test_the_confidence_tells_right_poses_from_wrong_ones(light, monkeypatch):
    """Wrong are poses that are off by more than 5 cm in a room, though they may be published."""
    scene_map = wall_map(12)
    plan = {}
    for keyframe in range(0, 12, 2):
        off = moved(scene_map, keyframe, 0.5, metres=0.05 * DEPTH)
        plan[keyframe, light, "seen"] = [off]
        plan[keyframe + 1, light, "seen"] = [moved(scene_map, keyframe + 1, 0.8)]
    calibration = calibrated(scene_map, plan, monkeypatch)
    assert confidence_of(0.8, calibration) > 0.75
    assert confidence_of(0.5, calibration) < 0.25


def test_poses_where_the_map_was_not_count_as_well(monkeypatch):
    scene_map = wall_map(12)
    plan = {(k, "plain", "seen"): [moved(scene_map, k, 0.6)] for k in range(12)}
    before = calibrated(scene_map, plan, monkeypatch)
    for keyframe in range(12):
        plan[keyframe, "bad", "unseen"] = [moved(scene_map, keyframe, 0.5, metres=DEPTH)]
    after = calibrated(scene_map, plan, monkeypatch)
    assert confidence_of(0.5, before) > 0.5 > confidence_of(0.5, after)
