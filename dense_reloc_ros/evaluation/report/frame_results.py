"""What became of each frame, as JSON for programs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pydantic import BaseModel, TypeAdapter, ValidationError

from dense_reloc_ros.errors import InputError
from dense_reloc_ros.evaluation.metrics.accuracy import WRONG
from dense_reloc_ros.evaluation.metrics.frame_record import FrameRecord
from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.se3 import PoseError, from_quaternion, to_quaternion

FRAMES_FILE = "frames.json"


class FramePose(BaseModel):
    """A pose of the camera's optical frame in the map."""

    position: tuple[float, ...]
    """x, y, z in metres."""
    orientation: tuple[float, ...]
    """Quaternion x, y, z, w."""

    def matrix(self) -> FloatArray:
        """(4, 4) T_map_camera."""
        return from_quaternion(np.array(self.position), np.array(self.orientation))


class FrameOutcome(BaseModel):
    """One element of `frames.json`; what is not known is null."""

    name: str
    """The image's file, or its number in the bag."""
    stamp_ns: int
    """When it was taken, nanoseconds."""
    status: str | None
    """LOCALIZED, REJECTED, NO_CANDIDATES or INVALID_INPUT; null where nobody answered."""
    reason: str
    """Why there is no pose."""
    pose: FramePose | None
    """The published one."""
    rejected_pose: FramePose | None = None
    """One that was found but not published; null also where nobody tells."""
    ground_truth: FramePose | None = None
    covariance: tuple[tuple[float, ...], ...] | None
    """6x6 of the pose, translation first, in the axes of the map."""
    score: float | None
    confidence: float | None
    """Probability that the pose is right."""
    translation_error_m: float | None
    rotation_error_deg: float | None
    nees_over_6: float | None
    latency_ms: float | None
    stages_ms: dict[str, float]
    keyframes: tuple[int, ...]
    """Of the map, that the frame was localized against."""

    @property
    def is_wrong(self) -> bool:
        """Whether the published pose would mislead a robot."""
        if self.translation_error_m is None or self.rotation_error_deg is None:
            return False
        return not WRONG.holds(
            PoseError(self.translation_error_m, math.radians(self.rotation_error_deg))
        )


def frame_outcomes(records: Sequence[FrameRecord]) -> str:
    """The text of `frames.json`, a list with an object for each frame in their order."""
    outcomes = [_outcome(record) for record in records]
    return TypeAdapter(list[FrameOutcome]).dump_json(outcomes, indent=2).decode() + "\n"


def read_frame_outcomes(report: Path) -> list[FrameOutcome]:
    """What `frames.json` in the folder of a report holds.

    Raises:
        InputError: no such file, or another content.
    """
    path = report / FRAMES_FILE
    try:
        return TypeAdapter(list[FrameOutcome]).validate_json(path.read_bytes())
    except OSError as error:
        raise InputError(
            f"{path}: {error.strerror}; dense-reloc localize or replay writes it"
        ) from None
    except ValidationError as error:
        raise InputError(
            f"{path}: not the frames of a report: {error.errors()[0]['msg']}"
        ) from None


def _outcome(record: FrameRecord) -> FrameOutcome:
    error = record.error
    return FrameOutcome(
        name=record.name,
        stamp_ns=record.stamp,
        status=None if record.status is None else record.status.name,
        reason=record.reason,
        pose=_pose(record.T_map_camera),
        rejected_pose=_pose(record.rejected_pose),
        ground_truth=_pose(record.ground_truth),
        covariance=None
        if record.covariance is None
        else tuple(tuple(map(float, row)) for row in record.covariance),
        score=_finite(record.score),
        confidence=_finite(record.confidence),
        translation_error_m=None if error is None else error.translation,
        rotation_error_deg=None if error is None else math.degrees(error.rotation),
        nees_over_6=_finite(record.normalized_error),
        latency_ms=_finite(record.latency_milliseconds),
        stages_ms=dict(record.stage_milliseconds),
        keyframes=tuple(map(int, record.keyframes)),
    )


def _pose(T_map_camera: FloatArray | None) -> FramePose | None:
    if T_map_camera is None:
        return None
    return FramePose(
        position=tuple(map(float, T_map_camera[:3, 3])),
        orientation=tuple(map(float, to_quaternion(T_map_camera))),
    )


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
