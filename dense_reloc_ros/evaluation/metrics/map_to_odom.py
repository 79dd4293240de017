"""How far the transform from the map to the odometry is off while a robot moves.

It is what a localizer owns on TF (REP 105). Errors are those of the transform itself, at the origin
of the odometry: the further the robot is from there, the more an error of its heading counts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from pydantic import BaseModel, ConfigDict

from dense_reloc_ros.evaluation.metrics.accuracy import Threshold
from dense_reloc_ros.evaluation.metrics.frame_record import FrameRecord
from dense_reloc_ros.geometry.se3 import PoseError, inverse, pose_error
from dense_reloc_ros.geometry.trajectory import Trajectory

BOUND = Threshold(0.05, 1.0)


@dataclass(frozen=True)
class Correction:
    """The transform when a frame was taken: how far it is off, and would be without localizing."""

    stamp: int
    """Nanoseconds."""
    error: PoseError
    drift: PoseError
    """If the transform had stayed as it truly was in the first of the frames."""


class MapToOdom(BaseModel):
    """The errors from the first localized frame on."""

    model_config = ConfigDict(frozen=True)

    frames: int
    """From the first pose on."""
    within: float
    """Share of the frames when it is off by at most 5 cm and 1 degree."""
    worst_translation_m: float
    """The largest error."""
    worst_rotation_deg: float
    """The largest error."""
    median_translation_m: float
    """The median error."""
    median_rotation_deg: float
    """The median error."""
    drift_translation_m: float
    """The largest error if the transform had stayed as it truly was in the first of the frames."""
    drift_rotation_deg: float
    """As above."""


def with_odometry(records: Sequence[FrameRecord], odometry: Trajectory | None) -> list[FrameRecord]:
    """The records with T_odom_camera at their times; as they are where there is no odometry."""
    if odometry is None:
        return list(records)
    return [replace(record, T_odom_camera=odometry.between(record.stamp)) for record in records]


def corrections(records: Sequence[FrameRecord]) -> list[Correction]:
    """Those of frames with odometry and a ground truth, in order, from the first localized on.

    A frame that gives no pose leaves the transform as it is.
    """
    found: list[Correction] = []
    T_map_odom = T_first = None
    for record in records:
        if record.T_odom_camera is None or record.ground_truth is None:
            continue
        T_camera_odom = inverse(record.T_odom_camera)
        if record.T_map_camera is not None:
            T_map_odom = record.T_map_camera @ T_camera_odom
        if T_map_odom is None:
            continue
        truth = record.ground_truth @ T_camera_odom
        T_first = truth if T_first is None else T_first
        found.append(
            Correction(record.stamp, pose_error(T_map_odom, truth), pose_error(T_first, truth))
        )
    return found


def map_to_odom(records: Sequence[FrameRecord]) -> MapToOdom | None:
    """The errors over `corrections`, None where there are none."""
    found = corrections(records)
    if not found:
        return None
    errors = [correction.error for correction in found]
    translations = [error.translation for error in errors]
    rotations = [math.degrees(error.rotation) for error in errors]
    return MapToOdom(
        frames=len(found),
        within=sum(map(BOUND.holds, errors)) / len(found),
        worst_translation_m=max(translations),
        worst_rotation_deg=max(rotations),
        median_translation_m=float(np.median(translations)),
        median_rotation_deg=float(np.median(rotations)),
        drift_translation_m=max(correction.drift.translation for correction in found),
        drift_rotation_deg=math.degrees(max(correction.drift.rotation for correction in found)),
    )
