"""The table of frames as a file, and what it says of maps of other places."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict

from dense_reloc_ros.errors import InputError
from dense_reloc_ros.evaluation.benchmarks.runner import FrameRow, grouped
from dense_reloc_ros.evaluation.metrics.consistency import DEGREES_OF_FREEDOM
from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.se3 import to_quaternion
from dense_reloc_ros.geometry.trajectory import format_stamp

POSE_COLUMNS = ("x", "y", "z", "qx", "qy", "qz", "qw")


class ElsewhereResult(BaseModel):
    """Queries of other places against a map, where any published pose is wrong."""

    model_config = ConfigDict(frozen=True)

    level: str
    method: str
    map: str
    queries: str
    attempts: int
    published: int
    highest_score: float | None
    """Of all poses found, published or not; None without any."""
    highest_confidence: float | None


def elsewhere_results(rows: Sequence[FrameRow]) -> list[ElsewhereResult]:
    """A result for each degradation, method, map and set of queries."""
    results = []
    for group in grouped(rows, lambda c: (c.degradation, c.method, c.map, c.queries)).values():
        condition, frames = group[0].condition, [row.frame for row in group]
        scores = [frame.score for frame in frames if frame.score is not None]
        confidences = [frame.confidence for frame in frames if frame.confidence is not None]
        results.append(
            ElsewhereResult(
                level=condition.degradation,
                method=condition.method,
                map=Path(condition.map).name,
                queries=condition.queries,
                attempts=len(frames),
                published=sum(frame.is_localized for frame in frames),
                highest_score=max(scores, default=None),
                highest_confidence=max(confidences, default=None),
            )
        )
    return results


def write_frames(path: Path, rows: Sequence[FrameRow]) -> None:
    """Writes a CSV file with a line for each row: condition, truth, poses, errors, times.

    Poses are those found, published or not, and so are their errors; `status` says which.

    Raises:
        InputError: it cannot be written.
    """
    lines = [_line(row) for row in rows]
    columns = list(dict.fromkeys(name for line in lines for name in line))
    try:
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns, restval="")
            writer.writeheader()
            writer.writerows(lines)
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error}") from None


def _line(row: FrameRow) -> dict[str, object]:
    frame, error = row.frame, row.frame.found_error
    nees = frame.normalized_error
    return {
        **asdict(row.condition),
        "phase": row.phase,
        "name": frame.name,
        "stamp": format_stamp(frame.stamp),
        "status": frame.status.name.lower() if frame.status else "",
        "reason": frame.reason,
        "score": frame.score,
        "confidence": frame.confidence,
        "translation_m": None if error is None else error.translation,
        "rotation_deg": None if error is None else math.degrees(error.rotation),
        "nees": None if nees is None else DEGREES_OF_FREEDOM * nees,
        "localized_against": " ".join(map(str, frame.keyframes)),
        "latency_ms": frame.latency_milliseconds,
        **{f"{stage}_ms": value for stage, value in frame.stage_milliseconds.items()},
        **_pose("found", frame.found_pose),
        **_pose("true", frame.ground_truth),
    }


def _pose(name: str, T_map_camera: FloatArray | None) -> dict[str, object]:
    if T_map_camera is None:
        return {f"{name}_{column}": None for column in POSE_COLUMNS}
    values = np.concatenate([T_map_camera[:3, 3], to_quaternion(T_map_camera)])
    return {
        f"{name}_{column}": value
        for column, value in zip(POSE_COLUMNS, values.tolist(), strict=True)
    }
