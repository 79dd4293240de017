"""Pose initialization: P3P on triplets of loss maps, scored on all loss maps (thesis 4.4.1)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from dense_reloc_ros.geometry.projection import to_bearings
from dense_reloc_ros.geometry.rig import Cameras, PointCameras, cameras_of
from dense_reloc_ros.geometry.se3 import inverse_tensor
from dense_reloc_ros.pose.gains import gains_at_poses
from dense_reloc_ros.pose.loss_maps import LossMaps
from dense_reloc_ros.pose.p3p import p3p

REPROJECTIONS_AT_ONCE = 1_000_000
"""Bounds the memory of scoring."""
SCREENING_POINTS = 200


def sample_poses(
    maps: LossMaps, points: Tensor, intrinsics: Cameras, samples: int, generator: torch.Generator
) -> Tensor:
    """Poses T_camera_map (B, 4, 4) from P3P on random triplets of the maps' minima (eq. 4.8).

    A map is drawn with a probability proportional to the square of its gain at the minimum: maps
    that know where their point lies are drawn more often. A triplet with a map twice gives no
    pose. B is 0 where fewer than three maps know anything. Of a rig, a triplet is seen by one
    camera, and each camera gives its share of the samples.
    """
    pixels, gains = maps.best_pixels
    if not isinstance(intrinsics, PointCameras):
        intrinsics = PointCameras.single(intrinsics)
    triplets = _triplets(gains, intrinsics, samples, generator)
    if not len(triplets):
        return points.new_zeros(0, 4, 4)
    bearings = to_bearings(pixels.double(), intrinsics.of_points.double())
    poses, exists = p3p(bearings[triplets], points.double()[triplets])
    if intrinsics.index is not None:
        T_body_camera = inverse_tensor(intrinsics.T_camera_body.double())
        poses = T_body_camera[intrinsics.index[triplets[:, 0]]][:, None] @ poses
    return poses[exists].to(points.dtype)


def _triplets(
    gains: Tensor, cameras: PointCameras, samples: int, generator: torch.Generator
) -> Tensor:
    """Indices (N, 3) of maps with gains (M,) that are seen by one camera each, N <= `samples`."""
    known = torch.nonzero(gains > 0)[:, 0]
    groups = [known]
    if cameras.index is not None:
        of_known = cameras.index[known]
        groups = [known[of_known == camera] for camera in range(cameras.count)]
    groups = [group for group in groups if len(group) >= 3]
    total = sum(len(group) for group in groups)
    drawn = []
    for group in groups:
        count = math.ceil(samples * len(group) / total)
        weights = gains[group].double().square()
        draws = torch.multinomial(weights.cpu(), 3 * count, replacement=True, generator=generator)
        drawn.append(group[draws.to(group.device)].view(count, 3))
    return torch.cat(drawn) if drawn else known.new_zeros(0, 3)


def score(maps: LossMaps, points: Tensor, intrinsics: Cameras, poses: Tensor) -> Tensor:
    """The NRE cost (B,) of poses T_camera_map (B, 4, 4) on the loss maps (eq. 4.6)."""
    chunks = poses.split(max(1, REPROJECTIONS_AT_ONCE // max(1, len(points))))
    costs = [
        maps.truncated_cost - gains_at_poses(maps, points, intrinsics, chunk).sum(-1)
        for chunk in chunks
    ]
    return torch.cat(costs) if costs else poses.new_zeros(0)


def cheapest(
    maps: LossMaps, points: Tensor, intrinsics: Cameras, poses: Tensor, count: int
) -> tuple[Tensor, Tensor]:
    """The `count` cheapest of many poses (B, 4, 4), and their NRE costs.

    Most are plainly wrong, which some of the maps are enough to see: those of SCREENING_POINTS
    points choose the poses that all maps score.
    """
    if len(points) > SCREENING_POINTS and len(poses) > 4 * count:
        some = torch.linspace(0, len(points) - 1, SCREENING_POINTS).long()
        rough = score(maps.select(some), points[some], cameras_of(some, intrinsics), poses)
        poses = poses[rough.topk(4 * count, largest=False).indices]
    costs = score(maps, points, intrinsics, poses)
    best = costs.topk(min(count, len(costs)), largest=False).indices
    return poses[best], costs[best]


def best_distinct(
    poses: Tensor, costs: Tensor, count: int, distance: float, angle: float
) -> Tensor:
    """Up to `count` indices of cheap poses no two of which are near each other.

    Near is both: camera centres closer than `distance`, in the unit of the poses, and an angle
    below `angle` radians. Without this, all starts of the refinement would come from the same
    minimum.
    """
    order = costs.argsort()
    rotation, translation = poses[order, :3, :3], poses[order, :3, 3]
    centre = -(rotation.mT @ translation[..., None])[..., 0]
    trace = torch.einsum("aij,bij->ab", rotation, rotation)
    turned_less = trace > 1 + 2 * math.cos(angle)
    near = (torch.cdist(centre, centre) < distance) & turned_less
    near_cheaper = near.cpu().tril(-1)
    kept: list[int] = []
    for i in range(len(order)):
        if len(kept) < count and not bool(near_cheaper[i, kept].any()):
            kept.append(i)
    return order[kept]
