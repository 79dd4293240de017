"""The content of `report.json`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from dense_reloc_ros.evaluation.metrics import Duration, accuracy, stage_durations
from dense_reloc_ros.evaluation.records import FrameRecord


@dataclass(frozen=True)
class RunInformation:
    """What was run, for the report."""

    method: str
    device: str
    map_revision: str
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
    p95: float | None
    per_stage: dict[str, Duration]


class Summary(BaseModel):
    """Everything in `report.json`; what needs a ground truth is null where there is none."""

    model_config = ConfigDict(frozen=True)

    frames: int
    localized: int
    evaluated: int
    """Frames with a ground truth."""
    wrong: int | None
    """Published poses off by more than 0.25 m or 10 degrees."""
    median_translation_m: float | None
    median_rotation_deg: float | None
    mean_translation_m: float | None
    mean_rotation_deg: float | None
    recall: dict[str, float] | None
    """Share of all evaluated frames within each threshold; frames without a pose are outside."""
    nees_over_6_median: float | None
    rejected: dict[str, int]
    """Reasons why frames have no pose, and how many, most frequent first."""
    latency_ms: LatencySummary
    method: str
    device: str
    map_revision: str
    map: str
    queries: str
    mode: str


def summarize(records: Sequence[FrameRecord], run: RunInformation) -> Summary:
    """The summary of the frames of one run."""
    reasons = Counter(record.reason for record in records if not record.is_localized)
    latencies = [r.latency_milliseconds for r in records if r.latency_milliseconds is not None]
    latency = Duration.of(latencies) if latencies else None
    return Summary(
        frames=len(records),
        localized=sum(record.is_localized for record in records),
        rejected=dict(reasons.most_common()),
        latency_ms=LatencySummary(
            median=latency.median if latency else None,
            p95=latency.p95 if latency else None,
            per_stage=stage_durations(records),
        ),
        **vars(accuracy(records)),
        **vars(run),
    )
