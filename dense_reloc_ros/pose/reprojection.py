"""Reprojection error: the baselines that keep only the best pixel of each correspondence map."""

from __future__ import annotations

import poselib
import torch
from torch import Tensor

from dense_reloc_ros.configuration import LocalizerConfiguration
from dense_reloc_ros.geometry.projection import project, projection_jacobian
from dense_reloc_ros.pose.covariance import to_map_axes
from dense_reloc_ros.pose.gnc import refine, sigma_schedule
from dense_reloc_ros.pose.loss_maps import one_hot_loss_maps
from dense_reloc_ros.pose.problem import FoundPose, PoseProblem, fine_maps_of

RANSAC_ITERATIONS = 10_000
RANSAC_SEED = 0


def robust_pose(
    pixels: Tensor, points: Tensor, intrinsics: Tensor, threshold: float
) -> Tensor | None:
    """PoseLib's LO-RANSAC and refinement on 2D-3D correspondences; T_camera_map (4, 4) or None.

    Args:
        pixels: (N, 2).
        points: (N, 3), metres.
        intrinsics: (4,) fx, fy, cx, cy.
        threshold: largest reprojection error of an inlier in pixels.
    """
    if len(pixels) < 4:
        return None
    width, height = (2 * intrinsics[2:]).ceil().int().tolist()
    camera = {
        "model": "PINHOLE",
        "width": width,
        "height": height,
        "params": intrinsics.tolist(),
    }
    pose, information = poselib.estimate_absolute_pose(
        pixels.double().cpu().numpy(),
        points.double().cpu().numpy(),
        camera,
        {"max_reproj_error": threshold, "seed": RANSAC_SEED, "max_iterations": RANSAC_ITERATIONS},
        {},
    )
    if information["num_inliers"] < 4:
        return None
    T_camera_map = torch.eye(4, dtype=points.dtype)
    T_camera_map[:3] = torch.from_numpy(pose.Rt).to(points.dtype)
    return T_camera_map.to(points.device)


def reprojection_covariance(
    T_camera_map: Tensor, points: Tensor, pixels: Tensor, intrinsics: Tensor
) -> Tensor:
    """Covariance (6, 6) of T_map_camera at the pose (4, 4) with the smallest reprojection error.

    That of Gauss-Newton, the variance of the residuals estimated from themselves; in ROS order
    (x, y, z, rotX, rotY, rotZ) about the fixed axes of the map frame.

    Args:
        T_camera_map: (4, 4).
        points: (N, 3), metres in the map frame.
        pixels: where they were seen, (N, 2).
        intrinsics: (4,) fx, fy, cx, cy.
    """
    projected, in_camera = project(T_camera_map[None], points, intrinsics)
    residuals = (projected[0] - pixels).flatten()
    jacobian = projection_jacobian(in_camera[0], intrinsics).flatten(0, 1)
    variance = residuals.square().sum() / max(len(residuals) - 6, 1)
    return to_map_axes(variance * torch.linalg.pinv(jacobian.T @ jacobian), T_camera_map)


def correspondences(problem: PoseProblem, window: int) -> tuple[Tensor, Tensor]:
    """Each point's best pixel (M, 2), coarse, then in a window around it, and which exist."""
    coarse_pixels, _ = problem.coarse_maps.best_pixels()
    pixels, gains = problem.fine_maps(coarse_pixels, window).best_pixels()
    return pixels, gains > 0


def estimate_reprojection(
    problem: PoseProblem, configuration: LocalizerConfiguration
) -> FoundPose | None:
    """RE: LO-RANSAC with non-linear refinement on the best pixels (thesis eq. 4.1)."""
    pose = _pose_of_correspondences(
        problem, *correspondences(problem, configuration.nre.window), configuration
    )
    if pose is None:
        return None
    return fine_maps_of(problem, pose, configuration.nre.window)


def estimate_smoothed_reprojection(
    problem: PoseProblem, configuration: LocalizerConfiguration
) -> FoundPose | None:
    """RE as a special case of NRE: GNC on one-hot loss maps from RE's pose (thesis eq. 4.11)."""
    nre = configuration.nre
    pixels, known = correspondences(problem, configuration.nre.window)
    start = _pose_of_correspondences(problem, pixels, known, configuration)
    if start is None:
        return None
    height, width = problem.fine_level.values.shape[-2:]
    maps = one_hot_loss_maps(pixels[known], 1 + height * width, problem.fine_level.stride)
    pose = refine(
        start[None],
        problem.points[known],
        problem.intrinsics,
        maps,
        sigma_schedule(nre.fine_sigma, nre.last_sigma, nre.sigma_steps),
        nre.iterations,
    )[0]
    return fine_maps_of(problem, pose, configuration.nre.window)


def _pose_of_correspondences(
    problem: PoseProblem, pixels: Tensor, known: Tensor, configuration: LocalizerConfiguration
) -> Tensor | None:
    threshold = configuration.reprojection.threshold
    return robust_pose(pixels[known], problem.points[known], problem.intrinsics, threshold)
