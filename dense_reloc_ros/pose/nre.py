"""The NRE pose estimator: MSAC + P3P, then GNC, coarse to fine (thesis 4.4)."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from dense_reloc_ros.geometry.projection import project
from dense_reloc_ros.geometry.rig import cameras_of
from dense_reloc_ros.method_configuration import NreConfiguration
from dense_reloc_ros.pose.gains import gains_at_poses
from dense_reloc_ros.pose.gnc import refine, sigma_schedule
from dense_reloc_ros.pose.lo_ransac import robust_rig_pose
from dense_reloc_ros.pose.loss_maps import LossMaps
from dense_reloc_ros.pose.msac import best_distinct, cheapest, sample_poses, score
from dense_reloc_ros.pose.problem import CoarseProblem, FoundPose, PoseProblem, fine_maps_of
from dense_reloc_ros.pose.reprojection import best_fine_pixels

SAMPLING_SEED = 0
CHEAPEST_SHARE = 16
"""Sampled poses, for each that is refined, among which distinct ones are chosen."""
DISTINCT = 0.05
"""Sampled poses that differ by fewer radians would fall into the same minimum.

The same number times the distance of the points bounds how far apart they are, so that the unit of
length does not matter; also below.
"""
GUESSING_MAPS = 400
"""Maps, those with the highest gains, whose best pixels RE's pose comes from."""
GUESSING_ITERATIONS = 2000
"""Of RANSAC at most, which begins with the surest maps; sampled poses follow where they fail."""
PROMISING_SHARE = 0.5
"""Of the best start's gain: the others must have as much to be refined."""
MISSED = 1e-4
"""Probability that no triplet of supporting maps is drawn."""
LEAST_GAIN = 0.1
"""Of the most that a map can gain: the many cells that gain less cost time and change no pose."""
COARSE_TOLERANCE = 1e-2
"""Of the coarse refinement: the fine maps only need its pose to a fraction of their windows."""
SURE_GAIN = 0.2
"""Of the most that a map can gain, on average over the points in sight."""
INLIER_CELLS = 2.0
"""Reprojection error of an inlier of RE's pose, in cells of the fine maps."""
SAME = 0.01
"""Refined poses that differ by fewer radians are the same."""


def estimate_nre(
    problem: PoseProblem, configuration: NreConfiguration, prior_T_camera_map: Tensor | None = None
) -> FoundPose | None:
    """The pose whose reprojections fall into the cheap places of all loss maps (eq. 4.6).

    RE's pose is refined first. Where its points do not clearly agree with it, the cheapest poses
    on the coarse maps compete with it, a prior (4, 4) among them. What decides are the fine maps:
    on coarse ones, wide maps of points that are out of sight can add up to more than the truth.
    None where no three points match anywhere.
    """
    pixels, gains = best_fine_pixels(problem, configuration.window)
    guesses = _exact_guesses(problem, pixels, gains, prior_T_camera_map)
    first = refine_fine(problem, guesses, configuration)
    if first is not None and _is_sure(problem, first):
        return first
    # Of rigs it was not measured how little is hopeless.
    is_rig = problem.images is not None
    if (
        not is_rig
        and _support_in_cells(problem, pixels, gains, guesses) < configuration.least_support
    ):
        return first
    coarse = coarse_poses(problem, configuration, prior_T_camera_map)
    found = [pose for pose in (first, refine_fine(problem, coarse, configuration)) if pose]
    return max(found, key=lambda pose: float(pose.gains(problem).sum()), default=None)


def _exact_guesses(
    problem: PoseProblem, pixels: Tensor, gains: Tensor, prior_T_camera_map: Tensor | None
) -> Tensor:
    """RE's pose by best pixels (M, 2) of fine maps with gains (M,), and the prior: (B, 4, 4)."""
    threshold = INLIER_CELLS * problem.fine_level.stride
    pose = _guess(problem, pixels, _surest(gains, len(gains)), threshold)
    return _stacked(problem, pose, prior_T_camera_map)


