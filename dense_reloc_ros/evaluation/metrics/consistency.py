"""Whether covariances hold: of the errors they allow, how many are as large as they say."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict
from scipy.stats import chi2

from dense_reloc_ros.evaluation.metrics.frame_record import FrameRecord

DEGREES_OF_FREEDOM = 6
BOUNDS: tuple[float, float] = tuple(chi2.ppf([0.025, 0.975], DEGREES_OF_FREEDOM).tolist())
"""Between these lie 95% of the NEES (normalized estimation error squared) of a pose whose
covariance is right (Bar-Shalom et al., Estimation with Applications to Tracking, 5.4)."""
UPPER = float(chi2.ppf(0.95, DEGREES_OF_FREEDOM))


class Consistency(BaseModel):
    """The NEES of the published poses."""

    model_config = ConfigDict(frozen=True)

    frames: int
    """With a pose, a covariance that is positive definite, and a ground truth."""
    within_95: float
    """Share of these whose NEES lies between its 95% bounds; 0.95 where covariances are right."""
    below_95: float
    """Share of these whose NEES is below its 95% quantile: less means covariances too small."""
    median: float
    """5.35 where covariances are right; more means covariances too small."""


def consistency(records: Sequence[FrameRecord]) -> Consistency | None:
    """How well the covariances hold; None where no frame has both a covariance and the truth."""
    normalized = [r.normalized_error for r in records if r.normalized_error is not None]
    if not normalized:
        return None
    nees = DEGREES_OF_FREEDOM * np.array(normalized)
    low, high = BOUNDS
    return Consistency(
        frames=len(nees),
        within_95=float(((nees >= low) & (nees <= high)).mean()),
        below_95=float((nees <= UPPER).mean()),
        median=float(np.median(nees)),
    )
