"""How well a score or a confidence tells wrong poses from others (Geifman and El-Yaniv, 2017)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from dense_reloc_ros.evaluation.metrics.accuracy import WRONG
from dense_reloc_ros.evaluation.metrics.frame_record import FrameRecord

FloatArray = NDArray[np.float64]
Value = Callable[[FrameRecord], float | None]


@dataclass(frozen=True)
class RiskCoverage:
    """What publishing the K poses of the highest values means, for K = 1, 2, …, all found."""

    values: FloatArray
    """(K,): the lowest value that is published."""
    coverage: FloatArray
    """(K,): share of all frames with a ground truth that get a pose."""
    risk: FloatArray
    """(K,): share of these poses that are wrong, more than 0.25 m or 10 degrees off."""


def risk_coverage(records: Sequence[FrameRecord], value: Value) -> RiskCoverage | None:
    """The curve over the poses that were found, published or not; None without any."""
    values, is_wrong = _found(records, value)
    if not len(values):
        return None
    order = np.argsort(-values, kind="stable")
    wrong = np.cumsum(is_wrong[order])
    count = np.arange(1, len(values) + 1)
    evaluated = sum(record.ground_truth is not None for record in records)
    return RiskCoverage(values[order], count / evaluated, wrong / count)


def auroc(records: Sequence[FrameRecord], value: Value) -> float | None:
    """The probability that a pose that is not wrong has a higher value than a wrong one.

    None where all poses that were found are wrong, or none is. Equal values count half.
    """
    values, is_wrong = _found(records, value)
    wrong, others = int(is_wrong.sum()), int((~is_wrong).sum())
    if not wrong or not others:
        return None
    ranks = rankdata(values)[~is_wrong].sum()
    return float((ranks - others * (others + 1) / 2) / (others * wrong))


def _found(records: Sequence[FrameRecord], value: Value) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Values (N,) of the poses found, and which of these are wrong."""
    pairs = [
        (given, not WRONG.holds(record.found_error))
        for record in records
        if (given := value(record)) is not None and record.found_error is not None
    ]
    return np.array([v for v, _ in pairs], dtype=np.float64), np.array([w for _, w in pairs], bool)
