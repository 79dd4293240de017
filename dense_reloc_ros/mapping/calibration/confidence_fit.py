"""Fits how probable it is that a pose is right: over many scenes, and what one map differs by."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize, minimize_scalar
from scipy.special import expit

from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.mapping.calibration.outcomes import Outcome
from dense_reloc_ros.pose.confidence import ConfidenceWeights
from dense_reloc_ros.pose.evidence import FEATURES

STRENGTH = 1.0
"""Of the prior that the weights of features scaled to unit deviation are small."""
OFFSET_DEVIATION = 0.5
"""How much maps are expected to differ, in logits, before any of their own views is seen."""


def fit_weights(scenes: Sequence[Sequence[Outcome]]) -> ConfidenceWeights:
    """The logistic regression of the outcomes of several scenes, each of which counts the same.

    A weight has the sign that `FEATURES` says or is 0: on few scenes more evidence may speak
    against a pose by chance.
    """
    features = np.concatenate([[o.evidence.features() for o in scene] for scene in scenes])
    targets = np.concatenate([[o.is_right for o in scene] for scene in scenes]).astype(float)
    importance = np.concatenate([np.full(len(scene), 1 / len(scene)) for scene in scenes])
    importance *= len(importance) / importance.sum()
    means, deviations = features.mean(0), features.std(0).clip(min=1e-6)
    scaled = (features - means) / deviations

    def cost(parameters: FloatArray) -> tuple[float, FloatArray]:
        weights, bias = parameters[:-1], parameters[-1]
        logits = scaled @ weights + bias
        residuals = importance * (expit(logits) - targets)
        value = importance @ (np.logaddexp(0.0, logits) - targets * logits)
        gradient = np.append(residuals @ scaled + STRENGTH * weights, residuals.sum())
        return float(value + 0.5 * STRENGTH * weights @ weights), gradient

    bounds = [(0.0, None) if sign > 0 else (None, 0.0) for sign in FEATURES.values()]
    start = np.zeros(len(FEATURES) + 1)
    found = minimize(cost, start, jac=True, bounds=[*bounds, (None, None)]).x
    weights = found[:-1] / deviations
    return ConfidenceWeights(
        weights=dict(zip(FEATURES, weights.tolist(), strict=True)),
        bias=float(found[-1] - weights @ means),
    )


def fit_offset(weights: ConfidenceWeights, outcomes: Sequence[Outcome]) -> float:
    """What a map adds to the logits, drawn to 0 as far as its own views say little."""
    if not outcomes:
        return 0.0
    logits = np.array([weights.logit(outcome.evidence) for outcome in outcomes])
    targets = np.array([outcome.is_right for outcome in outcomes])

    def cost(offset: float) -> float:
        moved = logits + offset
        likelihood = (np.logaddexp(0.0, moved) - targets * moved).sum()
        return float(likelihood + 0.5 * (offset / OFFSET_DEVIATION) ** 2)

    return float(minimize_scalar(cost, bounds=(-5.0, 5.0), method="bounded").x)


def calibration_error(
    confidences: NDArray[np.float64], is_right: NDArray[np.bool_], bins: int = 10
) -> float:
    """The expected calibration error: how far shares of right poses are from their confidence."""
    index = np.minimum((confidences * bins).astype(int), bins - 1)
    members = [index == i for i in range(bins)]
    gaps = [abs((confidences[m] - is_right[m]).sum()) for m in members if m.any()]
    return float(sum(gaps) / len(confidences))
