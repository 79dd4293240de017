"""What goes to a localizer and to a fusion, and what comes of it; both are fakes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from evaluation.fake_contender import CAMERA, OffByMetres, contender, frames

from dense_reloc_ros.errors import ConfigurationError, InputError
from dense_reloc_ros.evaluation.benchmarks.fusion_comparison import (
    BURSTS,
    compare_fusion,
    run_video,
    summarize_runs,
    videos_at,
)
from dense_reloc_ros.evaluation.benchmarks.stress_video import StressVideo
from dense_reloc_ros.features.extractor import DenseFeatures
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.localization.result import Localization, Status
from dense_reloc_ros.temporal.fused_frames import FusedLocalization, LocalizedFrame
from dense_reloc_ros.temporal.fusion_configuration import TemporalConfiguration

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


def run(errors: list[float | None], count: int = 4):
    fusion = Halving()
    localizer = WithFeatures("nre", errors, [], 7)
    video = StressVideo(frames(count), [])
    return fusion, run_video(localizer, fusion, video, "fakes")


def test_every_frame_goes_to_the_fusion_with_what_was_found_alone():
    fusion, video = run([0.01, 0.08, None, 0.16])
    # Frames k / 30 s; the third has no features.
    assert [frame.stamp for frame in fusion.seen] == [0, 33_333_333, 66_666_667, 100_000_000]
    features = [frame.features for frame in fusion.seen]
    assert features == [FEATURES, FEATURES, None, FEATURES]
    assert all(frame.camera == CAMERA.pinhole() for frame in fusion.seen)
    alone = [None if r.error is None else r.error.translation for r in video.single]
    raw = [None if r.error is None else r.error.translation for r in video.raw]
    published = [None if r.error is None else r.error.translation for r in video.fused]
    assert alone == [pytest.approx(0.01), pytest.approx(0.08), None, None]
    assert raw == [pytest.approx(0.005), pytest.approx(0.04), None, pytest.approx(0.08)]
    assert published == [pytest.approx(0.005), pytest.approx(0.04), None, None]


def test_the_camera_of_fused_frames_is_that_of_the_undistorted_image():
    distorted = Camera(32, 24, 30.0, 30.0, 15.5, 11.5, "plumb_bob", (0.1, 0.0, 0.0, 0.0, 0.0))
    video = StressVideo([replace(frame, camera=distorted) for frame in frames(2)], [])
    fusion = Halving()
    localizer = WithFeatures("nre", [0.01], [], 7)
    run_video(localizer, fusion, video, "fakes")
    assert all(not frame.camera.is_distorted for frame in fusion.seen)


def test_the_summary_counts_and_times():
    _, video = run([0.01, 0.08, None, 0.16])
    video = replace(
        video,
        frame_milliseconds=[10.0, 20.0, 30.0, 40.0],
        fusion_milliseconds=[0.0, 0.0, 5.0, 15.0],
    )
    result = summarize_runs("night", contender("nre", [0.0]), [video, video])
    assert (result.level, result.method, result.keyframes, result.videos) == ("night", "nre", 7, 2)
    assert (result.all.outside, result.all.saved, result.all.lost) == (6, 2, 0)
    assert result.all.recall_ratio == pytest.approx(2.0)
    assert result.kinds == {}
    assert (result.frame_ms.median, result.fusion_ms.median) == (25.0, 2.5)
    assert result.added_time == pytest.approx(0.2)


def test_the_levels_are_the_bursts_of_each_seed_or_one_video_in_the_order_of_time():
    given = [replace(frame, timestamp=k / 15) for k, frame in enumerate(frames(60))][::-1]
    assert len(videos_at(BURSTS, given, [3, 4])) == 2
    (clean,) = videos_at("clean", given, [3, 4])
    assert clean.frames == given[::-1]
    assert clean.bursts == []
    with pytest.raises(ConfigurationError, match="unknown level 'noon'"):
        videos_at("noon", given, [0])


def test_poses_must_be_known():
    with pytest.raises(InputError, match="--ground-truth"):
        compare_fusion([], TemporalConfiguration(), frames(known=False), ["clean"], [0])
