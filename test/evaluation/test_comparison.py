"""Comparisons by contenders whose answers are known."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from dense_reloc_ros.errors import InputError
from dense_reloc_ros.evaluation.comparison import compare_poses, compare_robustness
from dense_reloc_ros.evaluation.contenders import Contender
from dense_reloc_ros.evaluation.speed import time_in_turns
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.localization import Localization, PoseEstimate, Status
from dense_reloc_ros.scene.sources.source_frame import SourceFrame

CAMERA = Camera(32, 24, 30.0, 30.0, 15.5, 11.5)


class OffByMetres:
    """Answers frame after frame with poses that are off along x; None is no pose.

    Poses off by more than 10 cm are rejected. `log` gets its name at every call.
    """

    device = torch.device("cpu")
    scene_map = SimpleNamespace(keyframe_count=7, information=SimpleNamespace(revision="00ff"))

    def __init__(self, method: str, errors: list[float | None], log: list[str]) -> None:
        self.method = method
        self.errors = errors
        self.log = log
        self.calls = 0

    def localize(self, image: np.ndarray, camera: Camera) -> Localization:
        self.log.append(self.method)
        metres = self.errors[self.calls % len(self.errors)]
        self.calls += 1
        if metres is None:
            return Localization(Status.NO_CANDIDATES, "nothing matches")
        T_map_camera = np.eye(4)
        T_map_camera[0, 3] = metres
        estimate = PoseEstimate(T_map_camera, np.eye(6), 0.5, np.arange(3), (0,))
        if metres > 0.1:
            return Localization(Status.REJECTED, "score 0.5 is below 0.6", estimate)
        return Localization(Status.LOCALIZED, "", estimate, {"pose": 1.0})


def contender(
    method: str, errors: list[float | None], log: list[str] | None = None, map_name: str = "map"
) -> Contender:
    localizer = OffByMetres(method, errors, [] if log is None else log)
    return Contender(localizer, Path("maps") / map_name)


def frames(count: int = 4, known: bool = True) -> list[SourceFrame]:
    image = np.full((CAMERA.height, CAMERA.width, 3), 128, np.uint8)
    truth = np.eye(4) if known else None
    return [
        SourceFrame(f"frame-{k:06d}", k / 30, CAMERA, truth, lambda: image) for k in range(count)
    ]


def test_robustness_is_the_report_of_each_level_and_contender():
    contenders = [contender("nre", [0.01, 0.03, 0.2, None]), contender("re", [0.04] * 4)]
    results = compare_robustness(contenders, frames(), ["clean", "night"], "queries")
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


def test_poses_count_whether_they_are_published_or_not():
    (result,) = compare_poses([contender("nre", [0.01, 0.03, 0.2, None])], frames(), ["clean"])
    assert result.frames == 4
    assert result.outside == {"2cm_2deg": 0.75, "5cm_5deg": 0.5, "25cm_10deg": 0.25}


def test_deterioration_is_relative_to_nre_on_the_same_level_and_map():
    contenders = [
        contender("re", [0.03, 0.03, 0.03, None]),
        contender("nre", [0.01, 0.03, 0.03, 0.03]),
        contender("re", [0.03] * 4, map_name="other"),
    ]
    on_map, reference, elsewhere = compare_poses(contenders, frames(), ["dim"])
    assert on_map.deterioration["2cm_2deg"] == pytest.approx(1 / 0.75 - 1)
    assert on_map.deterioration["5cm_5deg"] is None  # NRE is never outside
    assert reference.deterioration == dict.fromkeys(reference.outside, 0.0)
    assert elsewhere.deterioration == dict.fromkeys(elsewhere.outside)


def test_frames_without_true_poses_cannot_be_compared():
    with pytest.raises(InputError, match="--ground-truth"):
        compare_robustness([contender("nre", [0.0])], frames(known=False), ["clean"], "queries")


def test_every_frame_goes_to_all_contenders_before_the_next_one():
    log: list[str] = []
    contenders = [contender("a", [0.0, 0.01, 0.02], log), contender("b", [0.0], log)]
    first, second = time_in_turns(contenders, frames(3), warm_up=1)
    assert log == ["a", "b"] * 3
    assert [record.name for record in first] == ["frame-000001", "frame-000002"]
    assert [record.error.translation for record in first] == pytest.approx([0.01, 0.02])
    assert len(second) == 2
    assert all(record.latency_milliseconds > 0 for record in first + second)


def test_warming_up_must_leave_frames_to_time():
    with pytest.raises(InputError, match="2 frames are too few"):
        time_in_turns([contender("a", [0.0])], frames(2), warm_up=2)
