"""Local maps against cutting them out of the whole correlation."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from matching.random_levels import random_descriptors, random_level

from dense_reloc_ros.matching.correlation import correlate
from dense_reloc_ros.matching.windows import Windows, local_log_maps

HEIGHT, WIDTH, TEMPERATURE = 12, 16, 0.1


def windows(centres: torch.Tensor, size: int, memory_limit: int = 1 << 28) -> Windows:
    level = random_level(height=HEIGHT, width=WIDTH)
    descriptors = random_descriptors(len(centres))
    return local_log_maps(descriptors, level, centres, size, TEMPERATURE, memory_limit)


def cut(centres: torch.Tensor, found: Windows) -> np.ndarray:
    """The same windows from the whole correlation, one cell at a time."""
    level = random_level(height=HEIGHT, width=WIDTH)
    whole = correlate(random_descriptors(len(centres)), level).double().numpy() / TEMPERATURE
    maps = np.full(found.log_maps.shape, -np.inf)
    for point, (left, top) in enumerate(found.origins.tolist()):
        for row in range(maps.shape[1]):
            for column in range(maps.shape[2]):
                if 0 <= top + row < HEIGHT and 0 <= left + column < WIDTH:
                    maps[point, row, column] = whole[point, top + row, left + column]
    total = np.log(np.exp(maps).sum((1, 2), keepdims=True))
    return np.where(np.isfinite(maps), maps - total, -np.inf)


@pytest.mark.parametrize("size", [3, 4, 8])
def test_windows_are_cut_out_of_the_image(size):
    level = random_level(height=HEIGHT, width=WIDTH)
    cells = torch.tensor([[8.0, 6.0], [5.3, 7.6], [0.2, 0.4], [14.9, 11.2], [-1.0, 5.0]])
    centres = level.cells_to_pixels(cells)
    found = windows(centres, size)
    assert found.origins.tolist() == (cells.round().long() - size // 2).tolist()
    np.testing.assert_allclose(found.log_maps, cut(centres, found), atol=1e-5)


def test_windows_outside_the_image_or_nowhere_are_empty():
    centres = torch.tensor([[1e6, 20.0], [20.0, -1e9], [torch.nan, torch.nan], [30.0, 25.0]])
    found = windows(centres, 4)
    assert torch.isinf(found.log_maps[:3]).all()
    assert (found.log_maps[:3] < 0).all()
    torch.testing.assert_close(found.log_maps[3].exp().sum(), torch.tensor(1.0))


@pytest.mark.parametrize("limit", [1, 5_000, 1 << 30])
def test_any_memory_limit_gives_the_same_windows(limit):
    centres = torch.rand(20, 2, generator=torch.Generator().manual_seed(0)) * 60
    expected, found = windows(centres, 6), windows(centres, 6, limit)
    torch.testing.assert_close(found.log_maps, expected.log_maps)
    torch.testing.assert_close(found.origins, expected.origins)
