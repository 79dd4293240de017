"""Stands in for the network of DSM: it knows what it is asked for, and notes how it was asked."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from dense_reloc_ros.dsm.scene_views import LevelPrediction, PreviousFrame, Pyramid, SceneViews

STRIDES = (8, 4)
CANDIDATES = 3


@dataclass
class KnowingMatcher:
    """Its features are mean colours; its coordinates are the `truth` of the image, (h, w, 3)."""

    truth: np.ndarray | None = None
    fused: np.ndarray | None = None
    """What it says instead with the help of a previous frame, if anything else."""
    name: str = "dsm_compact"
    image_size: tuple[int, int] = (192, 256)
    strides: tuple[int, ...] = STRIDES
    certainty: float = 0.7
    images: list[Tensor] = field(default_factory=list)
    """Of which a pyramid was asked for."""
    matched: list[tuple[SceneViews, PreviousFrame | None, Tensor | None]] = field(
        default_factory=list
    )

    def pyramid(self, images: Tensor) -> Pyramid:
        self.images.append(images)
        return tuple(avg_pool2d(images, stride) for stride in self.strides)

    def match(
        self,
        query: Pyramid,
        views: SceneViews,
        previous: PreviousFrame | None = None,
        confidence: Tensor | None = None,
    ) -> list[LevelPrediction]:
        self.matched.append((views, previous, confidence))
        points = self.truth if previous is None or self.fused is None else self.fused
        assert points is not None
        finest = torch.from_numpy(points).float().permute(2, 0, 1)[None]
        coarse = avg_pool2d(finest, 2)
        return [
            self._prediction(level, stride)
            for level, stride in zip((coarse, finest), self.strides, strict=True)
        ]

    def _prediction(self, coordinates: Tensor, stride: int) -> LevelPrediction:
        certainty = torch.full_like(coordinates[:, 0], self.certainty)
        # The k-th candidate is off by k decimetres.
        offsets = 0.1 * torch.arange(CANDIDATES)[None, :, None, None, None]
        candidates = coordinates[:, None] + offsets * torch.tensor([1.0, 0, 0])[:, None, None]
        correlations = torch.ones_like(candidates[:, :, 0])
        return LevelPrediction(stride, coordinates, certainty, candidates, correlations)
