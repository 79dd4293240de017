"""Factors of covariances from errors that are too large or small by a known factor."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chi2

from dense_reloc_ros.mapping.calibration.covariance_fit import PRIOR_VIEWS, fit_covariance_factor
from dense_reloc_ros.mapping.calibration.outcomes import Outcome
from dense_reloc_ros.pose.evidence import PoseEvidence

EVIDENCE = PoseEvidence(0.5, 100, 200, 0.5, 0.5, 0.3, 0.01, 0.01, 0.1)


def outcomes(normalized_errors: np.ndarray, depth_share: float = 0.01) -> list[Outcome]:
    return [Outcome(EVIDENCE, 0.5, depth_share, 0.01, e) for e in normalized_errors.tolist()]


@pytest.mark.parametrize("factor", [0.3, 1.0, 20.0])
def test_errors_are_scaled_to_their_covariance(factor):
    errors = factor * chi2.ppf((np.arange(4000) + 0.5) / 4000, df=6)
    assert fit_covariance_factor(outcomes(errors)) == pytest.approx(factor, rel=0.01)


def test_wrong_poses_say_nothing_about_covariances():
    right = outcomes(chi2.ppf((np.arange(1000) + 0.5) / 1000, df=6))
    wrong = outcomes(np.full(500, 1e6), depth_share=0.2)
    assert fit_covariance_factor([*right, *wrong]) == pytest.approx(1.0, rel=0.02)
    assert fit_covariance_factor(wrong) == 1.0


def test_few_views_are_believed_half():
    few = outcomes(np.full(int(PRIOR_VIEWS), 100 * chi2.ppf(0.8, df=6)))
    assert fit_covariance_factor(few) == pytest.approx(10.0)
