"""The shipped confidence: which evidence speaks for a pose."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import logit

from dense_reloc_ros.pose.confidence import ConfidenceWeights, shipped_weights
from dense_reloc_ros.pose.evidence import FEATURES, PoseEvidence

GOOD = PoseEvidence(
    mean_gain=0.5,
    supporting=400,
    visible=500,
    agreement=0.9,
    spread=0.8,
    depth_spread=0.3,
    translation_deviation=0.003,
    rotation_deviation=0.003,
    view_change=0.2,
)
BAD = PoseEvidence(
    mean_gain=0.03,
    supporting=30,
    visible=600,
    agreement=0.1,
    spread=0.15,
    depth_spread=0.1,
    translation_deviation=0.2,
    rotation_deviation=0.1,
    view_change=1.0,
)


def test_good_evidence_is_believed_and_bad_is_not():
    weights = shipped_weights()
    assert weights.confidence(GOOD, 0.0) > 0.98
    assert weights.confidence(BAD, 0.0) < 0.02


@pytest.mark.parametrize(
    "field", [name for name in vars(GOOD) if name not in ("visible", "images", "field_share")]
)
def test_worse_evidence_never_raises_the_confidence(field):
    weights = shipped_weights()
    worse = replace(GOOD, **{field: 1.0 if field == "rival" else getattr(BAD, field)})
    assert weights.logit(worse) <= weights.logit(GOOD)


@pytest.mark.parametrize(("depth_spread", "more"), [(0.05, 0.3), (0.15, 1.7), (0.5, 2.4)])
def test_a_pose_that_several_images_support_by_things_at_several_depths_is_likelier(
    depth_spread, more
):
    weights = shipped_weights()
    unsure = replace(GOOD, mean_gain=0.1, spread=0.4, depth_spread=depth_spread)
    one, several = (
        logit(weights.confidence(replace(unsure, images=images), -0.5)) for images in (1, 3)
    )
    assert several == pytest.approx(1.5 * one + more)


@pytest.mark.parametrize(
    ("spread", "expected"), [(0.6, 1.0), (0.5, 1.0), (0.1, np.exp(-1.0)), (0.0, np.exp(-1.5))]
)
def test_another_pose_is_as_likely_up_to_some_difference_and_then_by_its_odds(spread, expected):
    """The logit is five times the spread: 0.5 less is a difference of 2.5, of which 2 are even."""
    weights = ConfidenceWeights(weights=dict.fromkeys(FEATURES, 0.0) | {"spread": 5.0}, bias=1.0)
    best, other = (replace(GOOD, spread=value) for value in (0.7, spread))
    assert weights.relative_odds(best, other) == pytest.approx(expected)


def test_the_odds_are_lower_by_how_much_less_a_camera_sees_than_a_keyframe():
    weights = shipped_weights()
    odds = [np.exp(weights.logit(replace(GOOD, field_share=share))) for share in (1.0, 1 / 9)]
    assert odds[0] / odds[1] == pytest.approx(9.0)


def test_the_confidence_is_the_logistic_function_of_weighted_features():
    weights = ConfidenceWeights(
        weights=dict.fromkeys(FEATURES, 0.0) | {"spread": 2.0, "rival": -1.0}, bias=-0.5
    )
    evidence = replace(GOOD, rival=0.4)
    expected = 1 / (1 + np.exp(-(2.0 * 0.8 - 0.4 - 0.5 + 0.3)))
    assert weights.confidence(evidence, 0.3) == pytest.approx(expected)


def test_evidence_without_bounds_has_finite_features():
    nothing = PoseEvidence(-0.1, 0, 0, 0.0, 0.0, 0.0, np.inf, 0.0, np.inf, 9.0)
    assert np.isfinite(nothing.features()).all()
