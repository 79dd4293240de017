"""The content of `report.json`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter

from pydantic import BaseModel, ConfigDict

from dense_reloc_ros.evaluation.metrics.accuracy import Duration, accuracy, stage_durations
from dense_reloc_ros.evaluation.metrics.consistency import Consistency, consistency
from dense_reloc_ros.evaluation.metrics.frame_record import FrameRecord
from dense_reloc_ros.evaluation.metrics.map_to_odom import MapToOdom, map_to_odom
from dense_reloc_ros.evaluation.metrics.reliability import Reliability, reliability
from dense_reloc_ros.evaluation.metrics.risk_coverage import auroc
from dense_reloc_ros.evaluation.metrics.scene_coordinates import (
    CoordinateSummary,
    summarize_coordinates,
)
from dense_reloc_ros.evaluation.metrics.truth_meaning import likely_meaning

NUMBER = re.compile(r"(\d+(?:\.\d+)?)")


@dataclass(frozen=True)
class RunInformation:
    """What was run, for the report."""

    method: str
    """How images were localized."""
    device: str
    """Where it was computed."""
    map_revision: str
    """Of the map; another one means another map."""
    map: str
    """The map's folder, for people."""
    queries: str
    """Where the images came from, for people."""
    mode: str
    """How it was run: `localize`, or `replay` with its pace."""


class LatencySummary(BaseModel):
    """Milliseconds a frame, whole and stage by stage; null where nothing was timed."""

    model_config = ConfigDict(frozen=True)

    median: float | None
    """Of all frames."""
    p95: float | None
    """What 95% of the frames do not exceed."""
    per_stage: dict[str, Duration]
    """The same of undistort, features, retrieval, matching, pose, verification."""


class Summary(BaseModel):
    """Everything in `report.json`; what needs a ground truth is null where there is none."""

    model_config = ConfigDict(frozen=True)

    frames: int
    """Images."""
    localized: int
    """Frames with a published pose."""
    evaluated: int
    """Frames with a ground truth."""
    truth_looks_like: str | None
    """What the ground truth seems to be instead of the camera's poses; null where nothing does."""
    wrong: int | None
    """Published poses off by more than 0.25 m or 10 degrees."""
    median_translation_m: float | None
    median_rotation_deg: float | None
    mean_translation_m: float | None
    mean_rotation_deg: float | None
    recall: dict[str, float] | None
    """Share of all evaluated frames within each threshold; frames without a pose are outside."""
    nees_over_6_median: float | None
    nees: Consistency | None
    """How well covariances hold; null where no pose has one."""
    auroc_score: float | None
    """How well the score tells wrong poses from others, 0.5 to 1; null where it cannot be said."""
    auroc_confidence: float | None
    """The same of the confidence."""
    calibration: Reliability | None
    """How well confidences hold; null where there are none."""
    rejected: dict[str, int]
    """Reasons why frames have no pose, and how many, most frequent first; … for varying numbers."""
    latency_ms: LatencySummary
    """Time of a frame; in replay from receiving the image to publishing the result."""
    map_to_odom: MapToOdom | None
    """How far map -> odom was off; null without odometry."""
    scene_coordinates: CoordinateSummary | None
    """Of methods that predict them, on frames with depth."""
    method: str
    device: str
    map_revision: str
    map: str
    queries: str
    mode: str


def summarize(records: Sequence[FrameRecord], run: RunInformation) -> Summary:
    """The summary of the frames of one run."""
    latencies = [r.latency_milliseconds for r in records if r.latency_milliseconds is not None]
    latency = Duration.of(latencies) if latencies else None
    return Summary(
        frames=len(records),
        localized=sum(record.is_localized for record in records),
        truth_looks_like=likely_meaning(records),
        calibration=reliability(records),
        nees=consistency(records),
        auroc_score=auroc(records, attrgetter("score")),
        auroc_confidence=auroc(records, attrgetter("confidence")),
        rejected=count_reasons([r.reason for r in records if not r.is_localized]),
        latency_ms=LatencySummary(
            median=latency.median if latency else None,
            p95=latency.p95 if latency else None,
            per_stage=stage_durations(records),
        ),
        map_to_odom=map_to_odom(records),
        scene_coordinates=summarize_coordinates(
            [r.coordinate_errors for r in records if r.coordinate_errors is not None]
        ),
        **vars(accuracy(records)),
        **vars(run),
    )


def count_reasons(reasons: Sequence[str]) -> dict[str, int]:
    """How often each reason occurs, most frequent first.

    Reasons that differ by their numbers alone are one, with … where the numbers differ.
    """
    alike: dict[tuple[str, ...], list[list[str]]] = {}
    for reason in reasons:
        parts = NUMBER.split(reason)
        alike.setdefault(tuple(parts[::2]), []).append(parts)
    counts: Counter[str] = Counter()
    for group in alike.values():
        merged = (same[0] if len(set(same)) == 1 else "…" for same in zip(*group, strict=True))
        counts["".join(merged)] += len(group)
    return dict(counts.most_common())
