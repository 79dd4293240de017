"""Reprojection error: the baselines that keep only the best pixel of each correspondence map."""

from __future__ import annotations

import torch
from torch import Tensor

from dense_reloc_ros.configuration import LocalizerConfiguration
from dense_reloc_ros.geometry.projection import project, projection_jacobian
from dense_reloc_ros.geometry.rig import cameras_of
from dense_reloc_ros.pose.covariance import to_map_axes
from dense_reloc_ros.pose.gnc import refine, sigma_schedule
from dense_reloc_ros.pose.lo_ransac import robust_rig_pose
from dense_reloc_ros.pose.loss_maps import one_hot_loss_maps
from dense_reloc_ros.pose.problem import FoundPose, PoseProblem, fine_maps_of


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


def best_fine_pixels(problem: PoseProblem, window: int) -> tuple[Tensor, Tensor]:
    """Each point's best pixel (M, 2), coarse, then in a window around it, and its gain there."""
    coarse_pixels, _ = problem.coarse_maps.best_pixels
    return problem.fine_maps(coarse_pixels, window).best_pixels


def correspondences(problem: PoseProblem, window: int) -> tuple[Tensor, Tensor]:
    """Each point's best pixel (M, 2), and which exist, (M,)."""
    pixels, gains = best_fine_pixels(problem, window)
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
        cameras_of(known, problem.intrinsics),
        maps,
        sigma_schedule(nre.fine_sigma, nre.last_sigma, nre.sigma_steps),
        nre.iterations,
    )[0]
    return fine_maps_of(problem, pose, configuration.nre.window)


def _pose_of_correspondences(
    problem: PoseProblem, pixels: Tensor, known: Tensor, configuration: LocalizerConfiguration
) -> Tensor | None:
    threshold, cameras = configuration.reprojection.threshold, cameras_of(known, problem.intrinsics)
    return robust_rig_pose(pixels[known], problem.points[known], cameras, threshold)
