"""The table of `bench rigs`, from rows whose errors are known."""

from __future__ import annotations

import numpy as np
import pytest
from nodes.fake_localizer import localized

from dense_reloc_ros.evaluation.benchmarks.rig_results import RigRow, rig_results
from dense_reloc_ros.geometry.se3 import rigid
from dense_reloc_ros.localization.result import Localization, Status

LOST = Localization(Status.REJECTED, "made up")


def row(rig: str, off: float | None, milliseconds: float = 100.0) -> RigRow:
    """Off by metres along x, with a standard deviation of 1 cm and radian; None is lost."""
    truth = rigid(np.eye(3), np.array([1.0, 2.0, 3.0]))
    if off is None:
        return RigRow(rig, LOST, truth, milliseconds)
    found = truth.copy()
    found[0, 3] += off
    return RigRow(rig, localized(found, 1e-4 * np.eye(6)), truth, milliseconds)


def test_each_rig_has_its_shares_errors_and_time() -> None:
    rows = [
        *(row("one", off) for off in (0.01, None, None, 0.3)),
        *(row("two", off, 250.0) for off in (0.02, 0.02, 0.1, None)),
    ]
    one, two = rig_results(rows)
    assert (one.rig, one.moments, one.localized, one.within_5cm_5deg) == ("one", 4, 0.25, 0.25)
    assert (one.wrong, two.wrong) == (1, 0)
    assert (two.localized, two.within_5cm_5deg) == (0.75, 0.5)
    assert two.median_cm == pytest.approx(2.0)
    assert two.nees == pytest.approx((4 + 4 + 100) / 3)
    assert (one.times_one, two.times_one) == (1.0, 2.5)


def test_a_rig_that_is_never_found_has_no_errors() -> None:
    (result,) = rig_results([row("one", None)])
    assert (result.localized, result.median_cm, result.nees) == (0.0, None, None)
