"""Where the cells of a network lie, whatever its weights: seen in a mirror."""

from __future__ import annotations

import copy

import torch
from torch import nn

from dense_reloc_ros.features.network import FeatureNetwork


@torch.inference_mode()
def assert_cells_lie_where_they_say(network: FeatureNetwork, images: torch.Tensor) -> None:
    """A network with mirrored kernels must find in mirrored images what it finds in the images.

    It does so exactly where its cells lie symmetrically in the image, (width - 1) / 2 being their
    middle: that is their offset then. Padding or pooling that looked to one side would not.
    """
    mirrored = copy.deepcopy(network)
    for module in mirrored.modules():
        if isinstance(module, nn.Conv2d):
            module.weight.copy_(module.weight.flip(-1))
    levels, of_mirrored = (n(i).levels for n, i in ((network, images), (mirrored, images.flip(-1))))
    for name, level in levels.items():
        torch.testing.assert_close(
            of_mirrored[name].values.flip(-1), level.values, atol=2e-3, rtol=0
        )
        middle = level.cells_to_pixels(torch.tensor((level.values.shape[-1] - 1) / 2))
        assert middle == (images.shape[-1] - 1) / 2, name
