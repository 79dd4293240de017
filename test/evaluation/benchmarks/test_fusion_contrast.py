"""Counts on videos whose errors are written down here, and what goes to a fusion."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from evaluation.fake_system import CAMERA, OffByMetres, frames

from dense_reloc_ros.evaluation.benchmarks import systems
from dense_reloc_ros.evaluation.benchmarks.fusion_contrast import (
    FusedVideo,
    contrast,
    contrasts,
    frames_to_recovery,
    fusion_results,
)
from dense_reloc_ros.evaluation.benchmarks.runner import FrameRow, QuerySet, run_benchmark
from dense_reloc_ros.evaluation.benchmarks.systems import System, with_fusion
from dense_reloc_ros.evaluation.metrics.frame_record import FrameRecord
from dense_reloc_ros.features.extractor import DenseFeatures
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.localization.result import Localization, Status
from dense_reloc_ros.mapping.sources.source_frame import SourceFrame
from dense_reloc_ros.temporal.fused_frames import FusedLocalization, LocalizedFrame
from dense_reloc_ros.temporal.fusion_configuration import TemporalConfiguration


@pytest.fixture
def video(make_record) -> FusedVideo:
    """Twelve frames: clear 0-1, blur 2-5, clear 6-7, black-out 8-9, clear 10-11.

    Errors are in metres; None is no pose.
    """
    single = [0.01, 0.01, 0.04, None, 0.30, 0.06, 0.06, 0.01, None, None, 0.02, 0.02]
    fused = [0.01, 0.01, 0.02, 0.03, 0.20, 0.04, 0.01, 0.06, None, 0.40, None, 0.02]

    def records(errors: list[float | None]):
        return [
            make_record(k, metres=0.0 if metres is None else metres, localized=metres is not None)
            for k, metres in enumerate(errors)
        ]

    raw = [0.01, 0.01, 0.02, 0.03, None, 0.04, 0.01, 0.04, None, None, None, 0.02]
    phases = ["clear"] * 2 + ["blur"] * 4 + ["clear"] * 2 + ["black-out"] * 2 + ["clear"] * 2
    return FusedVideo(phases, records(single), records(raw), records(fused))


def test_all_frames(video):
    numbers = contrast([video])
    assert numbers.frames == 12
    assert numbers.single.recall == pytest.approx(6 / 12)
    assert numbers.fused.recall == pytest.approx(7 / 12)
    assert numbers.recall_ratio == pytest.approx(7 / 6)
    assert (numbers.outside, numbers.saved, numbers.lost) == (6, 3, 2)
    assert (numbers.single.wrong, numbers.raw.wrong, numbers.fused.wrong) == (1, 0, 1)
    assert numbers.raw.recall == pytest.approx(8 / 12)
    # Centimetres: 1 1 1 2 2 4 6 6 30, and 1 1 1 2 2 3 4 6 20 40.
    assert numbers.single.median_translation_m == pytest.approx(0.02)
    assert numbers.fused.median_translation_m == pytest.approx(0.025)


def test_recovery_counts_from_the_first_clear_frame(video):
    numbers = contrast([video])
    # By themselves: frame 7 after the blur (the second), frame 10 after the black-out (the first).
    assert (numbers.single.median_recovery, numbers.single.worst_recovery) == (1.5, 2)
    # Fused: frame 6 at once, frame 11 as the second.
    assert (numbers.fused.median_recovery, numbers.fused.worst_recovery) == (1.5, 2)
    assert contrasts([video])["blur"].fused.worst_recovery == 1


def test_each_kind_counts_its_own_frames(video):
    kinds = contrasts([video])
    assert {name: kind.frames for name, kind in kinds.items()} == {
        "blur": 4,
        "black-out": 2,
        "clear": 6,
    }
    assert (kinds["blur"].single.recall, kinds["blur"].fused.recall) == (0.25, 0.75)
    assert kinds["black-out"].recall_ratio is None
    assert kinds["clear"].single.worst_recovery is None


def test_several_videos_are_one_sample(video):
    one, two = contrast([video]), contrast([video, video])
    assert (two.frames, two.saved, two.lost) == (24, 2 * one.saved, 2 * one.lost)
    assert two.single.model_copy(update={"wrong": 1}) == one.single


def test_bursts_are_read_from_the_phases(video):
    assert video.bursts == [("blur", 2, 6), ("black-out", 8, 10)]


def test_a_video_without_bursts_has_no_kinds(video):
    plain = replace(video, phases=[""] * 12)
    assert contrasts([plain]) == {}
    assert contrast([plain]).single.median_recovery is None


def test_frames_without_a_true_pose_do_not_count(make_record):
    records = [make_record(0), make_record(1, ground_truth=False)]
    numbers = contrast([FusedVideo(["", ""], records, records, records)])
    assert (numbers.frames, numbers.single.recall) == (1, 1.0)


@pytest.mark.parametrize(
    ("within", "frames"),
    [
        ([0, 0, 0, 1, 1, 0, 0, 1], [1, 1]),
        ([0, 0, 0, 0, 1, 1, 1, 0], [2, math.inf]),
        ([1, 1, 1, 0, 0, 1, 1, 0], [math.inf, math.inf]),
    ],
)
def test_recovery_must_come_before_the_next_burst(within, frames):
    bursts = [("blur", 1, 3), ("blur", 5, 7)]
    assert frames_to_recovery([bool(w) for w in within], bursts) == frames


FEATURES = DenseFeatures({}, torch.zeros(1, 1))


class WithFeatures(OffByMetres):
    """Also gives features, except for frames without a pose."""

    def localize(self, image: np.ndarray, camera: Camera) -> Localization:
        localization = super().localize(image, camera)
        return replace(localization, features=FEATURES if localization.estimate else None)


class Halving:
    """Halves the error of every frame, but publishes none that is still off by more than 5 cm."""

    def __init__(self) -> None:
        self.seen: list[LocalizedFrame] = []

    def fuse(self, frame: LocalizedFrame) -> FusedLocalization:
        self.seen.append(frame)
        single = frame.localization
        if single.estimate is None:
            return FusedLocalization(single, single, 0.0, is_fused=False)
        T_map_camera = single.estimate.T_map_camera.copy()
        T_map_camera[:3, 3] /= 2
        estimate = replace(single.estimate, T_map_camera=T_map_camera)
        fused = replace(single, status=Status.LOCALIZED, estimate=estimate)
        is_near = T_map_camera[0, 3] < 0.05
        published = fused if is_near else replace(fused, status=Status.REJECTED)
        return FusedLocalization(published, fused, 0.5, is_fused=True)


@pytest.fixture
def run(monkeypatch):
    """Localizes frames with and without the fusion; gives what that saw, and the rows."""

    def run(errors: list[float | None], queries: list[SourceFrame]):
        fusion = Halving()
        monkeypatch.setattr(systems, "TemporalLocalizer", lambda *_: fusion)
        localizer = WithFeatures("nre", errors)
        fusing = System(localizer, Path("maps/map"), with_fusion(TemporalConfiguration()))
        return fusion, run_benchmark([fusing], QuerySet("queries", queries))

    return run


def test_every_frame_goes_to_the_fusion_with_what_was_found_alone(run):
    fusion, rows = run([0.01, 0.08, None, 0.16], frames())
    # Frames k / 30 s; the third has no features.
    assert [frame.stamp for frame in fusion.seen] == [0, 33_333_333, 66_666_667, 100_000_000]
    features = [frame.features for frame in fusion.seen]
    assert features == [FEATURES, FEATURES, None, FEATURES]
    assert all(frame.camera == CAMERA.pinhole() for frame in fusion.seen)
    alone, raw, published = (
        [None if r.error is None else r.error.translation for r in of_way]
        for of_way in (ways(rows, "single"), ways(rows, "raw"), ways(rows, "fused"))
    )
    assert alone == [pytest.approx(0.01), pytest.approx(0.08), None, None]
    assert raw == [pytest.approx(0.005), pytest.approx(0.04), None, pytest.approx(0.08)]
    assert published == [pytest.approx(0.005), pytest.approx(0.04), None, None]


def test_the_camera_of_fused_frames_is_that_of_the_undistorted_image(run):
    distorted = Camera(32, 24, 30.0, 30.0, 15.5, 11.5, "plumb_bob", (0.1, 0.0, 0.0, 0.0, 0.0))
    fusion, _ = run([0.01], [replace(frame, camera=distorted) for frame in frames(2)])
    assert all(not frame.camera.is_distorted for frame in fusion.seen)


def ways(rows: list[FrameRow], way: str) -> list[FrameRecord]:
    return [row.frame for row in rows if row.condition.way == way]


def test_the_result_counts_and_times(run):
    _, rows = run([0.01, 0.08, None, 0.16], frames())
    milliseconds = {"single": [10.0, 20.0, 30.0, 40.0], "fused": [10.0, 20.0, 35.0, 55.0]}
    timed = []
    for row in rows:
        index = int(row.frame.name[-1])
        latency = milliseconds.get(row.condition.way, milliseconds["fused"])[index]
        timed.append(replace(row, frame=replace(row.frame, latency_milliseconds=latency)))
    again = [replace(row, condition=replace(row.condition, seed=1)) for row in timed]
    (result,) = fusion_results([*timed, *again])
    assert (result.level, result.method, result.keyframes, result.videos) == ("clean", "nre", 7, 2)
    assert (result.all.outside, result.all.saved, result.all.lost) == (6, 2, 0)
    assert result.all.recall_ratio == pytest.approx(2.0)
    assert result.kinds == {}
    assert (result.frame_ms.median, result.fusion_ms.median) == (25.0, 2.5)
    assert result.added_time == pytest.approx(0.2)
