"""S2DHM: its levels, and a head for retrieval that can be fitted."""

from __future__ import annotations

import pytest
import torch
from features.mirror import assert_cells_lie_where_they_say

from dense_reloc_ros.features.hypercolumn import hypercolumn
from dense_reloc_ros.features.pooling import generalized_mean
from dense_reloc_ros.features.preprocess import normalize_local_contrast, standardize
from dense_reloc_ros.features.s2dhm import LAYERS, S2dhm


@pytest.fixture(scope="module")
def network() -> S2dhm:
    torch.manual_seed(0)
    return S2dhm().eval()


def images(count: int = 1, height: int = 64, width: int = 96) -> torch.Tensor:
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(0))


@torch.inference_mode()
def test_levels_are_the_hypercolumns_of_the_thesis(network):
    features = network(images())
    half = normalize_local_contrast(images())
    full = torch.nn.functional.interpolate(half, (64, 96), mode="bilinear")
    layers = network.trunk(standardize(full), LAYERS)
    coarse = hypercolumn([layers[name] for name in LAYERS], 8, 3.5, 64, 96)
    torch.testing.assert_close(features.levels["coarse"].values, coarse)
    assert coarse.shape == (1, 2304, 8, 12)
    assert features.levels["fine"].values.shape == (1, 256, 16, 24)
    for name, layer in layers.items():
        values = torch.nn.functional.normalize(layer.values, dim=1)
        torch.testing.assert_close(features.levels[name].values, values)


def test_cells_lie_where_they_say(network):
    assert_cells_lie_where_they_say(network, images())


@torch.inference_mode()
def test_fitted_to_images_the_pca_keeps_their_distances(network):
    """A dozen images span fewer dimensions than PCA keeps."""
    batches = images(12).split(4)
    network.fit_netvlad(lambda: batches)
    head = network.netvlad
    # What the head itself pools: a cell between two clusters moves with any other rounding.
    pooled: list[torch.Tensor] = []
    hook = head.netvlad.register_forward_hook(lambda _, __, output: pooled.append(output))
    found = torch.cat([network(batch).global_descriptor for batch in batches])
    hook.remove()
    whole = torch.cat(pooled)
    reduced = head.pca(whole)
    assert torch.cdist(whole, whole).max() > 0.1
    torch.testing.assert_close(
        torch.cdist(reduced, reduced), torch.cdist(whole, whole), atol=1e-4, rtol=0
    )
    assert found.shape == (12, 1024)
    torch.testing.assert_close(
        found, torch.nn.functional.normalize(reduced, dim=1), atol=1e-4, rtol=0
    )


@torch.inference_mode()
def test_too_few_descriptors_are_told(network):
    with pytest.raises(ValueError, match="too few for 64 clusters"):
        network.fit_netvlad(lambda: [images()])


@torch.inference_mode()
def test_without_training_images_are_retrieved_by_gem(tmp_path):
    network = S2dhm().eval()
    network.use_untrained(tmp_path)
    half = normalize_local_contrast(images())
    full = torch.nn.functional.interpolate(half, (64, 96), mode="bilinear")
    last = network.trunk(standardize(full), ("conv5_3",))["conv5_3"].values
    pooled = generalized_mean(last.clamp(min=1e-6))
    expected = torch.nn.functional.normalize(pooled, dim=1)
    torch.testing.assert_close(network(images()).global_descriptor, expected)
    with pytest.raises(ValueError, match="no NetVLAD"):
        network.fit_netvlad(lambda: [images()])
