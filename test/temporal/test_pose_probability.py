"""Scores as probabilities, by the curve of a map or the default one."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from dense_reloc_ros.scene.scene_map import ConfidenceCurve, MapCalibration
from dense_reloc_ros.temporal.pose_probability import DEFAULT_CURVE, confidence_of


@pytest.mark.parametrize("score", [0.0, 0.31, 1.0])
def test_the_confidence_is_on_the_curve_of_the_map(score):
    calibration = MapCalibration(confidence=ConfidenceCurve(slope=9.0, offset=-3.5))
    expected = 1 / (1 + np.exp(-(9.0 * score - 3.5)))
    assert confidence_of(score, calibration) == pytest.approx(expected)


def test_maps_without_a_curve_have_the_default_one():
    assert confidence_of(0.4, MapCalibration()) == confidence_of(
        0.4, MapCalibration(confidence=DEFAULT_CURVE)
    )


def test_by_default_wrong_scores_are_unlikely_and_full_ones_likely():
    scores = np.linspace(0, 1, 11)
    confidences = [confidence_of(score, MapCalibration()) for score in scores]
    assert confidences == sorted(confidences)
    assert confidences[0] < 0.05
    assert confidences[-1] > 0.95


def test_steep_curves_do_not_overflow():
    calibration = MapCalibration(confidence=ConfidenceCurve(slope=1e6, offset=-5e5))
    assert confidence_of(0.0, calibration) == 0.0
    assert confidence_of(1.0, calibration) == 1.0


def test_maps_from_before_there_was_a_curve_are_read():
    old = {"temperatures": {"fine": 0.02}, "score_threshold": 0.25, "covariance_scale": 30.0}
    assert MapCalibration.model_validate(old).confidence is None


@pytest.mark.parametrize(
    "curve", [{"slope": -1, "offset": 0}, {"slope": 1, "offset": float("nan")}, {"slope": 1}]
)
def test_curves_that_are_none_are_refused(curve):
    with pytest.raises(ValidationError):
        MapCalibration.model_validate({"confidence": curve})
