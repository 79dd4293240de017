"""Fits a map for sparse-to-dense methods, by localizing its own images against it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from dense_reloc_ros.configuration import LocalizerConfiguration
from dense_reloc_ros.features.extractor import FeatureExtractor
from dense_reloc_ros.localization.methods import DEFAULT_METHOD
from dense_reloc_ros.localization.sparse_to_dense import SparseToDenseLocalizer
from dense_reloc_ros.mapping.calibration.confidence_fit import fit_offset
from dense_reloc_ros.mapping.calibration.covariance_fit import fit_covariance_factor
from dense_reloc_ros.mapping.calibration.held_out import HeldOut, HeldOutQuery, Kind
from dense_reloc_ros.mapping.calibration.outcomes import Outcome, outcomes
from dense_reloc_ros.mapping.calibration.temperatures import fit_temperatures
from dense_reloc_ros.pose.confidence import shipped_weights
from dense_reloc_ros.scene.progress import Progress, silent
from dense_reloc_ros.scene.scene_map import MapCalibration, SceneMap

LOGGER = logging.getLogger(__name__)
VIEWS: tuple[tuple[Kind, int], ...] = (("stretch", 48), ("unseen", 24))
"""How many are held out of each kind, however large the map."""
LEAST_THRESHOLD = 0.25
"""The least, however low the map's own wrong poses score: images of other places can score more."""
FEW_RIGHT = 0.2
"""Share of views held out with what is near them; of fewer that come out right people are told."""
WRONG_QUANTILE = 0.95
"""Of the scores of wrong poses: what they rarely reach."""


@torch.inference_mode()
def calibrate(
    scene_map: SceneMap,
    image_of: Callable[[int], NDArray[np.uint8]],
    extractor: FeatureExtractor,
    progress: Progress = silent,
) -> MapCalibration:
    """Calibrates a map for sparse-to-dense methods by localizing its own images against it.

    An image that shows a place as a camera would see it that comes near no keyframe: rolled,
    zoomed, in other light, and without all keyframes whose views are like its own. Other images
    show nothing of the map, as all keyframes that see the same are left out: their poses are wrong.
    What these say corrects what holds for maps in general. However large a map is, the number of
    these views is the same.

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
        _uncalibrated(scene_map),
        LocalizerConfiguration(),
        extractor.device,
        DEFAULT_METHOD,
        extractor,
    )
    held_out = HeldOut(scene_map, image_of, extractor)
    shown = progress(held_out.keyframes, "fitting temperatures")
    localizer.temperatures = fit_temperatures(localizer, held_out, shown)
    views, near = held_out_outcomes(localizer, held_out, progress, VIEWS[:1])
    _, unseen = held_out_outcomes(localizer, held_out, progress, VIEWS[1:])
    found = near + unseen
    right = sum(outcome.is_right for outcome in near)
    if right < FEW_RIGHT * views:
        LOGGER.warning(
            "only %d of %d views of the map were localized without the keyframes near them: "
            "keyframes are few or far apart, or poses, depth or intrinsics are wrong",
            right,
            views,
        )
    return MapCalibration(
        temperatures=localizer.temperatures,
        score_threshold=_score_threshold(found),
        confidence_offset=fit_offset(shipped_weights(), found),
        covariance_factor=fit_covariance_factor(found),
        held_out_views=views,
        held_out_right=right,
    )


def held_out_outcomes(
    localizer: SparseToDenseLocalizer,
    held_out: HeldOut,
    progress: Progress,
    views: Sequence[tuple[Kind, int]] = VIEWS,
) -> tuple[int, list[Outcome]]:
    """How many views of a map could be held out, and what became of those with a pose."""
    plan = [(kind, number, count) for kind, count in views for number in range(count)]
    held = 0

    def queries() -> Iterator[HeldOutQuery]:
        nonlocal held
        for one in progress(plan, "localizing held-out views"):
            query = held_out.query(*one)
            if query is not None:
                held += 1
                yield query

    found = outcomes(localizer, queries())
    return held, found


def _score_threshold(found: Sequence[Outcome]) -> float | None:
    wrong = [outcome.score for outcome in found if not outcome.is_right]
    return max(LEAST_THRESHOLD, float(np.quantile(wrong, WRONG_QUANTILE))) if wrong else None


def _uncalibrated(scene_map: SceneMap) -> SceneMap:
    information = scene_map.information.model_copy(update={"calibration": MapCalibration()})
    return replace(scene_map, information=information)
