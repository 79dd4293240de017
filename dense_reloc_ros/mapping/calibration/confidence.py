"""How probable it is that a pose is right, by its score."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.scene.scene_map import ConfidenceCurve

START = (10.0, -4.0)
"""Slope and offset that the fit begins with; its minimum is the only one."""


def fit_confidence(scores: Sequence[float], is_right: Sequence[bool]) -> ConfidenceCurve:
    """The logistic curve of the scores of poses that are right or not (Platt 1999).

    Targets are Platt's, which are not quite 0 and 1: a few poses do not prove that none of the
    same score will ever be different. By its definition a score of 0 is one of a wrong pose and 1
    one of a right pose; each counts as one more pose, so that there always are both kinds.
    """
    values = np.array([0.0, 1.0, *scores])
    targets = platt_targets(np.array([False, True, *is_right]))

    def cross_entropy(parameters: FloatArray) -> tuple[float, FloatArray]:
        logits = parameters[0] * values + parameters[1]
        residuals = expit(logits) - targets
        value = float((np.logaddexp(0.0, logits) - targets * logits).sum())
        return value, np.array([residuals @ values, residuals.sum()])

    rising = ((0.0, None), (None, None))
    slope, offset = minimize(cross_entropy, START, jac=True, bounds=rising).x.tolist()
    return ConfidenceCurve(slope=slope, offset=offset)


def platt_targets(is_right: NDArray[np.bool_]) -> FloatArray:
    """What a curve should say of poses (N,): the means of Laplace's rule of succession."""
    right = int(is_right.sum())
    wrong = len(is_right) - right
    return np.where(is_right, (right + 1) / (right + 2), 1 / (wrong + 2))
