"""What fusion over time adds to single frames: the same video, localized without it and with it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Protocol

from pydantic import BaseModel, ConfigDict
from tqdm import tqdm

from dense_reloc_ros.errors import InputError
from dense_reloc_ros.evaluation.benchmarks.contenders import Contender
from dense_reloc_ros.evaluation.benchmarks.fusion_numbers import (
    Contrast,
    FusedVideo,
    contrast,
    contrasts,
)
from dense_reloc_ros.evaluation.benchmarks.robustness import at_level
from dense_reloc_ros.evaluation.benchmarks.stress_video import StressVideo, stress_video
from dense_reloc_ros.evaluation.metrics.metrics import Duration
from dense_reloc_ros.evaluation.metrics.records import FrameRecord
from dense_reloc_ros.evaluation.replay.offline import LocalizesImages
from dense_reloc_ros.mapping.sources.source_frame import SourceFrame
from dense_reloc_ros.stamps import NANOSECONDS
from dense_reloc_ros.temporal.fused_frames import FusedLocalization, LocalizedFrame
from dense_reloc_ros.temporal.fusion_configuration import TemporalConfiguration
from dense_reloc_ros.temporal.temporal_localizer import TemporalLocalizer

BURSTS = "bursts"
"""The name of the stress video among the levels of light."""


class FusionResult(BaseModel):
    """What fusion does to the video at a level, and what it costs."""

    model_config = ConfigDict(frozen=True)

    level: str
    method: str
    device: str
    map: str
    keyframes: int
    """Of the map."""
    videos: int
    """With the bursts of as many seeds."""
    all: Contrast
    kinds: dict[str, Contrast]
    """In each kind of burst, and between the bursts; empty where there are none."""
    frame_ms: Duration
    """Of localizing a single frame."""
    fusion_ms: Duration
    """Of fusing it, given what that found."""
    added_time: float
    """All time of fusing over all time of localizing single frames."""


class FusesFrames(Protocol):
    """What is needed of a fusion."""

    def fuse(self, frame: LocalizedFrame) -> FusedLocalization:
        """What is known of a frame with the help of those before it."""


def compare_fusion(
    contenders: Sequence[Contender],
    configuration: TemporalConfiguration,
    frames: Sequence[SourceFrame],
    levels: Sequence[str],
    seeds: Sequence[int],
) -> list[FusionResult]:
    """Localizes a video at levels of light, or at `BURSTS` with the bursts of each of the seeds.

    Raises:
        ConfigurationError: an unknown level.
        InputError: frames that are unreadable, have no true poses, or are too few for a burst.
    """
    if all(frame.T_map_camera is None for frame in frames):
        raise InputError("the frames have no true poses to compare with: --ground-truth TUM")
    videos = {level: videos_at(level, frames, seeds) for level in levels}
    results = []
    for level, of_level in videos.items():
        for contender in contenders:
            label = f"{level}, {contender.method} on {contender.map.name}"
            localizer = contender.localizer
            runs = [
                run_video(localizer, TemporalLocalizer(localizer, configuration), video, label)
                for video in of_level
            ]
            results.append(summarize_runs(level, contender, runs))
    return results


def videos_at(level: str, frames: Sequence[SourceFrame], seeds: Sequence[int]) -> list[StressVideo]:
    """The frames in the order of their time at a level, or at `BURSTS` with those of each seed.

    Raises:
        ConfigurationError: an unknown level.
        InputError: too few frames for a burst.
    """
    if level == BURSTS:
        return [stress_video(frames, seed) for seed in seeds]
    ordered = sorted(frames, key=lambda frame: frame.timestamp)
    return [StressVideo(at_level(ordered, level), [])]


def run_video(
    localizer: LocalizesImages, fusion: FusesFrames, video: StressVideo, label: str
) -> FusedVideo:
    """Localizes each frame by itself, then with those before, with a progress bar of a label.

    Raises:
        InputError: an image that cannot be read.
    """
    run = FusedVideo(video.bursts, [], [], [], [], [])
    for frame in tqdm(video.frames, desc=label, unit="frame"):
        image, stamp = frame.load_image(), round(frame.timestamp * NANOSECONDS)
        begin = time.perf_counter()
        single = localizer.localize(image, frame.camera)
        middle = time.perf_counter()
        camera = frame.camera.pinhole()
        fused = fusion.fuse(LocalizedFrame(stamp, camera, single.features, single))
        alone, fusing = (middle - begin) * 1000, (time.perf_counter() - middle) * 1000
        run.frame_milliseconds.append(alone)
        run.fusion_milliseconds.append(fusing)
        for records, answer, milliseconds in (
            (run.single, single, alone),
            (run.raw, fused.raw, alone + fusing),
            (run.fused, fused.localization, alone + fusing),
        ):
            records.append(
                FrameRecord.from_localization(
                    stamp, frame.name, answer, milliseconds, frame.T_map_camera
                )
            )
    return run


def summarize_runs(level: str, contender: Contender, runs: Sequence[FusedVideo]) -> FusionResult:
    """The result of the runs of a contender at a level."""
    frame_ms = [value for run in runs for value in run.frame_milliseconds]
    fusion_ms = [value for run in runs for value in run.fusion_milliseconds]
    return FusionResult(
        level=level,
        method=contender.method,
        device=contender.device,
        map=str(contender.map),
        keyframes=contender.keyframes,
        videos=len(runs),
        all=contrast(runs),
        kinds=contrasts(runs),
        frame_ms=Duration.of(frame_ms),
        fusion_ms=Duration.of(fusion_ms),
        added_time=sum(fusion_ms) / sum(frame_ms),
    )
