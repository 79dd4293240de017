"""NetVLAD against loops, against VLAD, and its PCA against NumPy's covariance."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from dense_reloc_ros.features.netvlad import NetVlad, NetVladHead, fit_pca
from dense_reloc_ros.features.vlad import vlad

CHANNELS, CLUSTERS = 6, 4


def maps(count: int = 2) -> torch.Tensor:
    return torch.randn(count, CHANNELS, 5, 7, generator=torch.Generator().manual_seed(0))


@torch.no_grad()
def test_it_is_the_formula_of_the_paper():
    torch.manual_seed(1)
    layer = NetVlad(CHANNELS, CLUSTERS)
    weight = layer.assignment.weight[:, :, 0, 0].double().numpy()
    bias, centres = layer.assignment.bias.double().numpy(), layer.centres.double().numpy()
    for image, found in zip(maps().double().numpy(), layer(maps()), strict=True):
        sums = np.zeros((CLUSTERS, CHANNELS))
        for row in range(5):
            for column in range(7):
                x = image[:, row, column] / np.linalg.norm(image[:, row, column])
                scores = np.exp(weight @ x + bias)
                for k in range(CLUSTERS):
                    sums[k] += scores[k] / scores.sum() * (x - centres[k])
        for k in range(CLUSTERS):
            sums[k] /= np.linalg.norm(sums[k])
        expected = sums.ravel() / np.linalg.norm(sums)
        np.testing.assert_allclose(found.numpy(), expected, atol=1e-5)


@torch.no_grad()
def test_fitted_and_sharp_it_is_vlad():
    """Three tight groups: hardly any descriptor belongs to two clusters."""
    generator = torch.Generator().manual_seed(2)
    groups = normalize(torch.randn(3, CHANNELS, generator=generator), dim=1)
    local = groups.repeat_interleave(20, 0) + 0.02 * torch.randn(60, CHANNELS, generator=generator)
    local = normalize(local, dim=1)
    layer = NetVlad(CHANNELS, 3)
    layer.fit(local)
    assert torch.cdist(layer.centres, groups).amin(0).max() < 0.05
    shares = layer.assignment(local.T[None, :, :, None]).softmax(1)
    assert (shares.amax(1) > 0.9).all()
    layer.centres.add_(0.1 * torch.randn(3, CHANNELS, generator=generator))
    layer.assignment.weight.mul_(50)
    layer.assignment.bias.mul_(50)
    found = layer(local.T.reshape(1, CHANNELS, 6, 10))[0]
    torch.testing.assert_close(found, vlad(local, layer.centres), atol=1e-4, rtol=0)


@torch.no_grad()
def test_the_nearest_cluster_takes_the_stated_share_at_first():
    local = normalize(torch.randn(500, CHANNELS, generator=torch.Generator().manual_seed(3)), dim=1)
    layer = NetVlad(CHANNELS, CLUSTERS)
    layer.fit(local)
    scores = layer.assignment(local.T[None, :, :, None])[0, :, :, 0]
    assert torch.equal(scores.argmax(0), torch.cdist(local, layer.centres).argmin(1))
    first, second = scores.topk(2, dim=0).values
    assert (first - second).mean() == pytest.approx(np.log(100.0), rel=1e-3)


@torch.no_grad()
def test_pca_has_the_directions_of_the_largest_variances():
    generator = torch.Generator().manual_seed(4)
    mixing = torch.randn(12, 12, generator=generator)
    descriptors = torch.randn(200, 12, generator=generator) @ mixing + 3
    layer = torch.nn.Linear(12, 5)
    fit_pca(layer, descriptors)
    reduced = layer(descriptors).double().numpy()
    variances = np.linalg.eigvalsh(np.cov(descriptors.double().numpy().T))[::-1][:5]
    np.testing.assert_allclose(np.cov(reduced.T), np.diag(variances), atol=1e-3 * variances[0])
    np.testing.assert_allclose(reduced.mean(0), 0, atol=1e-4)


@torch.no_grad()
def test_pca_of_few_descriptors_keeps_their_distances():
    descriptors = torch.randn(4, 30, generator=torch.Generator().manual_seed(5))
    layer = torch.nn.Linear(30, 8)
    fit_pca(layer, descriptors)
    reduced = layer(descriptors)
    torch.testing.assert_close(torch.cdist(reduced, reduced), torch.cdist(descriptors, descriptors))
    assert (reduced[:, 3:] == 0).all()


def test_gradients_reach_clusters_and_input():
    torch.manual_seed(6)
    head = NetVladHead(CHANNELS, CLUSTERS, 8).double()
    inputs = maps(1).double().requires_grad_()
    assert torch.autograd.gradcheck(head, inputs)
    head(inputs).sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in head.parameters())
