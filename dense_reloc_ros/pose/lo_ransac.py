"""PoseLib's LO-RANSAC on 2D-3D correspondences of one camera, or of the cameras of a rig."""

from __future__ import annotations

from typing import Any

import numpy as np
import poselib
import torch
from torch import Tensor

from dense_reloc_ros.geometry.rig import Cameras, PointCameras
from dense_reloc_ros.geometry.se3 import to_quaternion

RANSAC_ITERATIONS = 10_000
LEAST_ITERATIONS = 100
"""Of PoseLib's own 1000, most only confirm: it stops when a better pose is improbable (1e-4)."""
RANSAC_SEED = 0


def robust_pose(
    pixels: Tensor,
    points: Tensor,
    intrinsics: Tensor,
    threshold: float,
    guesses: int | None = None,
) -> Tensor | None:
    """PoseLib's LO-RANSAC and refinement on 2D-3D correspondences; T_camera_map (4, 4) or None.

    Args:
        pixels: (N, 2).
        points: (N, 3), metres.
        intrinsics: (4,) fx, fy, cx, cy.
        threshold: largest reprojection error of an inlier in pixels.
        guesses: triplets that are drawn at most where the correspondences come with the surest
            first, which are drawn from first (PROSAC, Chum and Matas, CVPR 2005).
    """
    iterations = RANSAC_ITERATIONS if guesses is None else guesses
    found = consensus(pixels, points, intrinsics, threshold, iterations, guesses is not None)
    return None if found is None else found[0]


def consensus(
    pixels: Tensor,
    points: Tensor,
    intrinsics: Tensor,
    threshold: float,
    iterations: int = RANSAC_ITERATIONS,
    surest_first: bool = False,
) -> tuple[Tensor, Tensor] | None:
    """As `robust_pose`, in at most so many iterations, and which correspondences agree, (N,).

    Triplets of the first correspondences are drawn first where those are the surest (PROSAC).
    """
    if len(pixels) < 4:
        return None
    pose, information = poselib.estimate_absolute_pose(
        pixels.double().cpu().numpy(),
        points.double().cpu().numpy(),
        _pinhole(intrinsics),
        _options(threshold, iterations, surest_first),
        {},
    )
    found = _pose_like(points, pose, information)
    return None if found is None else (found, torch.tensor(information["inliers"]))


def refined_pose(
    T_camera_map: Tensor, pixels: Tensor, points: Tensor, intrinsics: Tensor, scale: float
) -> Tensor:
    """The pose (4, 4) near a first one with the least reprojection error, by a Cauchy loss.

    The other arguments are those of `robust_pose`, but for the loss's scale in pixels.
    """
    pose, _ = poselib.refine_absolute_pose(
        pixels.double().cpu().numpy(),
        points.double().cpu().numpy(),
        _poselib_pose(T_camera_map),
        _pinhole(intrinsics),
        {"loss_type": "CAUCHY", "loss_scale": scale},
    )
    refined = torch.eye(4, dtype=T_camera_map.dtype)
    refined[:3] = torch.from_numpy(pose.Rt).to(refined)
    return refined.to(T_camera_map)


def robust_rig_pose(
    pixels: Tensor,
    points: Tensor,
    cameras: Cameras,
    threshold: float,
    guesses: int | None = None,
) -> Tensor | None:
    """As `robust_pose`, of points that each camera of a rig sees: T_body_map (4, 4) or None.

    Triplets are seen by any cameras (generalized P3P, Kukelova et al., CVPR 2016); `guesses` do not
    matter there.
    """
    if not isinstance(cameras, PointCameras):
        return robust_pose(pixels, points, cameras, threshold, guesses)
    if cameras.index is None:
        return robust_pose(pixels, points, cameras.intrinsics[0], threshold, guesses)
    if len(pixels) < 4:
        return None
    seen = [(cameras.index == camera).nonzero()[:, 0] for camera in range(cameras.count)]
    pose, information = poselib.estimate_generalized_absolute_pose(
        [pixels[of_camera].double().cpu().numpy() for of_camera in seen],
        [points[of_camera].double().cpu().numpy() for of_camera in seen],
        [_poselib_pose(T_camera_body) for T_camera_body in cameras.T_camera_body],
        [_pinhole(intrinsics) for intrinsics in cameras.intrinsics],
        _options(threshold),
        {},
    )
    return _pose_like(points, pose, information)


def _pinhole(intrinsics: Tensor) -> dict[str, Any]:
    """A camera of PoseLib."""
    width, height = (2 * intrinsics[2:]).ceil().int().tolist()
    params = intrinsics.tolist()
    return {"model": "PINHOLE", "width": width, "height": height, "params": params}


def _options(
    threshold: float, iterations: int = RANSAC_ITERATIONS, surest_first: bool = False
) -> dict[str, Any]:
    return {
        "max_reproj_error": threshold,
        "seed": RANSAC_SEED,
        "max_iterations": iterations,
        "min_iterations": LEAST_ITERATIONS,
        "progressive_sampling": surest_first,
    }


def _poselib_pose(T_camera_other: Tensor) -> poselib.CameraPose:
    """A pose (4, 4) as PoseLib has it."""
    matrix = T_camera_other.double().cpu().numpy()
    pose = poselib.CameraPose()
    pose.q = np.roll(to_quaternion(matrix), 1)
    pose.t = matrix[:3, 3]
    return pose


def _pose_like(
    points: Tensor, pose: poselib.CameraPose, information: dict[str, Any]
) -> Tensor | None:
    """PoseLib's pose as a tensor (4, 4) like the points, if it has inliers."""
    if information["num_inliers"] < 4:
        return None
    T_camera_map = torch.eye(4, dtype=points.dtype)
    T_camera_map[:3] = torch.from_numpy(pose.Rt).to(points.dtype)
    return T_camera_map.to(points)
