"""Confidences fitted on outcomes whose probabilities are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit

from dense_reloc_ros.mapping.calibration.confidence_fit import (
    OFFSET_DEVIATION,
    calibration_error,
    fit_offset,
    fit_weights,
)
from dense_reloc_ros.mapping.calibration.outcomes import Outcome
from dense_reloc_ros.pose.confidence import ConfidenceWeights
from dense_reloc_ros.pose.evidence import FEATURES, PoseEvidence

TRUE = ConfidenceWeights(
    weights=dict.fromkeys(FEATURES, 0.0) | {"spread": 8.0, "view_change": -3.0}, bias=-3.0
)


def scene(count: int, seed: int, offset: float = 0.0) -> list[Outcome]:
    """Poses that are right as often as `TRUE` and an offset say."""
    rng = np.random.default_rng(seed)
    found = []
    for spread, change, depth in rng.uniform(0, 1, (count, 3)):
        evidence = PoseEvidence(0.5, 100, 200, 0.5, spread, depth, 0.01, 0.01, change)
        is_right = rng.random() < TRUE.confidence(evidence, offset)
        found.append(Outcome(evidence, 0.5, 0.01 if is_right else 1.0, 0.01, 5.0))
    return found


def test_weights_are_those_that_the_outcomes_were_drawn_with():
    fitted = fit_weights([scene(4000, 0), scene(4000, 1)])
    assert fitted.weights["spread"] == pytest.approx(8.0, rel=0.1)
    assert fitted.weights["view_change"] == pytest.approx(-3.0, rel=0.15)
    assert fitted.weights["depth_spread"] == pytest.approx(0.0, abs=0.3)


def test_a_weight_never_has_the_wrong_sign():
    """Here more spread speaks against poses."""
    turned = [
        replace(one, depth_share=1.0 if one.evidence.spread > 0.5 else 0.0) for one in scene(200, 2)
    ]
    assert fit_weights([turned]).weights["spread"] == 0.0


def test_the_offset_is_what_a_map_differs_by():
    found = fit_offset(TRUE, scene(5000, 3, offset=-1.5))
    assert found == pytest.approx(-1.5, abs=0.15)
    assert fit_offset(TRUE, []) == 0.0


def test_few_views_move_the_offset_little():
    (wrong,) = scene(1, 4)
    wrong = replace(wrong, depth_share=1.0)
    probability = TRUE.confidence(wrong.evidence, 0.0)
    offset = fit_offset(TRUE, [wrong])
    assert -(OFFSET_DEVIATION**2) * probability <= offset < 0


def test_the_calibration_error_is_that_of_bins_counted_by_hand():
    confidences = np.array([0.82, 0.86, 0.84, 0.88, 0.15, 0.15, 1.0])
    is_right = np.array([1, 1, 0, 0, 0, 0, 1], bool)
    expected = (2 * 0.15 + 4 * 0.35) / 7
    assert calibration_error(confidences, is_right) == pytest.approx(expected)


def test_confidences_that_come_true_have_no_calibration_error():
    rng = np.random.default_rng(5)
    confidences = expit(rng.normal(0, 2, 5000))
    is_right = rng.random(5000) < confidences
    assert calibration_error(confidences, is_right) < 0.03