def _support_in_cells(problem: PoseProblem, pixels: Tensor, gains: Tensor, guesses: Tensor) -> int:
    """The most coarse cells in which best pixels (M, 2) are where one of some guesses has them.

    Of maps with gains (M,); many points in one cell say no more than one.
    """
    projected, _ = project(guesses, problem.points, problem.intrinsics)
    threshold = INLIER_CELLS * problem.fine_level.stride
    near = ((projected - pixels).norm(dim=-1) < threshold) & (gains > 0)
    cells = (pixels / problem.coarse_level.stride).int().numpy()
    return max((len(np.unique(cells[agrees], axis=0)) for agrees in near.numpy()), default=0)


def _surest(gains: Tensor, most: int) -> Tensor:
    """Which of some maps, with gains (M,), know the most: indices, the surest first."""
    order = gains.argsort(descending=True, stable=True)[:most]
    return order[gains[order] > 0]


def _guess(
    problem: CoarseProblem, pixels: Tensor, chosen: Tensor, threshold: float
) -> Tensor | None:
    """RE's pose (4, 4) by the best pixels of the chosen points, the surest first."""
    cameras = cameras_of(chosen, problem.intrinsics)
    return robust_rig_pose(
        pixels[chosen], problem.points[chosen], cameras, threshold, GUESSING_ITERATIONS
    )


def _stacked(problem: CoarseProblem, *poses: Tensor | None) -> Tensor:
    """Those poses (4, 4) that exist, (B, 4, 4)."""
    existing = [pose.to(problem.points) for pose in poses if pose is not None]
    return torch.stack(existing) if existing else problem.points.new_zeros(0, 4, 4)


def _is_sure(problem: PoseProblem, found: FoundPose) -> bool:
    """Whether the points that a pose puts into the image agree with it on the whole."""
    pixels, _ = project(found.T_camera_map[None], problem.points, problem.intrinsics)
    cells = problem.fine_level.pixels_to_cells(pixels[0]).cpu().numpy()
    last = problem.fine_level.size(problem.images).cpu().numpy() - 1
    gains = found.gains(problem).cpu().numpy()[((cells >= 0) & (cells <= last)).all(-1)]
    return len(gains) > 0 and float(gains.mean()) > SURE_GAIN * found.fine_maps.outlier_loss


def estimate_nre_coarse(
    problem: PoseProblem, configuration: NreConfiguration, prior_T_camera_map: Tensor | None = None
) -> FoundPose | None:
    """The pose that `estimate_nre` has before it looks at fine maps, which only judge it here."""
    coarse = coarse_poses(problem, configuration, prior_T_camera_map)
    return fine_maps_of(problem, coarse[0], configuration.window) if len(coarse) else None


def coarse_poses(
    problem: CoarseProblem, configuration: NreConfiguration, prior_T_camera_map: Tensor | None
) -> Tensor:
    """The cheapest distinct poses (B, 4, 4) on the coarse maps, the cheapest first."""
    maps = problem.coarse_maps
    starts = initial_poses(problem, maps, configuration, prior_T_camera_map)
    return refine_coarse(problem, maps, starts, configuration) if len(starts) else starts


def initial_poses(
    problem: CoarseProblem,
    maps: LossMaps,
    configuration: NreConfiguration,
    prior_T_camera_map: Tensor | None,
) -> Tensor:
    """Where the refinement starts, (B, 4, 4): RE's pose, the prior and sampled ones (4.4.1).

    Of these the cheapest distinct ones that gain nearly as much as the best: where RE's pose
    explains most maps, it is refined alone.
    """
    guesses = _guesses(problem, maps, prior_T_camera_map)
    costs = score(maps, problem.points, problem.intrinsics, guesses)
    sampled = sample_poses(
        maps,
        problem.points,
        problem.intrinsics,
        samples_needed(_support(problem, maps, guesses, costs), configuration.samples),
        torch.Generator().manual_seed(SAMPLING_SEED),
    )
    count = configuration.refined_samples
    sampled, sampled_costs = cheapest(
        maps, problem.points, problem.intrinsics, sampled, CHEAPEST_SHARE * count
    )
    poses, costs = torch.cat([guesses, sampled]), torch.cat([costs, sampled_costs])
    if not len(poses):
        return poses
    distance = DISTINCT * _points_distance(problem, poses)
    chosen = best_distinct(poses, costs, len(guesses) + count, distance, DISTINCT)
    gains = maps.truncated_cost - costs[chosen]
    return poses[chosen[gains >= PROMISING_SHARE * gains.max()]]


