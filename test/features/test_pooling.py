"""GeM against its limits."""

from __future__ import annotations

import torch

from dense_reloc_ros.features.pooling import generalized_mean


def test_powers_lead_from_the_mean_to_the_maximum():
    maps = torch.rand(2, 3, 5, 7, generator=torch.Generator().manual_seed(0)).double() + 0.1
    torch.testing.assert_close(generalized_mean(maps, 1.0), maps.mean((2, 3)))
    torch.testing.assert_close(generalized_mean(maps, 200.0), maps.amax((2, 3)), rtol=0.03, atol=0)
    cubes = (maps**3).sum((2, 3)) / 35
    torch.testing.assert_close(generalized_mean(maps) ** 3, cubes)
