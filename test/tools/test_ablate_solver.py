"""What the table of an ablation says of rows whose numbers are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from loaded_tool import loaded

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def tool():
    with loaded("ablate_solver") as module:
        yield module


def rows_of(tool, variant, *frames):
    """Rows of frames told by (published, metres, seconds)."""
    return [
        tool.Row("kitchen", "kitchen_0", "clean", str(n), variant, published, metres, 1.0, seconds)
        for n, (published, metres, seconds) in enumerate(frames)
    ]


def test_variants_are_compared_frame_by_frame(tool):
    default = rows_of(tool, "default", (True, 0.02, 1.0), (True, 0.04, 1.0), (False, 0.5, 2.0))
    variant = rows_of(tool, "x=1", (True, 0.01, 1.0), (False, 0.04, 1.0), (True, 0.4, 4.0))
    found = tool.Comparison("kitchen", "x=1", variant, default)
    assert (found.share(0.05, published=True), found.share(0.05, published=False)) == (
        "0.333",
        "0.667",
    )
    assert found.median == "4.00"
    assert found.wrong == "1 of 2"
    # Ratios 0.5 and 1; the third frame is right by none.
    assert found.error_ratio == f"{np.sqrt(0.5):.3f} ± {np.log(2) / 2 / np.sqrt(2):.3f}"
    assert found.time_ratio == "1.50"


def test_rows_are_read_as_they_were_written(tool, tmp_path):
    rows = rows_of(tool, "default", (True, 0.02, 1.0), (False, np.inf, 2.0))
    tool.write(tmp_path / "rows.csv", rows)
    assert tool.read(tmp_path / "rows.csv") == rows
    assert tool.read(tmp_path / "none.csv") == []
