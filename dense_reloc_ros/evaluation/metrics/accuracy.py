"""The numbers of an evaluation: errors over localized frames, recalls over all frames."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dense_reloc_ros.evaluation.metrics.frame_record import FrameRecord
from dense_reloc_ros.geometry.se3 import PoseError


@dataclass(frozen=True)
class Threshold:
    """The largest error that counts as within: metres and degrees, both must hold."""

    translation_m: float
    rotation_deg: float

    def holds(self, error: PoseError) -> bool:
        return (
            error.translation <= self.translation_m
            and math.degrees(error.rotation) <= self.rotation_deg
        )


RECALL_THRESHOLDS: Mapping[str, Threshold] = {
    "5cm_5deg": Threshold(0.05, 5.0),
    "2cm_2deg": Threshold(0.02, 2.0),
    "25cm_2deg": Threshold(0.25, 2.0),
    "25cm_5deg": Threshold(0.25, 5.0),
    "50cm_5deg": Threshold(0.5, 5.0),
    "5m_10deg": Threshold(5.0, 10.0),
}
WRONG = Threshold(0.25, 10.0)
"""A published pose outside this is wrong: it would mislead a robot."""


@dataclass(frozen=True)
class Accuracy:
    """How well the frames that have a ground truth were localized.

    Medians and means are over localized frames, recalls over all; None over no frames.
    """

    evaluated: int
    """Frames with a ground truth."""
    wrong: int | None
    """Published poses outside `WRONG`."""
    median_translation_m: float | None
    """Of the published poses."""
    median_rotation_deg: float | None
    """Of the published poses."""
    mean_translation_m: float | None
    """Of the published poses."""
    mean_rotation_deg: float | None
    """Of the published poses."""
    recall: Mapping[str, float] | None
    nees_over_6_median: float | None
    """Median squared error in units of the published covariance, divided by 6; about 1 is right."""


def accuracy(records: Sequence[FrameRecord]) -> Accuracy:
    """The accuracy over the frames with a ground truth."""
    evaluated = [record for record in records if record.ground_truth is not None]
    errors = [record.error for record in evaluated if record.error is not None]
    translations = [error.translation for error in errors]
    rotations = [math.degrees(error.rotation) for error in errors]
    normalized = [r.normalized_error for r in evaluated if r.normalized_error is not None]
    return Accuracy(
        evaluated=len(evaluated),
        wrong=sum(not WRONG.holds(error) for error in errors) if evaluated else None,
        median_translation_m=_median(translations),
        median_rotation_deg=_median(rotations),
        mean_translation_m=_mean(translations),
        mean_rotation_deg=_mean(rotations),
        recall={
            name: sum(threshold.holds(error) for error in errors) / len(evaluated)
            for name, threshold in RECALL_THRESHOLDS.items()
        }
        if evaluated
        else None,
        nees_over_6_median=_median(normalized),
    )


@dataclass(frozen=True)
class Duration:
    """Milliseconds over the frames of a run."""

    median: float
    p95: float

    @staticmethod
    def of(milliseconds: Sequence[float]) -> Duration:
        """The duration over at least one measured value."""
        return Duration(float(np.median(milliseconds)), float(np.percentile(milliseconds, 95)))


def stage_durations(records: Sequence[FrameRecord]) -> dict[str, Duration]:
    """The duration of each stage over the frames that reached it, in the order of the pipeline."""
    milliseconds: dict[str, list[float]] = {}
    for record in records:
        for stage, value in record.stage_milliseconds.items():
            milliseconds.setdefault(stage, []).append(value)
    return {stage: Duration.of(values) for stage, values in milliseconds.items()}


def _median(values: Sequence[float]) -> float | None:
    return float(np.median(values)) if values else None


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None
