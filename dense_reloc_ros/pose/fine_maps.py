"""High-resolution loss maps from coarse maps and local windows (thesis 4.4.3, steps 1-5)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from dense_reloc_ros.features.extractor import FeatureLevel
from dense_reloc_ros.matching.windows import Windows, local_log_maps, window_origins
from dense_reloc_ros.pose.compiled_fine_maps import window_gains
from dense_reloc_ros.pose.loss_maps import LossMaps, category_count, loss_maps

SMALLEST_MASS = 1e-30


def fine_maps_around(
    centres: Tensor,
    size: int,
    descriptors: Tensor,
    level: FeatureLevel,
    temperature: float,
    log_coarse: Tensor,
    coarse_level: FeatureLevel,
    image: Tensor | None = None,
) -> LossMaps:
    """Loss maps of fine descriptors (M, C) in windows of `size` cells around pixels (M, 2).

    `image` (M,) tells in which of the level's images each is; None: all in the first.
    """
    if level.values.device.type != "cpu":
        windows = local_log_maps(descriptors, level, centres, size, temperature, image=image)
        return fine_loss_maps(windows, level, log_coarse, coarse_level, image)
    sizes = level.sizes_of_all(image)
    origins = window_origins(level, centres, size)
    gains = window_gains(
        level.channels_last(image).to(log_coarse),
        sizes,
        torch.zeros(len(origins), dtype=torch.int64) if image is None else image,
        descriptors.to(log_coarse),
        origins,
        size,
        temperature,
        level.stride,
        level.offset,
        log_coarse,
        coarse_level.stride,
        coarse_level.offset,
        SMALLEST_MASS,
    )
    outlier_loss = math.log(1 + int(sizes.prod(-1).max()))
    return LossMaps(gains, origins.to(gains), level.stride, level.offset, outlier_loss)


def fine_loss_maps(
    windows: Windows,
    level: FeatureLevel,
    log_coarse: Tensor,
    coarse_level: FeatureLevel,
    image: Tensor | None = None,
) -> LossMaps:
    """Local maps that carry the probability which the coarse maps (M, h, w) give their windows.

    The thesis multiplies the window's pmf, which sums to one, by the coarse probability of the
    window and divides by 64, the fine cells in a coarse one. With the division the pmf would no
    longer sum to the coarse probability (each window would lose 63/64 of it), so it is left out.
    `image` (M,) tells which of the level's images each map is one of.
    """
    size = windows.log_maps.shape[-1]
    mass = window_mass(log_coarse, coarse_level, level, windows.origins, size)
    log_maps = windows.log_maps + mass.clamp(min=SMALLEST_MASS).log()[:, None, None]
    return loss_maps(
        log_maps,
        category_count(level, image),
        level.stride,
        level.offset,
        windows.origins.to(log_maps),
    )


def window_mass(
    log_coarse: Tensor, coarse_level: FeatureLevel, level: FeatureLevel, origins: Tensor, size: int
) -> Tensor:
    """The probability (M,) that coarse maps (M, h, w) give to windows of the fine grid (step 3).

    A coarse cell that is partly inside counts with the share of it that is.
    """
    edges = torch.stack([origins - 0.5, origins + size - 0.5]).to(log_coarse)
    first, last = (level.cells_to_pixels(edges) - coarse_level.offset) / coarse_level.stride + 0.5
    height, width = log_coarse.shape[-2:]
    in_columns = _covered(first[:, 0], last[:, 0], width)
    in_rows = _covered(first[:, 1], last[:, 1], height)
    by_row = (log_coarse.exp() @ in_columns[..., None])[..., 0]
    return (by_row * in_rows).sum(-1)


def _covered(first: Tensor, last: Tensor, count: int) -> Tensor:
    """The share (M, count) of each unit interval [i, i + 1] between `first` and `last` (M,)."""
    cell = torch.arange(count, dtype=first.dtype, device=first.device)
    return (last[:, None].minimum(cell + 1) - first[:, None].maximum(cell)).clamp(0, 1)
