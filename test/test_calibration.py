"""What is fitted on a map's own images, with a localizer whose answers are known."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
import torch
from keyframes_in_a_row import DEPTH, Seeing, image_of, wall_map
from scipy.spatial.transform import Rotation
from scipy.stats import chi2

from dense_reloc_ros import calibration
from dense_reloc_ros.calibration import (
    LEAST_THRESHOLD,
    HeldOut,
    calibrate,
    is_right,
    normalized_error,
)
from dense_reloc_ros.features.extractor import DenseFeatures
from dense_reloc_ros.geometry.se3 import rigid
from dense_reloc_ros.localization import PoseEstimate
from dense_reloc_ros.scene.scene_map import MapCalibration, SceneMap
from dense_reloc_ros.sparse_to_dense import DEFAULT_TEMPERATURES
from dense_reloc_ros.training.data.photometric import Exposure


class DimCamera:
    """Halves what `image_of` shows, so that everything in it is still known."""

    def __init__(self, configuration: object) -> None:
        pass

    def expose_target(self, image: np.ndarray, rng: np.random.Generator) -> Exposure:
        return Exposure(image // 2, np.zeros(image.shape[:2], bool))


def taken_from(features: DenseFeatures) -> tuple[int, str]:
    """Which keyframe an image comes from, and in which light."""
    row = (features.global_descriptor[0, 0, 0] * 255).round().int().tolist()
    return (row[4] // 2, "plain") if row[0] == 200 else (row[4], "dim")


Plan = Mapping[tuple[int, str, str], list[PoseEstimate]]
"""Poses found of a keyframe's image, in `plain` or `dim` light, while the map has or lacks its
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

    monkeypatch.setattr(calibration, "SparseToDenseLocalizer", Planned)
    monkeypatch.setattr(calibration, "RandomCamera", DimCamera)
    return calibrate(scene_map, image_of, Seeing())


def estimate(
    scene_map: SceneMap, keyframe: int, score: float = 0.9, metres: float = 0.0, degrees: float = 0
) -> PoseEstimate:
    """The pose of a keyframe, moved and turned."""
    pose = scene_map.keyframe_poses[keyframe].numpy().copy()
    pose[1, 3] += metres
    pose[:3, :3] = Rotation.from_euler("y", degrees, degrees=True).as_matrix() @ pose[:3, :3]
    return PoseEstimate(pose, 1e-4 * np.eye(6), score, np.arange(3), (keyframe,))


@pytest.mark.parametrize(
    ("scores", "threshold"),
    [({"plain": 0.5, "dim": 0.3}, 0.5), ({"plain": 0.3, "dim": 0.5}, 0.5), ({"dim": 0.4}, 0.4)],
)
def test_the_threshold_is_the_best_score_of_a_wrong_pose(scores, threshold, monkeypatch):
    scene_map = wall_map()
    lights = ("plain", "dim")
    plan = {(k, light, "seen"): [estimate(scene_map, k)] for k in range(4) for light in lights}
    for light, score in scores.items():
        plan[1, light, "unseen"] = [estimate(scene_map, 1, score, metres=DEPTH)]
        plan[2, light, "unseen"] = [estimate(scene_map, 2, score / 2, degrees=30)]
    assert calibrated(scene_map, plan, monkeypatch).score_threshold == threshold


def test_the_threshold_is_never_below_what_other_places_reach(monkeypatch):
    scene_map = wall_map()
    plan = {(0, "dim", "unseen"): [estimate(scene_map, 0, 0.01, metres=DEPTH)]}
    assert calibrated(scene_map, plan, monkeypatch).score_threshold == LEAST_THRESHOLD


def test_a_right_pose_raises_no_threshold(monkeypatch):
    """Also where the map should not know its place."""
    scene_map = wall_map()
    plan = {
        (0, "plain", "unseen"): [estimate(scene_map, 0, 0.5, metres=DEPTH)],
        (1, "plain", "unseen"): [estimate(scene_map, 1, 0.9)],
    }
    assert calibrated(scene_map, plan, monkeypatch).score_threshold == 0.5


