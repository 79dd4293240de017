"""Fits a map for sparse-to-dense methods, by localizing its own images against it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from dense_reloc_ros.configuration import LocalizerConfiguration
from dense_reloc_ros.features.extractor import DenseFeatures, FeatureExtractor
from dense_reloc_ros.localization.methods import DEFAULT_METHOD
from dense_reloc_ros.localization.result import PoseEstimate
from dense_reloc_ros.localization.sparse_to_dense import SparseToDenseLocalizer
from dense_reloc_ros.mapping.calibration.confidence import fit_confidence
from dense_reloc_ros.mapping.calibration.held_out import (
    BAD_LIGHT,
    MEDIUM_LIGHT,
    WORSE_LIGHT,
    HeldOut,
)
from dense_reloc_ros.mapping.calibration.pose_errors import (
    PUBLISHABLE,
    RIGHT,
    covariance_scale,
    normalized_error,
)
from dense_reloc_ros.mapping.calibration.temperatures import fit_temperatures
from dense_reloc_ros.scene.progress import Progress, silent
from dense_reloc_ros.scene.scene_map import ConfidenceCurve, MapCalibration, SceneMap
from dense_reloc_ros.stopwatch import Stopwatch

LOGGER = logging.getLogger(__name__)
LEAST_THRESHOLD = 0.25
"""The least, however low the map's own wrong poses score: images of other places can score more."""


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
    Nothing looks more like a place than the same kind of place next to it. The confidence is
    fitted on all of these poses, and on some in light that is not as bad or worse.

    Args:
        scene_map: the map, calibrated or not.
        image_of: the undistorted image (H, W, 3) RGB of a keyframe.
        extractor: of the map's features.
        progress: shows how far it is.
    """
    if scene_map.keyframe_count < 2:
        LOGGER.warning("a map of one keyframe cannot be calibrated: nothing can be held out")
        return MapCalibration()
    localizer = SparseToDenseLocalizer(
        scene_map, LocalizerConfiguration(), extractor.device, DEFAULT_METHOD, extractor
    )
    held_out = HeldOut(scene_map, image_of, extractor)
    shown = progress(held_out.keyframes, "fitting temperatures")
    localizer.temperatures = fit_temperatures(localizer, held_out, shown)
    seen: list[_Answer] = []
    unseen: list[_Answer] = []
    seen_in_other_light: list[_Answer] = []
    for keyframe in progress(held_out.keyframes, "localizing keyframes"):
        neighbours, witnesses = held_out.neighbours(keyframe), held_out.witnesses(keyframe)
        for features in (held_out.features(keyframe), held_out.in_light(keyframe, BAD_LIGHT)):
            seen += _localize(localizer, features, keyframe, neighbours)
            unseen += _localize(localizer, features, keyframe, witnesses)
        for light in (MEDIUM_LIGHT, WORSE_LIGHT):
            features = held_out.in_light(keyframe, light)
            seen_in_other_light += _localize(localizer, features, keyframe, neighbours)
    return MapCalibration(
        temperatures=localizer.temperatures,
        score_threshold=_score_threshold(scene_map, unseen),
        covariance_scale=_covariance_scale(scene_map, seen),
        confidence=_confidence(scene_map, [*seen, *unseen, *seen_in_other_light]),
    )


class _Answer(NamedTuple):
    keyframe: int
    """Whose image it was."""
    estimate: PoseEstimate


def _localize(
    localizer: SparseToDenseLocalizer,
    features: DenseFeatures,
    keyframe: int,
    excluded: frozenset[int],
) -> list[_Answer]:
    """The best pose of an image of a keyframe, if any, on the map without those `excluded`."""
    places = localizer.retrieve(features, excluded)
    camera = localizer.scene_map.cameras[keyframe]
    estimates = localizer.estimate_in(places, features, camera, None, Stopwatch(localizer.device))
    best = max(estimates, key=lambda estimate: estimate.score, default=None)
    return [_Answer(keyframe, best)] if best else []


def _score_threshold(scene_map: SceneMap, unseen: Sequence[_Answer]) -> float | None:
    wrong = [a.estimate.score for a in unseen if not PUBLISHABLE.holds(scene_map, *a)]
    return max(LEAST_THRESHOLD, *wrong) if wrong else None


def _covariance_scale(scene_map: SceneMap, seen: Sequence[_Answer]) -> float:
    right = [answer for answer in seen if PUBLISHABLE.holds(scene_map, *answer)]
    truths = [scene_map.keyframe_poses[answer.keyframe].numpy() for answer in right]
    return covariance_scale(
        [normalized_error(truth, a.estimate) for truth, a in zip(truths, right, strict=True)]
    )


def _confidence(scene_map: SceneMap, answers: Sequence[_Answer]) -> ConfidenceCurve:
    return fit_confidence(
        [answer.estimate.score for answer in answers],
        [RIGHT.holds(scene_map, *answer) for answer in answers],
    )
