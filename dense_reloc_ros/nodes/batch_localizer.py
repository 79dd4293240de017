"""Localizes the images of a SLAM's keyframes: what ~/relocalize_batch does."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
from sensor_msgs.msg import CameraInfo

from dense_reloc_ros.errors import InputError, RelocError
from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.odometry_noise import OdometryNoise
from dense_reloc_ros.geometry.se3 import inverse
from dense_reloc_ros.geometry.trajectory import Trajectory
from dense_reloc_ros.loop_closure.consistency import consistent_constraints
from dense_reloc_ros.msg import LoopClosure
from dense_reloc_ros.nodes.camera_input import Frame
from dense_reloc_ros.nodes.conversions import nanoseconds, pose_from_message
from dense_reloc_ros.nodes.frame_localizer import FrameLocalizer
from dense_reloc_ros.nodes.frame_result import FrameResult
from dense_reloc_ros.nodes.loop_closures import constraint_of, loop_closure_message, mount_of
from dense_reloc_ros.nodes.robot_frames import RobotFrames
from dense_reloc_ros.srv import ChooseMap, RelocalizeBatch


def relocalize_batch(
    request: RelocalizeBatch.Request,
    camera_info: CameraInfo | None,
    frames: FrameLocalizer,
    robot: RobotFrames,
) -> RelocalizeBatch.Response:
    """The answer to a request; `camera_info` is the newest of the camera, where there is one."""
    response = RelocalizeBatch.Response()
    try:
        batch = frames_of(request, camera_info)
        odometry = [pose_from_message(pose) for pose in request.odometry]
        if odometry and len(odometry) != len(batch):
            raise InputError(f"{len(odometry)} poses of the odometry for {len(batch)} images")
    except RelocError as error:
        response.message = str(error)
        return response
    constraints = []
    for index, result in enumerate(frames.localize_many(batch)):
        response.results.append(result.message)
        T_odom_base = _odometry(result, odometry[index] if odometry else None, robot)
        if T_odom_base is not None:
            frame_id = robot.settings.odom_frame
            constraints.append(loop_closure_message(result, T_odom_base, frame_id))
    response.success = True
    response.constraints = with_consistency(constraints)
    return response


def with_consistency(constraints: Sequence[LoopClosure]) -> list[LoopClosure]:
    """The constraints in the order of time, marked by whether they agree with each other."""
    ordered = sorted(constraints, key=lambda message: nanoseconds(message.header.stamp))
    if not ordered:
        return []
    stamps = np.array([nanoseconds(message.header.stamp) for message in ordered], dtype=np.int64)
    poses = np.array([pose_from_message(message.odometry) for message in ordered])
    known = np.unique(stamps, return_index=True)[1]
    odometry = Trajectory(stamps[known], poses[known])
    agree = consistent_constraints(
        [constraint_of(message) for message in ordered], odometry, OdometryNoise()
    )
    for message, is_consistent in zip(ordered, agree.tolist(), strict=True):
        message.consistent = is_consistent
    return ordered


def frames_of(
    request: RelocalizeBatch.Request | ChooseMap.Request, camera_info: CameraInfo | None
) -> list[Frame]:
    """The images with their intrinsics, where the request has none the newest of the camera.

    Raises:
        InputError: no images, or images and intrinsics that do not fit each other.
    """
    images = [*request.images, *request.compressed_images]
    infos = list(request.camera_infos)
    if not images:
        raise InputError("the request has no images")
    if not infos:
        if camera_info is None:
            raise InputError("the request has no camera_infos, and the camera has sent none yet")
        infos = [camera_info]
    if len(infos) not in (1, len(images)):
        raise InputError(f"{len(infos)} camera_infos for {len(images)} images")
    if len(infos) == 1:
        infos *= len(images)
    stamps = [nanoseconds(image.header.stamp) for image in images]
    if 0 in stamps:
        raise InputError(f"image {stamps.index(0)} of the request has no stamp")
    received = time.monotonic()
    return [
        Frame(image, info, received, stamp)
        for image, info, stamp in zip(images, infos, stamps, strict=True)
    ]


def _odometry(
    result: FrameResult, given: FloatArray | None, robot: RobotFrames
) -> FloatArray | None:
    """T_odom_base at a localized frame's time: as given, or by TF; None where there is none."""
    if not result.message.base_frame_id:
        return None
    if given is not None:
        return given
    T_odom_camera = robot.camera_in_odometry(result.header)
    return None if T_odom_camera is None else T_odom_camera @ inverse(mount_of(result))
