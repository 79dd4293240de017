"""What a replayed node answered, as the player writes it down for the evaluation: JSON lines."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from dense_reloc_ros.errors import RelocError
from dense_reloc_ros.evaluation.metrics.frame_record import FrameRecord
from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.se3 import from_quaternion
from dense_reloc_ros.localization.result import Status


class PublishedResult(BaseModel):
    """The content of a RelocResult message, and whether `~/pose` came with it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    stamp: int
    """Of the image, nanoseconds."""
    status: Status
    reason: str
    translation: tuple[float, float, float]
    quaternion: tuple[float, float, float, float]
    """Of T_map_camera (x, y, z, w); zero where there is no pose."""
    covariance: tuple[float, ...]
    """36 values, row-major."""
    score: float
    confidence: float
    keyframes: tuple[int, ...]
    map_revision: str
    method: str
    device: str
    """The node's parameter."""
    stage_milliseconds: dict[str, float]
    latency_milliseconds: float
    pose_published: bool
    """Whether the robot's pose was published for this image, which is what a robot acts on."""


def write_results(path: Path, results: Iterable[PublishedResult]) -> None:
    """Writes one line for each result."""
    path.write_text("".join(f"{result.model_dump_json()}\n" for result in results))


def read_results(path: Path) -> list[PublishedResult]:
    """The results in a file.

    Raises:
        RelocError: a file that is missing or was not written to its end.
    """
    try:
        lines = path.read_text().splitlines()
        return [PublishedResult.model_validate_json(line) for line in lines]
    except (OSError, ValidationError) as error:
        raise RelocError(f"the player left no usable results: {error}") from None


def record_result(
    stamp: int, name: str, result: PublishedResult | None, ground_truth: FloatArray | None
) -> FrameRecord:
    """The record of an image and what was published about it, if anything."""
    if result is None:
        reason = "no answer: the node was busy with other frames, or too slow"
        return FrameRecord(stamp, name, None, reason, ground_truth)
    reason, T_map_camera, covariance = result.reason, None, None
    if result.status is Status.LOCALIZED and not result.pose_published:
        reason = "localized, but the robot's pose was not published (no transform to the base)"
    elif result.status is Status.LOCALIZED:
        T_map_camera = from_quaternion(np.array(result.translation), np.array(result.quaternion))
        covariance = np.array(result.covariance).reshape(6, 6)
    return FrameRecord(
        stamp=stamp,
        name=name,
        T_map_camera=T_map_camera,
        reason=reason,
        ground_truth=ground_truth,
        covariance=covariance,
        score=result.score,
        confidence=result.confidence if result.keyframes else None,
        keyframes=result.keyframes,
        stage_milliseconds=result.stage_milliseconds,
        latency_milliseconds=result.latency_milliseconds,
        status=result.status,
    )
