"""What became of a frame, as the message that says so."""

from __future__ import annotations

import time
from dataclasses import dataclass

from dense_reloc_ros.geometry.base_pose import base_pose
from dense_reloc_ros.localization.result import Localization
from dense_reloc_ros.msg import RelocResult
from dense_reloc_ros.nodes.conversions import pose_to_message, time_message
from dense_reloc_ros.nodes.robot_frames import FrameHeader, RobotFrames


@dataclass(frozen=True)
class MapIdentity:
    """Which map, with which method, a pose is about."""

    frame_id: str
    revision: str
    method: str


def result_message(
    header: FrameHeader, localization: Localization, identity: MapIdentity, robot: RobotFrames
) -> RelocResult:
    """The message for a frame; waits for the pose of the base in the camera where it needs it."""
    T_camera_base = robot.base_in_camera(header) if localization.is_localized else None
    result = RelocResult(
        status=localization.status.value,
        reason=localization.reason,
        camera_frame_id=header.frame_id,
        map_revision=identity.revision,
        method=identity.method,
        stage_names=list(localization.stage_milliseconds),
        stage_milliseconds=list(localization.stage_milliseconds.values()),
        latency_milliseconds=1e3 * (time.monotonic() - header.received),
    )
    result.header.stamp = time_message(header.stamp)
    result.header.frame_id = identity.frame_id
    estimate = localization.estimate
    if estimate is None:
        return result
    result.score = float(estimate.score)
    result.confidence = float(estimate.confidence or 0.0)
    result.supporting_points = len(estimate.supporting_points)
    result.keyframes = [int(keyframe) for keyframe in estimate.keyframes]
    if localization.is_localized:
        result.camera_pose = pose_to_message(estimate.T_map_camera, estimate.covariance)
        if T_camera_base is not None:
            result.base_frame_id = robot.base_frame(header)
            result.pose = pose_to_message(
                *base_pose(estimate.T_map_camera, estimate.covariance, T_camera_base)
            )
    return result
