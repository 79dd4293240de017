"""The probability that a pose is right, by all that speaks for and against it."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict
from scipy.special import expit

from dense_reloc_ros.pose.evidence import FEATURES, PoseEvidence

WEIGHTS = Path(__file__).parents[1] / "weights" / "confidence.json"
SEVERAL_IMAGES = (1.5, -0.4, 14.0)
"""What the logit is where several images support a pose, each with something of its own: 1.5 times
as far from even, and higher by 14 times the spread in depth, up to MOST_DEPTH_SPREAD, less 0.4.

The weights know single images only, while a wrong pose has to explain all of these, which it does
by flat things that there are many of, as walls of bricks and windows. Fitted to the best poses of
398 rigs of two to five images, in eight rendered rooms, left-out map frames of two real ones, and
rooms that the map does not show: none of the 81 wrong ones is more likely than 0.88.
"""
MOST_DEPTH_SPREAD = 0.2


EVEN = 2.0
"""Difference of the log-odds of two poses of an image up to which either may be the right one.

In 36 rendered corridors of equal doors (`tools/equal_doors.py --seeds 21 56`) the likelier of two
poses was right in 142 of 380 images up to a difference of 2, in 25 of 38 from 2 to 3, in 34 of 39
from 3 to 5, and in all 41 from 5 on.
"""


class ConfidenceWeights(BaseModel):
    """A logistic regression on the features of `PoseEvidence`.

    What it gives is the probability that a pose is within 14% of the depth (0.25 m where things are
    1.8 m away) and 10 degrees of the truth: that it would not mislead a robot. How exact a pose is,
    its covariance says. The weights were fitted on held-out views of several scenes
    (`tools/fit_confidence.py`), each feature only in the direction in which it can speak for a
    pose.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    weights: dict[str, float]
    """Of each feature."""
    bias: float

    def logit(self, evidence: PoseEvidence) -> float:
        """The logarithm of the odds that a pose is right.

        They are as many times lower as the field of view is smaller than a keyframe's, where it is
        small: points so close to each other agree with poses from which no others could.
        """
        weights = np.array([self.weights[name] for name in FEATURES])
        return float(weights @ evidence.features() + self.bias + np.log(evidence.field_share))

    def confidence(self, evidence: PoseEvidence, offset: float) -> float:
        """The probability that a pose is right; `offset` is what the map adds to the logit.

        Where others explain the image as well, each of them may be the right one instead.
        """
        return float(expit(self.log_odds(evidence, offset))) / (1 + evidence.equals)

    def log_odds(self, evidence: PoseEvidence, offset: float = 0.0) -> float:
        """Those that a pose is right, whatever else may explain the images that support it."""
        logit = self.logit(evidence) + offset
        if evidence.images > 1:
            slope, several, of_depth = SEVERAL_IMAGES
            logit = slope * logit + several
            logit += of_depth * min(evidence.depth_spread, MOST_DEPTH_SPREAD)
        return logit

    def relative_odds(self, evidence: PoseEvidence, other: PoseEvidence) -> float:
        """How likely another pose of an image is, as a share of how likely this one is: 0 to 1."""
        difference = self.log_odds(evidence) - self.log_odds(other)
        return float(np.exp(min(0.0, EVEN - difference)))


@cache
def shipped_weights() -> ConfidenceWeights:
    """The weights that the package brings along."""
    return ConfidenceWeights.model_validate_json(WEIGHTS.read_text())
