"""What a count of rare events says about their rate."""

from __future__ import annotations

from scipy.stats import beta


def largest_rate(events: int, trials: int, confidence: float = 0.95) -> float:
    """The upper bound of a rate, one-sided and exact (Clopper and Pearson); 1 without any trial.

    It takes the trials for independent: those of the same map or image are less so.
    """
    if events >= trials:
        return 1.0
    return float(beta.ppf(confidence, events + 1, trials - events))
