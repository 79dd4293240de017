"""Whether confidences hold: of the poses given 90%, nine of ten should be right."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict

from dense_reloc_ros.evaluation.metrics.accuracy import WRONG
from dense_reloc_ros.evaluation.metrics.frame_record import FrameRecord

BINS = 10
"""Of equal width, from 0 to 1."""


class ReliabilityBin(BaseModel):
    """Poses of about the same confidence."""

    model_config = ConfigDict(frozen=True)

    frames: int
    """How many there are."""
    confidence: float
    """Their mean."""
    right: float
    """Share of them that are within 0.25 m and 10 degrees."""


class Reliability(BaseModel):
    """The confidences of a run against the truth, with poses that were found but not published."""

    model_config = ConfigDict(frozen=True)

    frames: int
    """With a pose, a confidence and a ground truth."""
    expected_calibration_error: float
    """Mean over these frames of |confidence - share that is right| of their bins."""
    bins: tuple[ReliabilityBin, ...]
    """Those of ten bins of equal width that are not empty."""


def reliability(records: Sequence[FrameRecord]) -> Reliability | None:
    """How well the confidences hold; None where no frame has both a confidence and the truth."""
    judged = [
        (record.confidence, WRONG.holds(record.found_error))
        for record in records
        if record.confidence is not None and record.found_error is not None
    ]
    if not judged:
        return None
    confidences, is_right = np.array(judged).T
    index = np.minimum((confidences * BINS).astype(int), BINS - 1)
    bins = tuple(
        ReliabilityBin(
            frames=int(members.sum()),
            confidence=float(confidences[members].mean()),
            right=float(is_right[members].mean()),
        )
        for members in (index == i for i in range(BINS))
        if members.any()
    )
    return Reliability(
        frames=len(judged),
        expected_calibration_error=sum(b.frames * abs(b.confidence - b.right) for b in bins)
        / len(judged),
        bins=bins,
    )
