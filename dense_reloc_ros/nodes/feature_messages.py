"""Results with their dense features as messages, for a temporal_fusion in another process."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import torch
from geometry_msgs.msg import Pose, Quaternion
from rclpy.qos import QoSProfile
from torch import Tensor

from dense_reloc_ros.errors import InputError
from dense_reloc_ros.features.extractor import DenseFeatures, FeatureLevel
from dense_reloc_ros.geometry.camera_info import camera_from_info
from dense_reloc_ros.geometry.se3 import to_quaternion
from dense_reloc_ros.localization.localizer import Localizer
from dense_reloc_ros.localization.result import FeatureView, Localization, PoseEstimate, Status
from dense_reloc_ros.msg import FeatureLevel as FeatureLevelMessage
from dense_reloc_ros.msg import LocalizedFrame as LocalizedFrameMessage
from dense_reloc_ros.nodes.conversions import nanoseconds, pose_from_message, pose_to_message
from dense_reloc_ros.nodes.frame_result import FrameResult
from dense_reloc_ros.nodes.robot_frames import FrameHeader

LOCALIZED_FRAME_QOS = QoSProfile(depth=2)
"""Messages of several MB: who does not keep up misses some."""


def localized_frame_message(result: FrameResult) -> LocalizedFrameMessage:
    """A result without its image; features in half precision."""
    message = LocalizedFrameMessage(result=result.message, camera_info=result.camera_info)
    estimate, features = result.localization.estimate, result.localization.features
    if estimate is not None:
        message.has_estimate = True
        message.estimate = pose_to_message(estimate.T_map_camera, estimate.covariance)
        message.supporting_points.extend(estimate.supporting_points.tolist())
    if features is not None:
        message.levels = [_level_to_message(*level) for level in features.levels.items()]
        if result.localization.view is not None:
            _set_view(message, result.localization.view)
        message.global_descriptor.frombytes(
            features.global_descriptor[0].float().cpu().numpy().tobytes()
        )
    return message


def result_from_message(message: LocalizedFrameMessage, localizer: Localizer | None) -> FrameResult:
    """The result, with its features where `localizer`, the one for its map, computes.

    Raises:
        InputError: a message that contradicts itself.
    """
    result = message.result
    device = torch.device("cpu") if localizer is None else localizer.device
    header = FrameHeader(
        nanoseconds(result.header.stamp),
        result.camera_frame_id,
        time.monotonic() - 1e-3 * result.latency_milliseconds,
    )
    features = None
    if message.levels:
        features = DenseFeatures(
            {level.name: _level_from_message(level, device) for level in message.levels},
            torch.tensor(message.global_descriptor, device=device)[None],
        )
    localization = Localization(
        Status(result.status),
        result.reason,
        _estimate(message) if message.has_estimate else None,
        dict(zip(result.stage_names, map(float, result.stage_milliseconds), strict=True)),
        features,
        _view(message) if message.view.width else None,
    )
    is_usable = localization.status is not Status.INVALID_INPUT  # nor may be its intrinsics
    camera = camera_from_info(message.camera_info) if is_usable else None
    return FrameResult(header, message.camera_info, localization, result, localizer, camera)


def _estimate(message: LocalizedFrameMessage) -> PoseEstimate:
    return PoseEstimate(
        pose_from_message(message.estimate.pose),
        np.asarray(message.estimate.covariance).reshape(6, 6),
        message.result.score,
        np.array(message.supporting_points, dtype=np.int64),
        tuple(message.result.keyframes),
        confidence=message.result.confidence,
    )


def _set_view(message: LocalizedFrameMessage, view: FeatureView) -> None:
    camera = view.camera
    message.view.width, message.view.height = camera.width, camera.height
    message.view.distortion_model = camera.distortion_model
    message.view.k = camera.matrix.ravel()
    x, y, z, w = map(float, to_quaternion(view.T_camera_view))
    message.view_orientation = Quaternion(x=x, y=y, z=z, w=w)


def _view(message: LocalizedFrameMessage) -> FeatureView:
    turned = Pose(orientation=message.view_orientation)
    return FeatureView(camera_from_info(message.view), pose_from_message(turned))


def _level_to_message(name: str, level: FeatureLevel) -> FeatureLevelMessage:
    channels, height, width = level.values.shape[1:]
    message = FeatureLevelMessage(
        name=name,
        stride=level.stride,
        offset=float(level.offset),
        channels=channels,
        height=height,
        width=width,
    )
    message.values.frombytes(level.values[0].half().cpu().contiguous().numpy().tobytes())
    return message


def _level_from_message(message: FeatureLevelMessage, device: torch.device) -> FeatureLevel:
    shape = (message.channels, message.height, message.width)
    return FeatureLevel(message.stride, message.offset, _halves(message, shape).to(device).float())


def _halves(message: FeatureLevelMessage, shape: Sequence[int]) -> Tensor:
    """The values (1, C, h, w) in a buffer of their own."""
    expected = 2 * int(np.prod(shape, dtype=np.int64))
    if len(message.values) != expected:
        raise InputError(
            f"level '{message.name}' has {len(message.values)} bytes, but {expected} in its shape"
        )
    values = np.frombuffer(message.values, dtype="<f2").reshape(1, *shape)
    return torch.from_numpy(values.copy())
