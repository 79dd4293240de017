"""Which poses are published, and what is said of the others."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from dense_reloc_ros.configuration import VerificationConfiguration
from dense_reloc_ros.localization.decision import (
    confidence_of_score,
    expected_errors,
    likeliest,
    reason_to_doubt,
    with_rivals,
)
from dense_reloc_ros.localization.result import PoseEstimate
from dense_reloc_ros.pose.confidence import shipped_weights
from dense_reloc_ros.pose.evidence import PoseEvidence

EVIDENCE = PoseEvidence(0.5, 200, 300, 0.8, 0.8, 0.3, 0.01, 0.01, 0.2)
OPTIONS = VerificationConfiguration(least_confidence=0.9)


def estimate(
    score: float = 0.6,
    metres: float = 0.0,
    degrees: float = 0.0,
    confidence: float = 0.99,
    deviation: float = 0.01,
) -> PoseEstimate:
    """A pose with evidence, 2 m away from what it sees."""
    pose = np.eye(4)
    pose[:3, :3] = Rotation.from_euler("y", degrees, degrees=True).as_matrix()
    pose[0, 3] = metres
    covariance = np.diag([deviation**2] * 3 + [1e-6] * 3)
    return PoseEstimate(
        pose, covariance, score, np.arange(3), (0,), EVIDENCE, confidence=confidence, depth=2.0
    )


def test_a_pose_with_enough_behind_it_is_not_doubted():
    assert reason_to_doubt(estimate(score=0.1), OPTIONS, 0.3) == ""


def test_a_pose_of_little_confidence_is_doubted_with_that_as_the_reason():
    reason = reason_to_doubt(estimate(confidence=0.85), OPTIONS, 0.3)
    assert reason == "confidence 0.850 is below least_confidence 0.9"


@pytest.mark.parametrize(("share", "is_doubted"), [(0.069, False), (0.071, True)])
@pytest.mark.parametrize("unit", [0.01, 1.0, 100.0])
def test_errors_may_be_a_share_of_the_depth_in_any_unit(share, is_doubted, unit):
    some = estimate(deviation=share * 2.0 * unit / np.sqrt(3))
    reason = reason_to_doubt(replace(some, depth=2.0 * unit), OPTIONS, 0.3)
    assert ("expected error of the position" in reason) is is_doubted


def test_errors_may_be_limited_in_metres_and_degrees():
    some = estimate(deviation=0.1 / np.sqrt(3))
    in_metres = OPTIONS.model_copy(update={"largest_error_m": 0.09})
    assert reason_to_doubt(some, in_metres, 0.3) == (
        "the expected error of the position, 0.1 m, exceeds 0.09 m"
    )
    turned = np.diag([1e-6] * 3 + [np.deg2rad(6.0) ** 2 / 3] * 3)
    assert reason_to_doubt(replace(some, covariance=turned), OPTIONS, 0.3) == (
        "the expected error of the rotation, 6.0 degrees, exceeds 5"
    )


def test_a_score_counts_where_it_is_configured_or_all_there_is():
    configured = OPTIONS.model_copy(update={"score_threshold": 0.7})
    assert reason_to_doubt(estimate(), configured, 0.7) == "score 0.60 is below the threshold 0.70"
    bare = replace(estimate(confidence=0.1), evidence=None)
    assert reason_to_doubt(bare, OPTIONS, 0.7) == "score 0.60 is below the threshold 0.70"
    assert reason_to_doubt(bare, OPTIONS, 0.5) == ""


def test_expected_errors_are_root_mean_squares():
    samples = np.random.default_rng(0).normal(0, [1, 2, 3, 0.1, 0.2, 0.3], (100_000, 6))
    metres, radians = expected_errors(np.cov(samples.T))
    assert metres == pytest.approx(np.sqrt((samples[:, :3] ** 2).sum(1).mean()), rel=0.01)
    assert radians == pytest.approx(np.sqrt((samples[:, 3:] ** 2).sum(1).mean()), rel=0.01)


@pytest.mark.parametrize(
    ("metres", "degrees", "rival"),
    [(0.27, 0.0, 0.0), (0.29, 0.0, 0.5), (0.0, 9.0, 0.0), (0.0, 11.0, 0.5)],
)
def test_only_poses_that_cannot_both_be_right_are_rivals(metres, degrees, rival):
    """14% of 2 m are 0.28 m."""
    best = estimate(score=0.6)
    others = [best, estimate(0.3, metres, degrees), estimate(0.2, metres, degrees)]
    assert with_rivals(best, others).evidence.rival == pytest.approx(rival)


def test_the_score_alone_gives_a_confidence_that_rises_with_it():
    confidences = [confidence_of_score(score) for score in np.linspace(0, 1, 11)]
    assert confidences == sorted(confidences)
    assert confidences[0] < 0.05
    assert confidences[-1] > 0.95


def test_poses_elsewhere_share_the_probability_by_what_speaks_for_them():
    """Three places: of one the likelier of two poses counts, of another a weaker one, of a third
    one, whose pose has too little of the score, none.
    """
    best = estimate(score=0.6)
    strong, weak = (replace(EVIDENCE, spread=value) for value in (0.75, 0.3))
    others = [
        best,
        replace(estimate(0.59, 1.0), evidence=weak),
        replace(estimate(0.5, 1.05), evidence=strong),
        replace(estimate(0.45, 2.0), evidence=weak),
        estimate(0.29, 4.0),
    ]
    evidence = with_rivals(best, others).evidence
    assert evidence.rival == pytest.approx(0.59 / 0.6)
    weights = shipped_weights()
    of_weak = weights.relative_odds(EVIDENCE, weak)
    assert 0 < of_weak < 0.2
    assert evidence.equals == pytest.approx(1 + of_weak)
    alone = weights.confidence(replace(evidence, equals=0), 0.0)
    assert weights.confidence(evidence, 0.0) == pytest.approx(alone / (2 + of_weak))


def test_of_poses_that_contradict_each_other_the_likelier_is_chosen():
    """Of others, and of those of a much lower score, it is the score that counts."""
    better = replace(EVIDENCE, spread=0.95)
    best, likelier = estimate(0.6), replace(estimate(0.5, 1.0), evidence=better)
    assert likeliest([best, likelier]).score == 0.5
    assert likeliest([best, replace(likelier, score=0.29)]).score == 0.6
    beside = replace(estimate(0.5, 0.1), evidence=better)
    assert likeliest([best, beside]).score == 0.6
    assert likeliest([]) is None
    bare = replace(best, evidence=None)
    assert likeliest([bare, likelier]).score == 0.6


def test_an_ambiguous_pose_is_doubted_for_that():
    one = estimate(confidence=0.5)
    ambiguous = replace(one, evidence=replace(EVIDENCE, rival=0.97, equals=1))
    assert reason_to_doubt(ambiguous, OPTIONS, 0.3) == (
        "ambiguous: a pose elsewhere has 0.97 times its score, so that its confidence is 0.500"
    )
    assert reason_to_doubt(replace(ambiguous, confidence=0.95), OPTIONS, 0.3) == ""
    weak = reason_to_doubt(replace(ambiguous, confidence=0.4), OPTIONS, 0.3)
    assert weak == "confidence 0.400 is below least_confidence 0.9"
