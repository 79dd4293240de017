"""The numbers of a video that was localized frame by frame, and with fusion over time."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, ConfigDict

from dense_reloc_ros.evaluation.metrics import RECALL_THRESHOLDS, accuracy
from dense_reloc_ros.evaluation.records import FrameRecord
from dense_reloc_ros.evaluation.stress_video import Burst

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
    """The same frames by themselves and fused."""

    model_config = ConfigDict(frozen=True)

    frames: int
    """With a ground truth."""
    single: Reached
    fused: Reached
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
    pairs: list[tuple[FrameRecord, FrameRecord]] = []
    recoveries: tuple[list[float], list[float]] = ([], [])
    for video in videos:
        pairs += [
            (single, fused)
            for kind, single, fused in zip(video.kinds, video.single, video.fused, strict=True)
            if single.ground_truth is not None and (chosen is None or kind in chosen)
        ]
        for records, frames in zip((video.single, video.fused), recoveries, strict=True):
            found = frames_to_recovery([is_within(record) for record in records], video.bursts)
            frames += [
                count
                for count, burst in zip(found, video.bursts, strict=True)
                if chosen is None or burst.kind in chosen
            ]
    single = _reached([pair[0] for pair in pairs], recoveries[0])
    fused = _reached([pair[1] for pair in pairs], recoveries[1])
    within = [(is_within(a), is_within(b)) for a, b in pairs]
    return Contrast(
        frames=len(pairs),
        single=single,
        fused=fused,
        recall_ratio=(fused.recall or 0.0) / single.recall if single.recall else None,
        outside=sum(not a for a, _ in within),
        saved=sum(b and not a for a, b in within),
        lost=sum(a and not b for a, b in within),
    )


def _reached(records: Sequence[FrameRecord], recoveries: Sequence[float]) -> Reached:
    numbers = accuracy(records)
    median = float(np.median(recoveries)) if recoveries else math.inf
    worst = max(recoveries, default=math.inf)
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
