"""The numbers of a video that was localized frame by frame, and with fusion over time."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby, pairwise
from operator import attrgetter

import numpy as np
from pydantic import BaseModel, ConfigDict

from dense_reloc_ros.evaluation.benchmarks.degraded_frames import BETWEEN_BURSTS
from dense_reloc_ros.evaluation.benchmarks.runner import FrameRow, grouped
from dense_reloc_ros.evaluation.benchmarks.systems import FUSED, RAW
from dense_reloc_ros.evaluation.metrics.accuracy import RECALL_THRESHOLDS, Duration, accuracy
from dense_reloc_ros.evaluation.metrics.consistency import Consistency, consistency
from dense_reloc_ros.evaluation.metrics.frame_record import FrameRecord
from dense_reloc_ros.evaluation.replay.offline import SINGLE

THRESHOLD = "5cm_5deg"


class Reached(BaseModel):
    """How well some frames were localized."""

    model_config = ConfigDict(frozen=True)

    recall: float | None
    """Share within 5 cm and 5 degrees; None without any frame."""
    wrong: int
    """Published poses off by more than 0.25 m or 10 degrees."""
    median_translation_m: float | None
    median_rotation_deg: float | None
    median_recovery: float | None
    """Frames after a burst up to the first within 5 cm and 5 degrees: 1 is at once.

    None: none before the next burst, or there is no burst.
    """
    worst_recovery: int | None
    consistency: Consistency | None
    """Whether the covariances of published poses hold; None without any."""


class Contrast(BaseModel):
    """The same frames by themselves, and with fusion over time."""

    model_config = ConfigDict(frozen=True)

    frames: int
    """With a ground truth."""
    single: Reached
    raw: Reached
    """By the fused correlation, before the filter."""
    fused: Reached
    """As published, after the filter."""
    recall_ratio: float | None
    """Recall fused over single; None where the latter is zero."""
    outside: int
    """Frames outside 5 cm and 5 degrees by themselves."""
    saved: int
    """Of these, those that fusion brings within."""
    lost: int
    """Frames that are within by themselves, but not fused."""


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


@dataclass(frozen=True)
class FusedVideo:
    """The records of a video in the order of its frames."""

    phases: Sequence[str]
    """The kind of burst that each frame is in, or `BETWEEN_BURSTS`; all are "" without bursts."""
    single: Sequence[FrameRecord]
    raw: Sequence[FrameRecord]
    fused: Sequence[FrameRecord]

    @property
    def bursts(self) -> list[tuple[str, int, int]]:
        """Their kind, first frame and end."""
        ends = [0, *accumulate(len(list(group)) for _, group in groupby(self.phases))]
        return [
            (self.phases[begin], begin, end)
            for begin, end in pairwise(ends)
            if self.phases[begin] not in ("", BETWEEN_BURSTS)
        ]


def fusion_results(rows: Sequence[FrameRow]) -> list[FusionResult]:
    """The result for each degradation and system, of trials with fusion (`with_fusion`)."""
    results = []
    for group in grouped(rows, lambda c: (c.degradation, c.method, c.map, c.device)).values():
        videos = [_video(of_seed) for of_seed in grouped(group, lambda c: c.seed).values()]
        condition = group[0].condition
        single, fused = (
            [_milliseconds(record) for video in videos for record in records(video)]
            for records in (attrgetter("single"), attrgetter("fused"))
        )
        fusion = [whole - alone for whole, alone in zip(fused, single, strict=True)]
        results.append(
            FusionResult(
                level=condition.degradation,
                method=condition.method,
                device=condition.device,
                map=condition.map,
                keyframes=condition.keyframes,
                videos=len(videos),
                all=contrast(videos),
                kinds=contrasts(videos),
                frame_ms=Duration.of(single),
                fusion_ms=Duration.of(fusion),
                added_time=sum(fusion) / sum(single),
            )
        )
    return results


def _video(rows: Sequence[FrameRow]) -> FusedVideo:
    ways = {way: [row for row in rows if row.condition.way == way] for way in (SINGLE, RAW, FUSED)}
    single, raw, fused = ([row.frame for row in of_way] for of_way in ways.values())
    return FusedVideo([row.phase for row in ways[SINGLE]], single, raw, fused)


def _milliseconds(record: FrameRecord) -> float:
    return record.latency_milliseconds or 0.0


def contrasts(videos: Sequence[FusedVideo]) -> dict[str, Contrast]:
    """The numbers of each kind of burst, and of the frames between; none without bursts."""
    present = dict.fromkeys(kind for video in videos for kind, _, _ in video.bursts)
    chosen = (*present, BETWEEN_BURSTS) if present else ()
    return {kind: contrast(videos, [kind]) for kind in chosen}


def contrast(videos: Sequence[FusedVideo], chosen: Collection[str] | None = None) -> Contrast:
    """The numbers of all frames and bursts, or of those of the chosen kinds."""
    single = _chosen([(video, video.single) for video in videos], chosen)
    raw = _chosen([(video, video.raw) for video in videos], chosen)
    fused = _chosen([(video, video.fused) for video in videos], chosen)
    alone, together = _reached(single), _reached(fused)
    within = [
        (is_within(a), is_within(b)) for a, b in zip(single.records, fused.records, strict=True)
    ]
    return Contrast(
        frames=len(within),
        single=alone,
        raw=_reached(raw),
        fused=together,
        recall_ratio=(together.recall or 0.0) / alone.recall if alone.recall else None,
        outside=sum(not a for a, _ in within),
        saved=sum(b and not a for a, b in within),
        lost=sum(a and not b for a, b in within),
    )


@dataclass(frozen=True)
class _Chosen:
    """Frames with a ground truth, and recoveries, of some kinds of bursts."""

    records: list[FrameRecord]
    recoveries: list[float]


def _chosen(
    runs: Sequence[tuple[FusedVideo, Sequence[FrameRecord]]], chosen: Collection[str] | None
) -> _Chosen:
    records: list[FrameRecord] = []
    recoveries: list[float] = []
    for video, of_video in runs:
        records += [
            record
            for kind, record in zip(video.phases, of_video, strict=True)
            if record.ground_truth is not None and (chosen is None or kind in chosen)
        ]
        frames = frames_to_recovery([is_within(record) for record in of_video], video.bursts)
        recoveries += [
            count
            for count, (kind, _, _) in zip(frames, video.bursts, strict=True)
            if chosen is None or kind in chosen
        ]
    return _Chosen(records, recoveries)


def _reached(frames: _Chosen) -> Reached:
    numbers = accuracy(frames.records)
    median = float(np.median(frames.recoveries)) if frames.recoveries else math.inf
    worst = max(frames.recoveries, default=math.inf)
    return Reached(
        recall=numbers.recall[THRESHOLD] if numbers.recall else None,
        wrong=numbers.wrong or 0,
        median_translation_m=numbers.median_translation_m,
        median_rotation_deg=numbers.median_rotation_deg,
        median_recovery=median if math.isfinite(median) else None,
        worst_recovery=int(worst) if math.isfinite(worst) else None,
        consistency=consistency(frames.records),
    )


def frames_to_recovery(
    within: Sequence[bool], bursts: Sequence[tuple[str, int, int]]
) -> list[float]:
    """After how many frames each burst is recovered from: 1 if the first clear frame is within.

    Infinite where the next burst, or the end, comes first.
    """
    begins = [begin for _, begin, _ in bursts] + [len(within)]
    frames = []
    for (_, _, end), next_begin in zip(bursts, begins[1:], strict=True):
        good = [index for index in range(end, next_begin) if within[index]]
        frames.append(good[0] - end + 1 if good else math.inf)
    return frames


def is_within(record: FrameRecord) -> bool:
    """Whether a pose was published that is within 5 cm and 5 degrees of the truth."""
    return record.error is not None and RECALL_THRESHOLDS[THRESHOLD].holds(record.error)
