"""Poses by maps on a plane larger than the image: what NRE's coarse estimator needs of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from dense_reloc_ros.neurhal.hallucinator import HallucinatedMaps
from dense_reloc_ros.pose.loss_maps import LossMaps, loss_maps

WIDEST = 20
"""Cells: maps that are as vague as this many cells say nothing (where 4.3.2 has |Ω|).

Vague maps err alike. Together they have poses win that put all points where most of them are
likely, as seen from far behind; the truth costs more. Chosen on rendered rooms.
"""


@dataclass(frozen=True)
class PlaneProblem:
    """M points with loss maps on the plane around an image; a `pose.problem.CoarseProblem`."""

    points: Tensor
    """(M, 3), metres in the map frame."""
    intrinsics: Tensor
    """(4,) fx, fy, cx, cy in pixels of the network's image."""
    coarse_maps: LossMaps

    @staticmethod
    def joined(
        maps: Sequence[HallucinatedMaps], points: Sequence[Tensor], intrinsics: Tensor
    ) -> PlaneProblem:
        """Of the maps (1, N, h, w) of several sources' points (N, 3) around one image."""
        plane = maps[0].plane
        log_maps = torch.cat([one.log_maps[0] for one in maps]).cpu()
        origins = log_maps.new_tensor(plane.padding).neg().expand(len(log_maps), 2)
        losses = loss_maps(log_maps, WIDEST, plane.stride, plane.offset, origins)
        return PlaneProblem(torch.cat(list(points)).cpu(), intrinsics.cpu(), losses)
