"""Small random scenes: features, coordinates with holes, cameras that look at them."""

from __future__ import annotations

import torch
from scipy.spatial.transform import Rotation
from torch import Tensor
from torch.nn.functional import normalize

from dense_reloc_ros.dsm.cost_volume import LevelViews, TemporalCorrelation

HEIGHT, WIDTH, CHANNELS, QUERIES = 4, 6, 5, 2


def rigid_pose(seed: int) -> Tensor:
    """T_camera_map (4, 4) of a camera some metres before the origin, looking at it, roughly."""
    generator = torch.Generator().manual_seed(seed)
    angles = 0.2 * torch.randn(3, generator=generator, dtype=torch.float64)
    pose = torch.eye(4, dtype=torch.float64)
    pose[:3, :3] = torch.from_numpy(Rotation.from_rotvec(angles.numpy()).as_matrix())
    pose[:3, 3] = 0.3 * torch.randn(3, generator=generator, dtype=torch.float64)
    pose[2, 3] += 4.0
    return pose


def camera(stride: int) -> Tensor:
    """fx, fy, cx, cy (4,) of an image of HEIGHT x WIDTH cells."""
    width, height = WIDTH * stride, HEIGHT * stride
    return torch.tensor([1.1 * width, width, (width - 1) / 2, (height - 1) / 2]).double()


def random_features(*shape: int, seed: int) -> Tensor:
    """(*shape, C, h, w), L2-normalized along C."""
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(*shape, CHANNELS, HEIGHT, WIDTH, generator=generator, dtype=torch.float64)
    return normalize(values, dim=-3)


def random_coordinates(*shape: int, seed: int) -> Tensor:
    """(*shape, 3, h, w) around the origin, some unknown."""
    generator = torch.Generator().manual_seed(seed)
    points = torch.randn(*shape, 3, HEIGHT, WIDTH, generator=generator, dtype=torch.float64)
    unknown = torch.rand(*shape, 1, HEIGHT, WIDTH, generator=generator) < 0.2
    return points.masked_fill(unknown, torch.nan)


def random_level(views: int, stride: int) -> tuple[Tensor, LevelViews]:
    """Features (2, C, h, w) of queries, and their scenes."""
    poses = [[rigid_pose(10 * batch + n) for n in range(views)] for batch in range(QUERIES)]
    level = LevelViews(
        random_features(QUERIES, views, seed=1),
        random_coordinates(QUERIES, views, seed=2),
        torch.stack([torch.stack(some) for some in poses]),
        camera(stride).expand(QUERIES, views, 4),
        stride,
    )
    return random_features(QUERIES, seed=3), level


def random_previous(stride: int, confidence: float | None = None) -> TemporalCorrelation:
    """The frames before the queries."""
    given = torch.tensor([0.05, 0.31]).double()
    return TemporalCorrelation(
        random_features(QUERIES, seed=4),
        torch.stack([rigid_pose(100), rigid_pose(101)]),
        camera(stride).expand(QUERIES, 4),
        stride,
        given if confidence is None else torch.full_like(given, confidence),
    )
