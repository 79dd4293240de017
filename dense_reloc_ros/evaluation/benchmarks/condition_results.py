"""What systems reach under each condition: the numbers of report.json, and shares of bad poses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from pydantic import BaseModel, ConfigDict

from dense_reloc_ros.evaluation.benchmarks.runner import FrameRow, grouped
from dense_reloc_ros.evaluation.metrics.accuracy import Threshold
from dense_reloc_ros.evaluation.metrics.frame_record import FrameRecord
from dense_reloc_ros.evaluation.report.run_summary import RunInformation, Summary, summarize

ALL = "all"
"""Stands for the name of the queries and the map where several are put together."""
POSE_THRESHOLDS: Mapping[str, Threshold] = MappingProxyType(
    {
        "2cm_2deg": Threshold(0.02, 2.0),
        "5cm_5deg": Threshold(0.05, 5.0),
        "25cm_10deg": Threshold(0.25, 10.0),
    }
)
REFERENCE = "nre"
"""The method that the others' poses are compared with."""


class ConditionResult(Summary):
    """What a system reaches: the numbers of report.json over the frames of all seeds."""

    level: str
    """The degradation."""
    seeds: int
    way: str
    """How frames were localized: single images, a video, …"""
    keyframes: int
    """Of the map, or of all maps."""


class PoseResult(BaseModel):
    """How good a system's poses are, whether they would be published or not."""

    model_config = ConfigDict(frozen=True)

    level: str
    method: str
    device: str
    map: str
    keyframes: int
    """Of the map."""
    frames: int
    """With a ground truth."""
    outside: dict[str, float]
    """Share of these frames whose best pose is outside each threshold, or that have none."""
    deterioration: dict[str, float | None]
    """(outside / outside by NRE) - 1 on the same level and map, as in thesis Table 4.1.

    None where NRE took no part, or where only NRE is never outside.
    """


def condition_results(rows: Sequence[FrameRow]) -> list[ConditionResult]:
    """A result for each degradation, system and set of queries, in the order of the rows."""
    key = grouped(rows, lambda c: (c.queries, c.degradation, c.method, c.way, c.map, c.device))
    return [_result(group, group[0].condition.queries) for group in key.values()]


def pooled_results(rows: Sequence[FrameRow]) -> list[ConditionResult]:
    """As `condition_results`, over all maps and queries together; every frame counts the same."""
    key = grouped(rows, lambda c: (c.degradation, c.method, c.way, c.device))
    return [_result(group, ALL) for group in key.values()]


def pose_results(rows: Sequence[FrameRow]) -> list[PoseResult]:
    """How often the poses of each system are outside `POSE_THRESHOLDS` at each degradation."""
    results: list[PoseResult] = []
    for group in grouped(rows, lambda c: (c.degradation, c.method, c.map, c.device)).values():
        condition = group[0].condition
        evaluated = [row.frame for row in group if row.frame.ground_truth is not None]
        results.append(
            PoseResult(
                level=condition.degradation,
                method=condition.method,
                device=condition.device,
                map=condition.map,
                keyframes=condition.keyframes,
                frames=len(evaluated),
                outside=outside_thresholds(evaluated),
                deterioration={},
            )
        )
    return [
        result.model_copy(update={"deterioration": _deteriorations(result, results)})
        for result in results
    ]


def outside_thresholds(records: Sequence[FrameRecord]) -> dict[str, float]:
    """Share of records, all with a true pose, that are outside each of `POSE_THRESHOLDS`."""
    return {
        name: sum(not _is_within(record, threshold) for record in records) / len(records)
        for name, threshold in POSE_THRESHOLDS.items()
    }


def _result(rows: Sequence[FrameRow], queries: str) -> ConditionResult:
    condition = rows[0].condition
    is_pooled = queries == ALL
    information = RunInformation(
        method=condition.method,
        device=condition.device,
        map_revision="" if is_pooled else condition.map_revision,
        map=ALL if is_pooled else condition.map,
        queries=queries,
        mode=f"bench, {condition.way}",
    )
    maps = {row.condition.map: row.condition.keyframes for row in rows}
    return ConditionResult(
        level=condition.degradation,
        seeds=len({row.condition.seed for row in rows}),
        way=condition.way,
        keyframes=sum(maps.values()),
        **dict(summarize([row.frame for row in rows], information)),
    )


def _is_within(record: FrameRecord, threshold: Threshold) -> bool:
    return record.error is not None and threshold.holds(record.error)


def _deteriorations(result: PoseResult, results: Sequence[PoseResult]) -> dict[str, float | None]:
    run = (result.level, result.map)
    references = [r for r in results if r.method == REFERENCE and (r.level, r.map) == run]
    if not references:
        return dict.fromkeys(result.outside)
    return {
        name: _relative(share, references[0].outside[name])
        for name, share in result.outside.items()
    }


def _relative(share: float, reference: float) -> float | None:
    if share == reference:
        return 0.0
    return share / reference - 1 if reference else None
