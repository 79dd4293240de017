"""Right or silent: which poses are published, and why others are not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.special import expit

from dense_reloc_ros.configuration import VerificationConfiguration
from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.se3 import pose_error
from dense_reloc_ros.localization.result import PoseEstimate
from dense_reloc_ros.pose.confidence import shipped_weights

WRONG_DEPTH_SHARE = 0.14
"""A pose that is further off, relative to the depth of what it sees, would mislead a robot: in a
room, where things are 1.8 m away, by 0.25 m."""
WRONG_RADIANS = float(np.deg2rad(10.0))
LARGEST_DEPTH_SHARE = 0.07
"""Of the depth: a pose is not published that is expected to be further off, where no metres are
configured. Half of what is wrong."""
STRONG_RIVAL = 0.5
"""Share of a pose's score from which on one that contradicts it may be the right one instead.

Of 333 held-out views of nine scenes whose pose is sure and right (in the cache of
`tools/fit_confidence.py`), no rival has more than 0.36; in corridors of equal doors 21 to 56
(`tools/equal_doors.py`) they have 0.6 and more.
"""
SCORE_CURVE = (14.0, -6.0)
"""Slope and offset of the logit by the score, for methods that have nothing else."""


def likeliest(estimates: Sequence[PoseEstimate]) -> PoseEstimate | None:
    """The best of some poses of an image, its evidence with what those have that contradict it.

    That is the pose of the highest score; or of those that contradict it, and have a comparable
    one, the likeliest, if that is likelier.
    """
    best = max(estimates, key=lambda estimate: estimate.score, default=None)
    if best is None:
        return None
    rivals = _strong_rivals(best, estimates)
    return with_rivals(max([best, *rivals], key=_log_odds) if rivals else best, estimates)


def with_rivals(best: PoseEstimate, estimates: Sequence[PoseEstimate]) -> PoseEstimate:
    """An estimate, its evidence with what the poses have that contradict it, one of each place.

    Poses that would not be wrong if this one is right do not contradict it: places whose keyframes
    share no points may still show the same things.
    """
    if best.evidence is None or best.depth is None or best.score <= 0:
        return best
    contradicting = [one for one in estimates if contradict(best, one, best.depth)]
    places: list[PoseEstimate] = []
    for other in sorted(_strong_rivals(best, estimates), key=_log_odds, reverse=True):
        if all(contradict(one, other, best.depth) for one in places):
            places.append(other)
    odds = shipped_weights().relative_odds
    evidence = replace(
        best.evidence,
        rival=max((other.score / best.score for other in contradicting), default=0.0),
        equals=sum(odds(best.evidence, one.evidence) for one in places if one.evidence),
    )
    return replace(best, evidence=evidence)


def _strong_rivals(best: PoseEstimate, estimates: Sequence[PoseEstimate]) -> list[PoseEstimate]:
    """The poses with evidence that contradict one, and explain the image about as well."""
    if best.evidence is None or best.depth is None:
        return []
    return [
        one
        for one in estimates
        if one.evidence is not None
        and one.score >= STRONG_RIVAL * best.score
        and contradict(best, one, best.depth)
    ]


def _log_odds(estimate: PoseEstimate) -> float:
    """Those of an estimate with evidence."""
    assert estimate.evidence is not None
    return shipped_weights().log_odds(estimate.evidence)


def contradict(one: PoseEstimate, other: PoseEstimate, depth: float) -> bool:
    """Whether one of two poses is wrong if the other one is right, things being `depth` away."""
    off = pose_error(one.T_map_camera, other.T_map_camera)
    return off.translation > WRONG_DEPTH_SHARE * depth or off.rotation > WRONG_RADIANS


def confidence_of_score(score: float) -> float:
    """The probability that a pose of this score is right, where nothing else is known of it."""
    slope, offset = SCORE_CURVE
    return float(expit(slope * score + offset))


def expected_errors(covariance: FloatArray) -> tuple[float, float]:
    """Root mean square error of the position in metres and of the rotation in radians.

    `covariance` (6, 6) is that of a pose in ROS order.
    """
    variances = np.diag(covariance)
    return float(np.sqrt(variances[:3].sum())), float(np.sqrt(variances[3:].sum()))


def reason_to_doubt(
    estimate: PoseEstimate, options: VerificationConfiguration, score_threshold: float
) -> str:
    """Why a judged estimate is not to be published; empty where it is.

    A score below `score_threshold` counts where a method has no other evidence, or where the
    configuration sets one.
    """
    counts = estimate.evidence is None or options.score_threshold is not None
    if counts and estimate.score < score_threshold:
        return f"score {estimate.score:.2f} is below the threshold {score_threshold:.2f}"
    if estimate.evidence is None:
        return ""
    confidence, evidence = estimate.confidence or 0.0, estimate.evidence
    if confidence < options.least_confidence:
        # Of poses that are doubted anyway, the rivals are no reason.
        if evidence.equals and (1 + evidence.equals) * confidence >= options.least_confidence:
            return (
                f"ambiguous: a pose elsewhere has {evidence.rival:.2f} times its score, so that "
                f"its confidence is {confidence:.3f}"
            )
        return f"confidence {confidence:.3f} is below least_confidence {options.least_confidence:g}"
    metres, radians = expected_errors(estimate.covariance)
    largest = options.largest_error_m or LARGEST_DEPTH_SHARE * (estimate.depth or np.inf)
    if metres > largest:
        return f"the expected error of the position, {metres:.2g} m, exceeds {largest:.2g} m"
    degrees = float(np.rad2deg(radians))
    if degrees > options.largest_error_deg:
        limit = options.largest_error_deg
        return f"the expected error of the rotation, {degrees:.1f} degrees, exceeds {limit:g}"
    return ""
