"""One pose problem of the images of a rig, each of which has its own points and loss maps."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from dense_reloc_ros.features.extractor import FeatureLevel
from dense_reloc_ros.geometry.rig import PointCameras
from dense_reloc_ros.pose.problem import PoseProblem


def joined(problems: Sequence[PoseProblem], T_camera_body: Tensor) -> PoseProblem:
    """The problem of a body's pose, of one problem for each image, on features of one network.

    Args:
        problems: of C images, each with the intrinsics (4,) of its camera.
        T_camera_body: (C, 4, 4), how these are mounted.
    """
    intrinsics = [one.intrinsics for one in problems if isinstance(one.intrinsics, Tensor)]
    first, device = problems[0], problems[0].points.device
    counts = torch.tensor([len(problem.points) for problem in problems], device=device)
    index = torch.repeat_interleave(torch.arange(len(problems), device=device), counts)
    mounting = T_camera_body.to(first.points)
    return PoseProblem(
        points=torch.cat([problem.points for problem in problems]),
        intrinsics=PointCameras(torch.stack(intrinsics), mounting, index),
        log_coarse=_padded([problem.log_coarse for problem in problems], -torch.inf),
        coarse_descriptors=torch.cat([problem.coarse_descriptors for problem in problems]),
        coarse_level=_level_of_all([problem.coarse_level for problem in problems]),
        fine_descriptors=torch.cat([problem.fine_descriptors for problem in problems]),
        fine_level=_level_of_all([problem.fine_level for problem in problems]),
        fine_temperature=first.fine_temperature,
    )


def _level_of_all(levels: Sequence[FeatureLevel]) -> FeatureLevel:
    """The level of all images, smaller ones padded."""
    shapes = [level.values.shape[-2:] for level in levels]
    values = _padded([level.values for level in levels], 0.0)
    sizes = None
    if len(set(shapes)) > 1:
        sizes = torch.tensor([(width, height) for height, width in shapes], device=values.device)
    return FeatureLevel(levels[0].stride, levels[0].offset, values, sizes)


def _padded(maps: Sequence[Tensor], value: float) -> Tensor:
    """Maps (N, ..., h, w) one after the other, each enlarged to the largest height and width."""
    height, width = (max(one.shape[axis] for one in maps) for axis in (-2, -1))
    if all(one.shape[-2:] == (height, width) for one in maps):
        return torch.cat(list(maps))
    count = sum(len(one) for one in maps)
    enlarged = maps[0].new_full((count, *maps[0].shape[1:-2], height, width), value)
    begin = 0
    for one in maps:
        enlarged[begin : begin + len(one), ..., : one.shape[-2], : one.shape[-1]] = one
        begin += len(one)
    return enlarged
