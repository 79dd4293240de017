"""What DSM takes and gives: views of a scene, the frame before, and coordinates of a query."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

Pyramid = tuple[Tensor, ...]
"""Maps of levels, from the coarsest to the finest."""


@dataclass(frozen=True)
class SceneViews:
    """N scene images for each of B queries, as their features and 3D coordinates.

    All images of all views have the size of the network's images; the views of a query need no
    order, but the first one gives the axes of the frame that coordinates are predicted in.
    """

    features: Pyramid
    """Each (B, N, C, h, w), L2-normalized along C: `SceneMatcher.pyramid` of the images."""
    coordinates: Pyramid
    """Each (B, N, 3, h, w), metres in the map frame, nan where unknown: `coordinate_pyramid`."""
    T_camera_map: Tensor
    """(B, N, 4, 4)."""
    intrinsics: Tensor
    """(B, N, 4) fx, fy, cx, cy in pixels of the network's images."""


@dataclass(frozen=True)
class PreviousFrame:
    """The frame before the query in its video, with the pose that it was given."""

    features: Pyramid
    """Each (B, C, h, w), L2-normalized along C: `SceneMatcher.pyramid` of the image."""
    T_camera_map: Tensor
    """(B, 4, 4)."""
    intrinsics: Tensor
    """(B, 4) fx, fy, cx, cy in pixels of the network's images."""


@dataclass(frozen=True)
class LevelPrediction:
    """The scene coordinates of a query on one level of the pyramid.

    The centre of cell (column i, row j) lies at pixel stride * (i, j) + (stride - 1) / 2.
    """

    stride: int
    """Pixels of the network's image from one cell to the next."""
    coordinates: Tensor
    """(B, 3, h, w), metres in the map frame."""
    certainty: Tensor
    """(B, h, w) in [0, 1]; meant to order the pixels by their reprojection error."""
    candidates: Tensor
    """(B, K, 3, h, w), metres in the map frame, by falling correlation; nan where there is none."""
    correlations: Tensor
    """(B, K, h, w) of the candidates with the query; 0 where there is none."""
