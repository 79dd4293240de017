"""The curve from scores to probabilities, against the definition of its fit."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, log_expit

from dense_reloc_ros.mapping.calibration.confidence import fit_confidence, platt_targets
from dense_reloc_ros.scene.scene_map import ConfidenceCurve

Poses = tuple[list[float], list[bool]]


def poses_of(curve: ConfidenceCurve, count: int) -> Poses:
    """Scores of poses that are right as often as a curve says."""
    rng = np.random.default_rng(0)
    scores = rng.uniform(0, 1, count)
    is_right = rng.random(count) < expit(curve.slope * scores + curve.offset)
    return scores.tolist(), is_right.tolist()


def test_the_curve_that_drew_the_poses_is_found_again():
    drawn = ConfidenceCurve(slope=15.0, offset=-6.0)
    fitted = fit_confidence(*poses_of(drawn, 20_000))
    assert fitted.slope == pytest.approx(drawn.slope, rel=0.05)
    assert fitted.offset == pytest.approx(drawn.offset, rel=0.05)


def test_no_other_curve_has_a_lower_cross_entropy():
    scores, is_right = poses_of(ConfidenceCurve(slope=12.0, offset=-5.0), 60)
    fitted = fit_confidence(scores, is_right)
    values = np.array([0.0, 1.0, *scores])
    targets = platt_targets(np.array([False, True, *is_right]))

    def cross_entropy(slope: float, offset: float) -> float:
        logits = slope * values + offset
        log_right, log_wrong = log_expit(logits), log_expit(-logits)
        return float(-(targets * log_right + (1 - targets) * log_wrong).sum())

    best = cross_entropy(fitted.slope, fitted.offset)
    slopes, offsets = np.meshgrid(np.linspace(0.1, 40, 200), np.linspace(-15, 5, 200))
    others = np.vectorize(cross_entropy)(slopes, offsets)
    assert best <= others.min()
    assert best == pytest.approx(others.min(), rel=0.01)


def test_the_mean_confidence_is_the_share_of_right_poses_after_smoothing():
    """A property of every logistic fit with an offset."""
    scores, is_right = poses_of(ConfidenceCurve(slope=12.0, offset=-5.0), 200)
    fitted = fit_confidence(scores, is_right)
    values = np.array([0.0, 1.0, *scores])
    targets = platt_targets(np.array([False, True, *is_right]))
    confidences = expit(fitted.slope * values + fitted.offset)
    assert confidences.mean() == pytest.approx(targets.mean(), abs=1e-4)


@pytest.mark.parametrize(
    ("scores", "is_right"),
    [([], []), ([0.9], [True]), ([0.1] * 5, [False] * 5), ([0.2, 0.8] * 50, [False, True] * 50)],
)
def test_few_or_separate_poses_leave_a_rising_curve_that_is_never_certain(scores, is_right):
    curve = fit_confidence(scores, is_right)
    assert 0 < curve.slope < 100
    low, high = expit(curve.offset), expit(curve.slope + curve.offset)
    assert 1e-9 < low < 0.5 < high < 1 - 1e-9


def test_scores_that_mean_nothing_leave_the_share_of_right_poses():
    """Were higher scores less often right, the curve would be level rather than fall."""
    curve = fit_confidence([0.1] * 300 + [0.9] * 300, [True] * 300 + [False] * 300)
    assert curve.slope == 0.0
    assert expit(curve.offset) == pytest.approx(0.5, abs=0.01)
