"""DSM: the scene coordinates of every pixel of a query, from views of the scene (paper 3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from torch import Tensor, nn

from dense_reloc_ros.dsm.scene_views import LevelPrediction, PreviousFrame, Pyramid, SceneViews

Variant = Literal["dsm", "dsm_compact"]


class SceneMatcher(nn.Module):
    """Feature pyramid, cost volumes, Net_coords and Net_conf of all levels."""

    name: str
    image_size: tuple[int, int]
    """Height and width that it was trained with; others work in multiples of the largest stride."""
    strides: tuple[int, ...]
    """Of the levels, from the coarsest to the finest."""

    def pyramid(self, images: Tensor) -> Pyramid:
        """Features (B, C, h, w) of images (B, 3, H, W), RGB in [0, 1], L2-normalized along C."""
        raise NotImplementedError

    def match(
        self,
        query: Pyramid,
        views: SceneViews,
        previous: PreviousFrame | None = None,
        confidence: Tensor | None = None,
    ) -> list[LevelPrediction]:
        """Scene coordinates of queries, from the coarsest to the finest level.

        With a previous frame its correlation is fused on all levels (3.3.1, in testing only):
        Corr = alpha Corr_s + (1 - alpha) Corr_t with alpha = min(s + 0.4, 1), where s is the
        `confidence` (B,) of what `match` gave without it.
        """
        raise NotImplementedError


def mean_certainty(predictions: Sequence[LevelPrediction]) -> Tensor:
    """The confidence s (B,): the mean certainty of the finest level (3.3.3)."""
    return predictions[-1].certainty.mean((-2, -1))


def create_scene_matcher(variant: Variant) -> SceneMatcher:
    """The network of a variant before training; weights are loaded by `features.weights`."""
    raise NotImplementedError
