from __future__ import annotations

import math

import pytest

from dense_reloc_ros.errors import ConfigurationError
from dense_reloc_ros.training.run_progress import (
    CurvePoint,
    best_point,
    curve_as_csv,
    validations_since_best,
)


def curve(name: str, *values: float) -> list[CurvePoint]:
    return [CurvePoint(10 * i, i / 4, {name: value}) for i, value in enumerate(values)]


@pytest.mark.parametrize(
    ("metric", "values", "best", "waited"),
    [
        ("loss", (3.0, 1.0, 2.0), 10, 1),
        ("fine_median_px", (3.0, 4.0, 5.0), 0, 2),
        ("coarse_1_cell", (0.3, 0.1, 0.4), 20, 0),
        ("place_recall", (0.3, 0.3, 0.3), 0, 2),
        ("loss", (math.nan, 5.0, math.nan), 10, 1),
        ("coarse_2_cells", (math.nan, math.nan), 0, 1),
    ],
)
def test_the_best_point(metric, values, best, waited):
    points = curve(metric, *values)
    point = best_point(points, metric)
    assert point is not None and point.step == best
    assert validations_since_best(points, metric) == waited


def test_without_a_metric_the_last_point_is_the_best():
    points = curve("loss", 1.0, 3.0)
    assert best_point(points, None) is points[-1]
    assert validations_since_best(points, None) == 0


def test_empty_curves_have_no_best_point():
    assert best_point([], "loss") is None
    assert best_point([], None) is None
    assert validations_since_best([], "loss") == 0


def test_unknown_metrics_are_an_error():
    with pytest.raises(ConfigurationError, match=r"'speed' \(there are: loss\)"):
        best_point(curve("loss", 1.0), "speed")


def test_table():
    table = curve_as_csv(curve("loss", 0.5, 0.123456789))
    assert table == "step,minutes,loss\n0,0.00,0.5\n10,0.25,0.123457\n"
