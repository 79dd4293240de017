"""Is a pose right? Its support in the image against what a wrong pose reaches."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from dense_reloc_ros.geometry.projection import project
from dense_reloc_ros.pose.problem import FoundPose, PoseProblem

SUPPORT_SHARE = 0.35
"""A point supports a pose when its loss map gains this share of the most a map can gain."""
GRID = (8, 6)
"""Columns and rows of the cells that the spread of the supporting points is counted in."""
WIDE_SPREAD = 24
"""Supported cells, half of the image, from which on more do not raise the score.

Wrong poses gain much in few places: on something that looks like a part of the map.
"""


@dataclass(frozen=True)
class Verification:
    """What speaks for a pose."""

    supporting: Tensor
    """(M,) bool: points whose loss map gains enough where the pose puts them."""
    visible: int
    """Points that the pose puts into the image."""
    mean_gain: float
    """Of the visible points, as a share of the most that a map can gain."""
    spread: int
    """Cells of the image's grid in which a point supports the pose."""

    @property
    def score(self) -> float:
        """From 0 to 1: how much of what should be seen is seen, less where it is in few places.

        The root makes the score linear in the distance that the gains stand for; poses in the dark
        would otherwise crowd at the bottom.
        """
        return float(max(0.0, self.mean_gain) ** 0.5 * min(1.0, self.spread / WIDE_SPREAD))


def verify(problem: PoseProblem, found: FoundPose, width: int, height: int) -> Verification:
    """The support of a pose by the fine loss maps it was found on."""
    pixels, _ = project(found.T_camera_map[None], problem.points, problem.intrinsics)
    pixels = pixels[0]
    size = pixels.new_tensor([width, height])
    inside = ((pixels >= 0) & (pixels <= size - 1)).all(-1)
    gains = found.gains(problem) / found.fine_maps.outlier_loss
    supporting = inside & (gains > SUPPORT_SHARE)
    grid = pixels.new_tensor(GRID)
    cells = (pixels.nan_to_num(0.0) / size * grid).clamp(min=0).minimum(grid - 1).long()
    index = cells[:, 1] * GRID[0] + cells[:, 0]
    visible = int(inside.sum())
    return Verification(
        supporting=supporting,
        visible=visible,
        mean_gain=float(gains[inside].mean()) if visible else 0.0,
        spread=int(torch.unique(index[supporting]).numel()),
    )
