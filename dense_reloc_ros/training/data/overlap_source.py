"""Pairs with little overlap for NeurHal: what of the source is seen, hidden or outside (C.3.2)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from pydantic import Field, model_validator

from dense_reloc_ros.errors import InputError
from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.se3 import inverse, transformed
from dense_reloc_ros.images.photometric import PhotometricConfiguration
from dense_reloc_ros.neurhal.tasks import Task
from dense_reloc_ros.parameter_blocks import Block
from dense_reloc_ros.training.data.depth_frames import NEAREST
from dense_reloc_ros.training.data.overlap_views import OverlapViews
from dense_reloc_ros.training.data.view_pairs import is_inside
from dense_reloc_ros.training.examples import HallucinationPair

BINS = 6
"""Of the overlaps, each drawn as often as the others where it has pairs."""
BEHIND = 1e6
"""Pixel, on no plane, of what is behind the camera."""
TOLERANCE = 0.03
"""Share by which the depths of one point may differ: the depth is that of the nearest pixel."""


class OverlapConfiguration(Block):
    """Which pairs are drawn, and which of their points."""

    least_overlap: float = Field(0.02, ge=0, lt=1, description="Of a pair, by C.3.2")
    most_overlap: float = Field(0.5, gt=0, le=1, description="Of a pair, by C.3.2")
    cell: int = Field(8, ge=1, description="Pixels from one keypoint of the source to the next")
    photometric: PhotometricConfiguration = PhotometricConfiguration(covered=0.2)

    @model_validator(mode="after")
    def _some_overlap(self) -> OverlapConfiguration:
        if self.least_overlap >= self.most_overlap:
            raise ValueError("least_overlap must be below most_overlap")
        return self


class OverlapSource:
    """Pairs of views of one place; a place is one of `places`.

    The first exposure is the source's, any of them the target's. Places without a pair that
    overlaps as wanted are left out.

    Raises:
        InputError: no place has such a pair.
    """

    def __init__(
        self, views: Sequence[OverlapViews], configuration: OverlapConfiguration, points: int
    ) -> None:
        c = configuration
        self._configuration, self._points = c, points
        edges = np.linspace(c.least_overlap, c.most_overlap, BINS + 1)
        self._places = []
        for place in views:
            bins = [
                np.argwhere((place.overlaps >= low) & (place.overlaps < high))
                for low, high in pairwise(edges)
            ]
            filled = [pairs for pairs in bins if len(pairs)]
            if filled:
                self._places.append((place, filled))
        self.places = len(self._places)
        if not self._places:
            raise InputError(
                f"no two views overlap by {c.least_overlap:g} to {c.most_overlap:g} of what is seen"
            )

    def pair(self, number: int) -> HallucinationPair:
        """The pair of a number, always the same.

        Raises:
            InputError: views whose files were damaged.
        """
        rng = np.random.default_rng(number)
        place = int(rng.integers(len(self._places)))
        views, bins = self._places[place]
        pairs = bins[int(rng.integers(len(bins)))]
        source, target = pairs[int(rng.integers(len(pairs)))]
        exposure = int(rng.integers(len(views.inputs)))
        points = pair_points(views, source, target, self._configuration, self._points, rng)
        pixels, depth, target_pixels, tasks, counted = points
        return HallucinationPair(
            source=views.input(0, source),
            target=views.input(exposure, target),
            source_pixels=_tensor(pixels),
            source_depths=_tensor(depth),
            target_pixels=_tensor(target_pixels),
            tasks=torch.from_numpy(tasks),
            counted=torch.from_numpy(counted),
            source_intrinsics=_tensor(views.intrinsics[source]),
            target_intrinsics=_tensor(views.intrinsics[target]),
            T_target_source=_tensor(relative_pose(views, source, target)),
            place=torch.tensor(place, dtype=torch.int64),
        )


def pair_points(
    views: OverlapViews,
    source: int,
    target: int,
    configuration: OverlapConfiguration,
    count: int,
    rng: Generator,
) -> tuple[FloatArray, FloatArray, FloatArray, NDArray[np.int64], NDArray[np.bool_]]:
    """`count` keypoints of a source view's grid, drawn at random, and where the target has them.

    Returns:
        Pixels (N, 2) and depths (N,) in the source, pixels (N, 2) in the target's plane, tasks (N,)
        and which count (N,): where there are too few, the last ones do not.
    """
    c = configuration
    pixels, in_source = source_points(views, source, c.cell)
    depth = in_source[:, 2]
    in_target = transformed(relative_pose(views, source, target), in_source)
    fx, fy, cx, cy = views.intrinsics[target]
    z = in_target[:, 2]
    there = np.full((len(z), 2), BEHIND)
    before = z > NEAREST
    there[before] = in_target[before, :2] / z[before, None] * (fx, fy) + (cx, cy)
    chosen = rng.permutation(len(z))[:count]
    tasks = tasks_of(there[chosen], z[chosen], views.depth[target])
    missing = count - len(chosen)

    def filled(values: FloatArray) -> FloatArray:
        return np.concatenate([values, np.zeros((missing, *values.shape[1:]))])

    return (
        filled(pixels[chosen]),
        filled(depth[chosen]),
        filled(there[chosen]),
        np.concatenate([tasks, np.full(missing, Task.UNKNOWN)]).astype(np.int64),
        np.arange(count) < len(chosen),
    )


def source_points(views: OverlapViews, source: int, cell: int) -> tuple[FloatArray, FloatArray]:
    """Keypoints (N, 2) of a view's grid with known depth, and (N, 3) in its camera."""
    height, width = views.depth.shape[1:]
    pixels = grid_pixels(height, width, cell)
    columns, rows = pixels.T
    depth = views.depth[source][rows, columns].astype(np.float64)
    pixels, depth = pixels[depth > 0], depth[depth > 0]
    fx, fy, cx, cy = views.intrinsics[source]
    rays = np.column_stack([(pixels - (cx, cy)) / (fx, fy), np.ones(len(pixels))])
    return pixels.astype(np.float64), rays * depth[:, None]


def grid_pixels(height: int, width: int, cell: int) -> NDArray[np.int64]:
    """Whole pixels (N, 2) in the middle of cells, as C.3.2 samples keypoints."""
    rows, columns = (np.arange(cell // 2, side, cell) for side in (height, width))
    grid = np.stack(np.meshgrid(columns, rows), axis=-1)
    return grid.reshape(-1, 2).astype(np.int64)


def tasks_of(
    pixels: FloatArray, depths: FloatArray, target_depth: NDArray[np.floating]
) -> NDArray[np.int64]:
    """What has to be done to find points at pixels (N, 2) and depths (N,) of a target (H, W)."""
    height, width = target_depth.shape
    inside = is_inside(pixels, width, height)
    columns, rows = np.where(inside[:, None], np.rint(pixels), 0).astype(np.int64).T
    there = target_depth[rows, columns].astype(np.float64)
    seen = np.abs(depths - there) <= TOLERANCE * there
    hidden = (there > 0) & (depths > there) & ~seen
    found = np.select([seen, hidden], [Task.IDENTIFY, Task.INPAINT], Task.UNKNOWN)
    return np.where(inside, found, Task.OUTPAINT).astype(np.int64)


def relative_pose(views: OverlapViews, source: int, target: int) -> FloatArray:
    """T_target_source (4, 4)."""
    return np.asarray(inverse(views.T_map_camera[target]) @ views.T_map_camera[source])


def _tensor(values: object) -> torch.Tensor:
    return torch.from_numpy(np.asarray(values, dtype=np.float32))
