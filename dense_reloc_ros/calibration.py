"""What is fitted on a map's own images: temperatures, the score of a wrong pose, covariance."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from torch import Tensor

from dense_reloc_ros.configuration import LocalizerConfiguration
from dense_reloc_ros.features.extractor import DenseFeatures, FeatureExtractor, image_to_tensor
from dense_reloc_ros.geometry import se3
from dense_reloc_ros.geometry.projection import project
from dense_reloc_ros.localization import FloatArray, PoseEstimate
from dense_reloc_ros.methods import DEFAULT_METHOD, find_method
from dense_reloc_ros.pose.nre import refine_fine
from dense_reloc_ros.pose.problem import PoseProblem
from dense_reloc_ros.retrieval.distinct_views import median_depth
from dense_reloc_ros.scene.progress import Progress, silent
from dense_reloc_ros.scene.scene_map import MapCalibration, SceneMap
from dense_reloc_ros.sparse_to_dense import DEFAULT_TEMPERATURES, SparseToDenseLocalizer
from dense_reloc_ros.stopwatch import Stopwatch
from dense_reloc_ros.training.data.photometric import PhotometricConfiguration, RandomCamera

LOGGER = logging.getLogger(__name__)
HELD_OUT = 24
"""Keyframes, evenly spaced, that are localized against the others."""
EXCLUDED_SHARE = 0.1
"""Of the keyframes: the nearest to a held-out one are left out with it."""
COARSE_TEMPERATURES = (0.02, 0.03, 0.04, 0.05, 0.07, 0.1)
FINE_TEMPERATURES = (0.005, 0.007, 0.01, 0.014, 0.02, 0.03)
ACCURACY_MARGIN = 1.06
"""A fine temperature may cost this factor of the best accuracy: higher ones bear more blur."""
LOST_PIXELS = 10.0
"""A pose that misses by more is lost; by how much then says nothing about temperatures."""
BAD_LIGHT = PhotometricConfiguration(target=(0.0, 0.0, 1.0))
"""The worst that the training of features knows."""
RIGHT_DEPTH_SHARE = 0.14
RIGHT_RADIANS = float(np.deg2rad(10.0))
"""A pose that is further off is wrong; in a room, where things are 1.8 m away, by 0.25 m.

Shares of the depth, as the unit of length of a map of photographs is arbitrary.
"""
LEAST_THRESHOLD = 0.25
"""The least, however low the map's own wrong poses score: images of other places can score more."""
NEES_QUANTILE = 0.95
EXPECTED_NEES = 12.592
"""This quantile of the normalized error of six values where the covariance is right (chi²).

A high one, as the map's own images are the easiest queries: they helped to place its points.
"""


class HeldOut:
    """Keyframes of a map as queries that must not see themselves or their neighbours."""

    def __init__(
        self,
        scene_map: SceneMap,
        image_of: Callable[[int], NDArray[np.uint8]],
        extractor: FeatureExtractor,
    ) -> None:
        count = min(HELD_OUT, scene_map.keyframe_count)
        spaced = np.linspace(0, scene_map.keyframe_count - 1, count)
        self.keyframes: list[int] = spaced.round().astype(int).tolist()
        self.scene_map = scene_map
        self._image_of = image_of
        self._extractor = extractor

    def features(self, keyframe: int) -> DenseFeatures:
        """Features of a keyframe's image."""
        return self.features_of(self._image_of(keyframe))

    def in_bad_light(self, keyframe: int) -> DenseFeatures:
        """Features of a keyframe's image taken by a bad camera."""
        camera, rng = RandomCamera(BAD_LIGHT), np.random.default_rng(keyframe)
        return self.features_of(camera.expose_target(self._image_of(keyframe), rng).image)

    def features_of(self, image: NDArray[np.uint8]) -> DenseFeatures:
        """Features of an image (H, W, 3) RGB."""
        return self._extractor(image_to_tensor(image, self._extractor.device))

    def neighbours(self, keyframe: int) -> frozenset[int]:
        """A keyframe and those nearest to it, a tenth of all."""
        poses = self.scene_map.keyframe_poses
        distance = (poses[:, :3, 3] - poses[keyframe, :3, 3]).norm(dim=-1)
        distance = distance / median_depth(self.scene_map, keyframe)
        turn = 1 - poses[:, :3, 2] @ poses[keyframe, :3, 2]
        count = max(1, round(EXCLUDED_SHARE * self.scene_map.keyframe_count))
        return frozenset((distance + turn).argsort()[:count].tolist()) | {keyframe}

    def witnesses(self, keyframe: int) -> frozenset[int]:
        """A keyframe and all that see any of its points: without them it shows nothing mapped."""
        scene_map = self.scene_map
        seen = torch.zeros(len(scene_map.points), dtype=torch.bool)
        seen[scene_map.observation_points[scene_map.observations(keyframe)].long()] = True
        others = range(scene_map.keyframe_count)
        points = (scene_map.observation_points[scene_map.observations(k)].long() for k in others)
        return frozenset(k for k, p in enumerate(points) if bool(seen[p].any())) | {keyframe}


