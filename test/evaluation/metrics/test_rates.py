"""The bound on a rate that a count leaves."""

from __future__ import annotations

import pytest
from scipy.stats import binom

from dense_reloc_ros.evaluation.metrics.rates import largest_rate


def test_no_event_in_many_trials_leaves_three_in_as_many():
    assert largest_rate(0, 10_000) == pytest.approx(3 / 10_000, rel=0.01)
    assert largest_rate(0, 10_000) == pytest.approx(1 - 0.05 ** (1 / 10_000))


@pytest.mark.parametrize(("events", "trials"), [(1, 100), (5, 30), (29, 30)])
def test_so_few_events_would_be_rare_at_the_bound(events, trials):
    assert binom.cdf(events, trials, largest_rate(events, trials)) == pytest.approx(0.05)


def test_without_trials_nothing_is_known():
    assert largest_rate(0, 0) == 1.0
    assert largest_rate(3, 3) == 1.0
