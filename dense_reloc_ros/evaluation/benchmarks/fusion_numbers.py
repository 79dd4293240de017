"""The numbers of a video that was localized frame by frame, and with fusion over time."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, ConfigDict

from dense_reloc_ros.evaluation.benchmarks.stress_video import Burst
from dense_reloc_ros.evaluation.metrics.metrics import RECALL_THRESHOLDS, accuracy
from dense_reloc_ros.evaluation.metrics.records import FrameRecord

CLEAR = "clear"
"""The kind of the frames that are in no burst."""
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


@dataclass(frozen=True)
class FusedVideo:
    """The records of a video in the order of its frames, and milliseconds of each."""

    bursts: Sequence[Burst]
    single: list[FrameRecord]
    raw: list[FrameRecord]
    fused: list[FrameRecord]
    frame_milliseconds: list[float]
    fusion_milliseconds: list[float]

    @property
    def kinds(self) -> list[str]:
        """The kind of burst that each frame is in, or `CLEAR`."""
        kinds = [CLEAR] * len(self.single)
        for burst in self.bursts:
            kinds[burst.begin : burst.end] = [burst.kind] * (burst.end - burst.begin)
        return kinds


def contrasts(videos: Sequence[FusedVideo]) -> dict[str, Contrast]:
    """The numbers of each kind of burst, and of the frames between; none without bursts."""
    present = dict.fromkeys(burst.kind for video in videos for burst in video.bursts)
    return {kind: contrast(videos, [kind]) for kind in (*present, CLEAR)} if present else {}


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
            for kind, record in zip(video.kinds, of_video, strict=True)
            if record.ground_truth is not None and (chosen is None or kind in chosen)
        ]
        frames = frames_to_recovery([is_within(record) for record in of_video], video.bursts)
        recoveries += [
            count
            for count, burst in zip(frames, video.bursts, strict=True)
            if chosen is None or burst.kind in chosen
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
    )


def frames_to_recovery(within: Sequence[bool], bursts: Sequence[Burst]) -> list[float]:
    """After how many frames each burst is recovered from: 1 if the first clear frame is within.

    Infinite where the next burst, or the end, comes first.
    """
    begins = [burst.begin for burst in bursts] + [len(within)]
    frames = []
    for burst, next_begin in zip(bursts, begins[1:], strict=True):
        good = [index for index in range(burst.end, next_begin) if within[index]]
        frames.append(good[0] - burst.end + 1 if good else math.inf)
    return frames


def is_within(record: FrameRecord) -> bool:
    """Whether a pose was published that is within 5 cm and 5 degrees of the truth."""
    return record.error is not None and RECALL_THRESHOLDS[THRESHOLD].holds(record.error)