@torch.inference_mode()
def calibrate(
    scene_map: SceneMap,
    image_of: Callable[[int], NDArray[np.uint8]],
    extractor: FeatureExtractor,
    progress: Progress = silent,
) -> MapCalibration:
    """Calibrates a map for sparse-to-dense methods by localizing its own images against it.

    The score threshold is the best score of a wrong pose, in good light or bad. Wrong poses are
    what images get that show nothing of the map: its own, without all keyframes that see the same.
    Nothing looks more like a place than the same kind of place next to it.

    Args:
        scene_map: the map, calibrated or not.
        image_of: the undistorted image (H, W, 3) RGB of a keyframe.
        extractor: of the map's features.
        progress: shows how far it is.
    """
    if scene_map.keyframe_count < 2:
        LOGGER.warning("a map of one keyframe cannot be calibrated: nothing can be held out")
        return MapCalibration()
    method = find_method(DEFAULT_METHOD)
    localizer = SparseToDenseLocalizer(
        scene_map, LocalizerConfiguration(), method, extractor.device, extractor
    )
    held_out = HeldOut(scene_map, image_of, extractor)
    shown = progress(held_out.keyframes, "fitting temperatures")
    localizer.temperatures = fit_temperatures(localizer, held_out, shown)
    normalized_errors, wrong_scores = [], []
    for keyframe in progress(held_out.keyframes, "localizing keyframes"):
        neighbours, witnesses = held_out.neighbours(keyframe), held_out.witnesses(keyframe)
        for features in (held_out.features(keyframe), held_out.in_bad_light(keyframe)):
            seen = _localize(localizer, features, keyframe, neighbours)
            if seen is not None and is_right(scene_map, keyframe, seen):
                truth = scene_map.keyframe_poses[keyframe].numpy()
                normalized_errors.append(normalized_error(truth, seen))
            unseen = _localize(localizer, features, keyframe, witnesses)
            if unseen is not None and not is_right(scene_map, keyframe, unseen):
                wrong_scores.append(unseen.score)
    return MapCalibration(
        temperatures=localizer.temperatures,
        score_threshold=max(LEAST_THRESHOLD, *wrong_scores) if wrong_scores else None,
        covariance_scale=covariance_scale(normalized_errors),
    )


def covariance_scale(normalized_errors: Sequence[float]) -> float:
    """What covariances are multiplied by, so that they fit the errors that were seen; 1 if none."""
    if not normalized_errors:
        return 1.0
    return float(np.quantile(normalized_errors, NEES_QUANTILE)) / EXPECTED_NEES


