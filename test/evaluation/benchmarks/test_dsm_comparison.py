"""Numbers of single images and videos, scene by scene and together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dense_reloc_ros.evaluation.benchmarks.dsm_comparison import Run, pooled
from dense_reloc_ros.evaluation.metrics.scene_coordinates import CoordinateErrors
from dense_reloc_ros.evaluation.report.summary import RunInformation

INFORMATION = RunInformation("dsm_compact", "cpu", "00ff", "room/map", "room", "localize")


@pytest.fixture
def runs(make_record) -> list[Run]:
    """Two scenes by single images and as videos, of which only the first one's has errors."""
    near = CoordinateErrors(np.full(10, 0.01, np.float32), np.array([0.1, 0.3]))
    far = CoordinateErrors(np.full(30, 0.2, np.float32), np.array([0.3, 0.5]))
    first = [make_record(k, 0.01, coordinate_errors=near) for k in range(3)]
    second = [make_record(0, 0.3, coordinate_errors=far), make_record(1, localized=False)]
    other = replace(INFORMATION, queries="other", map_revision="ff00")
    return [
        Run("room", INFORMATION, False, 40, first),
        Run("room", INFORMATION, True, 40, first[:1]),
        Run("other", other, False, 25, second),
        Run("other", other, True, 25, second[1:]),
    ]


def test_all_scenes_together_are_all_of_their_frames(runs):
    single, video = (run.result() for run in pooled(runs))
    assert (single.scene, single.is_video, single.keyframes) == ("all", False, 65)
    assert (single.frames, single.localized, single.wrong) == (5, 4, 1)
    assert single.recall["5cm_5deg"] == pytest.approx(3 / 5)
    assert single.scene_coordinates.cells == 60
    # Cells weigh alike here, images in the mean of the candidates.
    assert single.scene_coordinates.within["10cm"] == pytest.approx(0.5)
    assert single.scene_coordinates.candidates_m == pytest.approx([0.15, 0.35])
    assert (video.is_video, video.frames, video.localized) == (True, 2, 1)
    assert (single.method, single.queries) == ("dsm_compact", "all")


def test_a_run_alone_has_its_own_numbers(runs):
    result = runs[2].result()
    assert (result.scene, result.keyframes, result.frames) == ("other", 25, 2)
    assert (result.queries, result.map_revision) == ("other", "ff00")
    assert result.scene_coordinates.median_m == pytest.approx(0.2)
    assert runs[3].result().scene_coordinates is None
    assert [run.label for run in runs[:2]] == ["dsm_compact, single", "dsm_compact, video"]
