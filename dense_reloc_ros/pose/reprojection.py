"""Reprojection error: the baseline that keeps only the best pixel of each correspondence map."""

from __future__ import annotations

import poselib
import torch
from torch import Tensor


def robust_pose(
    pixels: Tensor, points: Tensor, intrinsics: Tensor, threshold: float, seed: int = 0
) -> Tensor | None:
    """PoseLib's LO-RANSAC and refinement on 2D-3D correspondences; T_camera_map (4, 4) or None.

    Args:
        pixels: (N, 2).
        points: (N, 3), metres.
        intrinsics: (4,) fx, fy, cx, cy.
        threshold: largest reprojection error of an inlier in pixels.
        seed: of the sampling.
    """
    if len(pixels) < 4:
        return None
    size = (2 * intrinsics[2:]).tolist()
    camera = {
        "model": "PINHOLE",
        "width": int(size[0]),
        "height": int(size[1]),
        "params": intrinsics.tolist(),
    }
    ransac = {"max_reproj_error": threshold, "seed": seed, "max_iterations": 10_000}
    pose, information = poselib.estimate_absolute_pose(
        pixels.double().cpu().numpy(), points.double().cpu().numpy(), camera, ransac, {}
    )
    if information["num_inliers"] < 4:
        return None
    T_camera_map = torch.eye(4, dtype=points.dtype)
    T_camera_map[:3] = torch.from_numpy(pose.Rt).to(points.dtype)
    return T_camera_map.to(points.device)