def fit_temperatures(
    localizer: SparseToDenseLocalizer, held_out: HeldOut, keyframes: Iterable[int]
) -> dict[str, float]:
    """The temperatures of the levels.

    Coarse: the lowest mean NRE (eq. 4.6) at the true poses. Fine: the highest one whose refined
    poses reproject the points nearly as exactly as any.
    """
    costs: dict[float, list[float]] = {t: [] for t in COARSE_TEMPERATURES}
    misses: dict[float, list[float]] = {t: [] for t in FINE_TEMPERATURES}
    for keyframe in keyframes:
        features = held_out.features(keyframe)
        places = localizer.retrieve(features, held_out.neighbours(keyframe))
        if not places:
            continue
        T_map_camera = localizer.scene_map.keyframe_poses[keyframe]
        truth = se3.inverse_tensor(T_map_camera).float().to(localizer.device)
        camera = localizer.scene_map.cameras[keyframe]
        for temperature, values in costs.items():
            localizer.temperatures["coarse"] = temperature
            problem = localizer.match(features, places[0], camera)[1]
            values.append(mean_nre(problem, truth))
        localizer.temperatures = DEFAULT_TEMPERATURES.copy()
        problem = localizer.match(features, places[0], camera)[1]
        for temperature, values in misses.items():
            values.append(miss_after_refinement(localizer, problem, truth, temperature))
    if not any(costs.values()):
        LOGGER.warning("no keyframe sees what others see: the map keeps the default temperatures")
        return DEFAULT_TEMPERATURES.copy()
    mean_costs = {t: float(np.mean(values)) for t, values in costs.items()}
    mean_misses = {
        t: float(np.mean(np.minimum(values, LOST_PIXELS))) for t, values in misses.items()
    }
    best = min(mean_misses.values())
    good = [t for t, miss in mean_misses.items() if miss <= ACCURACY_MARGIN * best]
    return {"coarse": min(mean_costs, key=lambda t: mean_costs[t]), "fine": max(good)}


def mean_nre(problem: PoseProblem, T_camera_map: Tensor) -> float:
    """The mean NRE of the points that a pose puts in front of the camera and into the image."""
    pixels, _ = project(T_camera_map[None], problem.points, problem.intrinsics)
    maps = problem.coarse_maps
    cells = maps.cells(pixels[0])
    size = cells.new_tensor([maps.gains.shape[2], maps.gains.shape[1]])
    inside = ((cells >= 0) & (cells <= size - 1)).all(-1)
    return maps.outlier_loss - float(maps.gains_at(pixels)[0, inside].mean().nan_to_num(0.0))


def miss_after_refinement(
    localizer: SparseToDenseLocalizer, problem: PoseProblem, truth: Tensor, temperature: float
) -> float:
    """Mean distance in pixels between points reprojected at the refined and at the true pose."""
    sharper = replace(problem, fine_temperature=temperature)
    found = refine_fine(sharper, truth[None], localizer.configuration.nre)
    if found is None or not len(found.points):
        return LOST_PIXELS
    poses = torch.stack([found.T_camera_map, truth])
    pixels, _ = project(poses, problem.points[found.points], problem.intrinsics)
    return float((pixels[0] - pixels[1]).norm(dim=-1).nan_to_num(LOST_PIXELS).mean())


def normalized_error(truth: FloatArray, estimate: PoseEstimate) -> float:
    """The squared error of a pose in units of its covariance (NEES)."""
    rotation = estimate.T_map_camera[:3, :3] @ truth[:3, :3].T
    error = np.concatenate(
        [
            estimate.T_map_camera[:3, 3] - truth[:3, 3],
            Rotation.from_matrix(rotation).as_rotvec(),
        ]
    )
    return float(error @ np.linalg.solve(estimate.covariance, error))


def is_right(scene_map: SceneMap, keyframe: int, estimate: PoseEstimate) -> bool:
    """Whether the pose of a keyframe's image is no worse than one that may be published."""
    error = se3.pose_error(scene_map.keyframe_poses[keyframe].numpy(), estimate.T_map_camera)
    off = error.translation / float(median_depth(scene_map, keyframe))
    return off <= RIGHT_DEPTH_SHARE and error.rotation <= RIGHT_RADIANS


def _localize(
    localizer: SparseToDenseLocalizer,
    features: DenseFeatures,
    keyframe: int,
    excluded: frozenset[int],
) -> PoseEstimate | None:
    """The best pose of an image of a keyframe, on the map without those `excluded`."""
    places = localizer.retrieve(features, excluded)
    camera = localizer.scene_map.cameras[keyframe]
    estimates = localizer.estimate_in(places, features, camera, None, Stopwatch(localizer.device))
    return max(estimates, key=lambda estimate: estimate.score, default=None)
