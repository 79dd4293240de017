"""Results by systems whose answers are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from evaluation.fake_system import frames, system

from dense_reloc_ros.errors import InputError
from dense_reloc_ros.evaluation.benchmarks.condition_results import (
    condition_results,
    pooled_results,
    pose_results,
)
from dense_reloc_ros.evaluation.benchmarks.runner import (
    Condition,
    FrameRow,
    QuerySet,
    check_truth,
    run_benchmark,
)
from dense_reloc_ros.evaluation.benchmarks.systems import System, best_poses
from dense_reloc_ros.evaluation.metrics.scene_coordinates import CoordinateErrors

QUERIES = QuerySet("queries", frames())


def test_robustness_is_the_report_of_each_level_and_system():
    systems = [system("nre", [0.01, 0.03, 0.2, None]), system("re", [0.04] * 4)]
    results = condition_results(run_benchmark(systems, QUERIES, ["clean", "night"]))
    assert [(r.level, r.method) for r in results] == [
        ("clean", "nre"),
        ("clean", "re"),
        ("night", "nre"),
        ("night", "re"),
    ]
    first = results[0]
    assert (first.frames, first.localized, first.wrong) == (4, 2, 0)
    assert first.recall["2cm_2deg"] == 0.25
    assert first.recall["5cm_5deg"] == 0.5
    assert first.median_translation_m == pytest.approx(0.02)
    assert (first.map, first.keyframes, first.queries) == ("maps/map", 7, "queries")
    assert results[3].recall["5cm_5deg"] == 1.0


def test_seeds_are_other_images_of_what_is_random():
    counting = system("nre", [0.01])
    rows = run_benchmark([counting], QUERIES, ["clean", "night"], range(3))
    assert counting.localizer.calls == 4 + 3 * 4
    clean, night = condition_results(rows)
    assert (clean.seeds, clean.frames, night.seeds, night.frames) == (1, 4, 3, 12)


def test_confidences_are_those_of_the_poses():
    doubtful = system("nre", [0.01, 0.03, 0.3, None], confidence=0.5)
    rows = run_benchmark([doubtful, system("re", [0.01])], QUERIES)
    first, second = condition_results(rows)
    assert first.calibration.frames == 3
    assert first.calibration.expected_calibration_error == pytest.approx(2 / 3 - 0.5)
    assert second.calibration is None


def test_errors_count_in_what_counts_as_a_metre():
    """In a scene of extent 20, a metre and 2 metres are 5% and 10% of it."""
    scene = QuerySet("yard", frames(), metre=20.0)
    rows = run_benchmark([System(_far(), system("nre", []).map, best_poses)], scene)
    (result,) = condition_results(rows)
    assert result.recall["5cm_5deg"] == 0.5
    assert result.recall["25cm_2deg"] == 1.0
    assert result.median_translation_m == pytest.approx(0.075)
    assert result.wrong == 0


def _far():
    return system("nre", [1.0, 2.0]).localizer


def pose_results_of(*systems: System, level: str = "clean"):
    unverified = [replace(one, start=best_poses) for one in systems]
    return pose_results(run_benchmark(unverified, QUERIES, [level]))


def test_poses_count_whether_they_are_published_or_not():
    (result,) = pose_results_of(system("nre", [0.01, 0.03, 0.2, None]))
    assert result.frames == 4
    assert result.outside == {"2cm_2deg": 0.75, "5cm_5deg": 0.5, "25cm_10deg": 0.25}


def test_deterioration_is_relative_to_nre_on_the_same_level_and_map():
    on_map, reference, elsewhere = pose_results_of(
        system("re", [0.03, 0.03, 0.03, None]),
        system("nre", [0.01, 0.03, 0.03, 0.03]),
        system("re", [0.03] * 4, map_name="other"),
        level="dim",
    )
    assert on_map.deterioration["2cm_2deg"] == pytest.approx(1 / 0.75 - 1)
    assert on_map.deterioration["5cm_5deg"] is None  # NRE is never outside
    assert reference.deterioration == dict.fromkeys(reference.outside, 0.0)
    assert elsewhere.deterioration == dict.fromkeys(elsewhere.outside)


def test_frames_without_true_poses_cannot_be_compared():
    with pytest.raises(InputError, match="--ground-truth"):
        check_truth(frames(known=False))


@pytest.fixture
def rows(make_record) -> list[FrameRow]:
    """Two scenes by single images and as videos, of which only the first one's has errors."""
    near = CoordinateErrors(np.full(10, 0.01, np.float32), np.array([0.1, 0.3]))
    far = CoordinateErrors(np.full(30, 0.2, np.float32), np.array([0.3, 0.5]))
    first = [make_record(k, 0.01, coordinate_errors=near) for k in range(3)]
    second = [make_record(0, 0.3, coordinate_errors=far), make_record(1, localized=False)]
    room = Condition("dsm_compact", "single", "cpu", "room/map", "00ff", 40, "room")
    other = Condition("dsm_compact", "single", "cpu", "other/map", "ff00", 25, "other")
    runs = [
        (room, first),
        (replace(room, way="video"), first[:1]),
        (other, second),
        (replace(other, way="video"), second[1:]),
    ]
    return [FrameRow(condition, record) for condition, records in runs for record in records]


def test_all_scenes_together_are_all_of_their_frames(rows):
    single, video = pooled_results(rows)
    assert (single.queries, single.way, single.keyframes) == ("all", "single", 65)
    assert (single.frames, single.localized, single.wrong) == (5, 4, 1)
    assert single.recall["5cm_5deg"] == pytest.approx(3 / 5)
    assert single.scene_coordinates.cells == 60
    # Cells weigh alike here, images in the mean of the candidates.
    assert single.scene_coordinates.within["10cm"] == pytest.approx(0.5)
    assert single.scene_coordinates.candidates_m == pytest.approx([0.15, 0.35])
    assert (video.way, video.frames, video.localized) == ("video", 2, 1)
    assert (single.method, single.map, single.map_revision) == ("dsm_compact", "all", "")


def test_a_scene_alone_has_its_own_numbers(rows):
    results = condition_results(rows)
    assert [(r.queries, r.way) for r in results] == [
        ("room", "single"),
        ("room", "video"),
        ("other", "single"),
        ("other", "video"),
    ]
    result = results[2]
    assert (result.keyframes, result.frames, result.map_revision) == (25, 2, "ff00")
    assert result.scene_coordinates.median_m == pytest.approx(0.2)
    assert results[3].scene_coordinates is None
