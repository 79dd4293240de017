"""The probability that a pose is right, by all that speaks for and against it."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict
from scipy.special import expit

from dense_reloc_ros.pose.evidence import FEATURES, PoseEvidence

WEIGHTS = Path(__file__).parents[1] / "weights" / "confidence.json"
SEVERAL_IMAGES = (1.5, 1.3)
"""Slope and offset of the logit where several images support a pose, each with something of its
own: a wrong pose has to explain all of them, while the weights know single images only.

Fitted to the best poses of 398 rigs of two to five images, in eight rendered rooms, left-out map
frames of two real ones, and rooms that the map does not show, they would be 1.5 and 1.6. The offset
is lower so that none of the 81 wrong poses among them would be published.
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
        logit = self.logit(evidence) + offset
        if evidence.images > 1:
            slope, several = SEVERAL_IMAGES
            logit = slope * logit + several
        return float(expit(logit)) / (1 + evidence.equals)


@cache
def shipped_weights() -> ConfidenceWeights:
    """The weights that the package brings along."""
    return ConfidenceWeights.model_validate_json(WEIGHTS.read_text())
