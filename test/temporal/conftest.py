"""A robot that the filter follows."""

from __future__ import annotations

import numpy as np
import pytest
from temporal.moving_body import (
    Moment,
    walk,
    without_odometry,
)


@pytest.fixture(params=["odometry", "velocity"])
def moments(request) -> list[Moment]:
    """A robot that walks on slowly, with odometry and without."""
    some = list(walk(60, 0.01, np.random.default_rng(7), length=0.02, turn=0.01))
    return some if request.param == "odometry" else without_odometry(some)