def test_the_best_place_of_an_image_counts(monkeypatch):
    scene_map = wall_map()
    places = [estimate(scene_map, 0, score, metres=DEPTH) for score in (0.4, 0.6, 0.5)]
    plan = {(0, "dim", "unseen"): places}
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
            plan[keyframe, "plain", "seen"] = [estimate(scene_map, keyframe, metres=size)]
        else:
            plan[keyframe, "dim", "seen"] = [
                estimate(scene_map, keyframe, degrees=np.degrees(size))
            ]
    plan[0, "dim", "seen"] = [estimate(scene_map, 0, 0.5, metres=DEPTH)]
    plan[0, "dim", "unseen"] = [estimate(scene_map, 0, 0.5, metres=DEPTH / 10)]
    scale = calibrated(scene_map, plan, monkeypatch).covariance_scale
    assert scale == pytest.approx(factor, rel=1e-3)


def test_a_map_that_explains_none_of_its_images_keeps_the_defaults(monkeypatch):
    fitted = calibrated(wall_map(), {}, monkeypatch)
    assert fitted.temperatures == DEFAULT_TEMPERATURES
    assert fitted.covariance_scale == 1.0


def test_nothing_can_be_held_out_of_one_keyframe(monkeypatch):
    assert calibrated(wall_map(1), {}, monkeypatch) == MapCalibration()


@pytest.mark.parametrize("unit", [0.01, 1.0, 100.0])
def test_poses_are_right_by_the_depth_of_what_they_see(unit):
    scene_map = wall_map(unit=unit)
    for metres, degrees, expected in (
        (0.0, 0.0, True),
        (0.13 * DEPTH * unit, 9.9, True),
        (0.15 * DEPTH * unit, 0.0, False),
        (0.0, 10.1, False),
    ):
        moved = estimate(scene_map, 2, metres=metres, degrees=degrees)
        assert is_right(scene_map, 2, moved) is expected


@pytest.mark.parametrize("unit", [0.01, 1.0, 100.0])
def test_a_tenth_of_the_keyframes_is_held_out_with_its_nearest(unit):
    held_out = HeldOut(wall_map(40, unit), image_of, Seeing())
    assert len(held_out.keyframes) == len(set(held_out.keyframes)) == calibration.HELD_OUT
    assert (held_out.keyframes[0], held_out.keyframes[-1]) == (0, 39)
    assert held_out.neighbours(0) == {0, 1, 2, 3}
    assert held_out.neighbours(20) in ({18, 19, 20, 21}, {19, 20, 21, 22})


@pytest.mark.parametrize("unit", [0.01, 1.0, 100.0])
def test_a_keyframe_that_looks_elsewhere_is_not_near(unit):
    scene_map = wall_map(20, unit)
    scene_map.keyframe_poses[1, :3, :3] = torch.from_numpy(
        Rotation.from_euler("y", 90, degrees=True).as_matrix()
    )
    assert HeldOut(scene_map, image_of, Seeing()).neighbours(0) == {0, 2}


def test_witnesses_are_all_that_see_the_same_points():
    held_out = HeldOut(wall_map(7), image_of, Seeing())
    every = [held_out.witnesses(keyframe) for keyframe in range(7)]
    assert every == [{0, 1}, {0, 1}, {2, 3}, {2, 3}, {4, 5}, {4, 5}, {6}]


def test_bad_light_is_the_same_each_time_and_different_for_each_image():
    held_out = HeldOut(wall_map(2), lambda k: np.full((48, 64, 3), 128, np.uint8), Seeing())
    one, again, other = (held_out.in_bad_light(k).global_descriptor for k in (0, 0, 1))
    torch.testing.assert_close(one, again, rtol=0, atol=0)
    assert (one - 128 / 255).abs().max() > 0.05
    assert not torch.equal(one, other)


def test_normalized_errors_are_those_of_map_axes():
    rng = np.random.default_rng(0)
    truth = rigid(Rotation.random(random_state=1).as_matrix(), rng.normal(size=3))
    error = 0.1 * rng.normal(size=6)
    turn = Rotation.from_rotvec(error[3:]).as_matrix()
    pose = rigid(turn @ truth[:3, :3], truth[:3, 3] + error[:3])
    root = rng.normal(size=(6, 6))
    covariance = root @ root.T + np.eye(6)
    found = PoseEstimate(pose, covariance, 0.5, np.arange(3), (0,))
    expected = error @ np.linalg.inv(covariance) @ error
    assert normalized_error(truth, found) == pytest.approx(expected)
