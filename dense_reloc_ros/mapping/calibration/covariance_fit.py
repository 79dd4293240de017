"""What a map's covariances are multiplied by, as its held-out views say."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import chi2

from dense_reloc_ros.mapping.calibration.outcomes import Outcome

QUANTILE = 0.8
"""Of the normalized errors, which is brought to where it is when covariances hold: a high one, as
errors have longer tails than normal ones, and a covariance that is too small does more harm."""
PRIOR_VIEWS = 3.0
"""How many views the factor 1 of other maps counts as much as."""


def fit_covariance_factor(outcomes: Sequence[Outcome]) -> float:
    """The factor from the normalized errors (NEES) of poses that are right; 1 without any."""
    errors = [outcome.normalized_error for outcome in outcomes if outcome.is_right]
    if not errors:
        return 1.0
    own = np.log(np.quantile(errors, QUANTILE) / chi2.ppf(QUANTILE, df=6))
    return float(np.exp(own * len(errors) / (len(errors) + PRIOR_VIEWS)))
