"""Levels of several depths as one descriptor a cell: the sum of S2DNet's maps (eq. 3.3)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch.nn.functional import avg_pool2d, normalize

from dense_reloc_ros.features.extractor import FeatureLevel
from dense_reloc_ros.features.hypercolumn import Layer, resample


def stacked_levels(
    layers: Mapping[str, Layer],
    fine_stride: int,
    fine_offset: float,
    coarse_cells: int,
    height: int,
    width: int,
) -> dict[str, FeatureLevel]:
    """Levels `coarse` and `fine` of an image of this size, and the layers as they are, by name.

    Eq. 3.3 correlates the layers one by one, upsamples the maps bilinearly and adds them. All of
    this is linear in the query's descriptors, so the sum is the correlation with the layers
    themselves, upsampled and stacked: `fine`. `coarse` is its mean over `coarse_cells` x
    `coarse_cells` fine cells, so that its correlation is the mean of eq. 3.3 there.

    Both are L2-normalized as a whole, not layer by layer: a correlation of eq. 3.3 divided by the
    norms of the two stacks. The layers keep their weights relative to each other, and the map
    point's norm changes nothing in the order of the cells, but a cell with a large norm no longer
    wins by it. No symmetric normalization could keep that, since a cell that is matched with itself
    would have to be 1 whatever its norm. The scale that is lost with the norms is the temperature,
    which is calibrated on the map.
    """
    rows, columns = height // fine_stride, width // fine_stride
    fine = torch.cat(
        [resample(layer, fine_stride, fine_offset, rows, columns) for layer in layers.values()],
        dim=1,
    )
    coarse_offset = fine_offset + (coarse_cells - 1) / 2 * fine_stride
    coarse = normalize(avg_pool2d(fine, coarse_cells), dim=1)
    return {
        "coarse": FeatureLevel(coarse_cells * fine_stride, coarse_offset, coarse),
        "fine": FeatureLevel(fine_stride, fine_offset, normalize(fine, dim=1)),
        **{
            name: FeatureLevel(layer.stride, layer.offset, layer.values)
            for name, layer in layers.items()
        },
    }