def samples_needed(support: float, most: int) -> int:
    """How many triplets are enough to draw one of supporting maps alone, almost surely.

    RANSAC's criterion, with the share of the maps that support the best pose so far. Capped.
    """
    of_three = min(support**3, 0.99)
    if of_three <= 0:
        return most
    return min(most, math.ceil(math.log(MISSED) / math.log1p(-of_three)))


def _guesses(problem: CoarseProblem, maps: LossMaps, prior_T_camera_map: Tensor | None) -> Tensor:
    """RE's pose and the prior, those that exist, (B, 4, 4)."""
    pixels, gains = maps.best_pixels
    by_reprojection = _guess(problem, pixels, _surest(gains, GUESSING_MAPS), 1.5 * maps.stride)
    return _stacked(problem, by_reprojection, prior_T_camera_map)


def _support(problem: CoarseProblem, maps: LossMaps, poses: Tensor, costs: Tensor) -> float:
    """The share of the maps that know anything which gain at the best of poses (B, 4, 4)."""
    if not len(poses):
        return 0.0
    best = poses[costs.argmin()][None]
    supporting = gains_at_poses(maps, problem.points, problem.intrinsics, best)[0] > 0
    return int(supporting.sum()) / max(1, int((maps.best_pixels[1] > 0).sum()))


def refine_coarse(
    problem: CoarseProblem, maps: LossMaps, starts: Tensor, configuration: NreConfiguration
) -> Tensor:
    """The cheapest distinct poses (B, 4, 4) after GNC on the coarse maps (4.4.2)."""
    sigmas = sigma_schedule(
        configuration.coarse_sigma, configuration.last_sigma, configuration.sigma_steps
    )
    refined = refine(
        starts,
        problem.points,
        problem.intrinsics,
        maps,
        sigmas,
        configuration.iterations,
        COARSE_TOLERANCE,
        LEAST_GAIN,
    )
    costs = score(maps, problem.points, problem.intrinsics, refined)
    distance = SAME * _points_distance(problem, refined)
    best = best_distinct(refined, costs, configuration.refined_fine, distance, SAME)
    return refined[best]


def _points_distance(problem: CoarseProblem, poses: Tensor) -> float:
    """The median distance of the points from the first of some cameras (B, 4, 4); 0 without any."""
    if not len(poses):
        return 0.0
    in_camera = problem.points @ poses[0, :3, :3].mT + poses[0, :3, 3]
    return float(in_camera.norm(dim=-1).median())


def refine_fine(
    problem: PoseProblem, coarse: Tensor, configuration: NreConfiguration
) -> FoundPose | None:
    """The cheapest pose after GNC on local high-resolution maps (4.4.3)."""
    sigmas = sigma_schedule(
        configuration.fine_sigma, configuration.last_sigma, configuration.sigma_steps
    )
    found = []
    for pose in coarse:
        start = fine_maps_of(problem, pose, configuration.window)
        points, maps = problem.points[start.points], start.fine_maps
        cameras = cameras_of(start.points, problem.intrinsics)
        refined = refine(
            pose[None],
            points,
            cameras,
            maps,
            sigmas,
            configuration.iterations,
            least_share=LEAST_GAIN,
        )
        gain = -score(maps, points, cameras, refined) + maps.truncated_cost
        found.append((float(gain), FoundPose(refined[0], start.points, maps)))
    return max(found, key=lambda pair: pair[0])[1] if found else None
