"""Poses by maps on a plane larger than the image: what NRE's coarse estimator needs of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from dense_reloc_ros.neurhal.hallucinator import HallucinatedMaps
from dense_reloc_ros.neurhal.padding import CorrespondencePlane
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
    log_maps: Tensor
    """(M, h, w) ln of the probability of each cell."""
    plane: CorrespondencePlane

    @cached_property
    def coarse_maps(self) -> LossMaps:
        """Of the maps that are less vague than WIDEST."""
        origins = self.log_maps.new_tensor(self.plane.padding).neg().expand(len(self.points), 2)
        return loss_maps(self.log_maps, WIDEST, self.plane.stride, self.plane.offset, origins)

    def is_likely(self, points: Tensor, pixels: Tensor, probability: float) -> Tensor:
        """Whether some points (N,) are at pixels (H, W, 2) with so much, (N, H, W)."""
        last = pixels.new_tensor([self.plane.width, self.plane.height])
        places = (2 * self.plane.cells(pixels) + 1) / last - 1
        probabilities = grid_sample(
            self.log_maps[points][None].exp(),
            places[None],
            padding_mode="zeros",
            align_corners=False,
        )
        return probabilities[0] > probability

    def may_be_seen(self, probability: float) -> Tensor:
        """Whether any cell of the image or next to it has points with so much, (M,)."""
        x, y = (max(side - 1, 0) for side in self.plane.padding)
        cells = self.log_maps[:, y : self.plane.height - y, x : self.plane.width - x]
        return cells.flatten(1).amax(1) > math.log(probability)

    @staticmethod
    def joined(
        maps: Sequence[HallucinatedMaps], points: Sequence[Tensor], intrinsics: Tensor
    ) -> PlaneProblem:
        """Of the maps (1, N, h, w) of several sources' points (N, 3) around one image."""
        log_maps = torch.cat([one.log_maps[0] for one in maps]).cpu()
        return PlaneProblem(
            torch.cat(list(points)).cpu(), intrinsics.cpu(), log_maps, maps[0].plane
        )
