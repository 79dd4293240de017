from __future__ import annotations

import torch

from dense_reloc_ros.dsm.coordinate_network import (
    CandidateNetwork,
    CoordinateNetwork,
    DenseBlock,
    NormalizedVolume,
)

CANDIDATES, CHANNELS = 5, 6


def random_volume(seed: int = 0) -> NormalizedVolume:
    generator = torch.Generator().manual_seed(seed)
    correlations = torch.rand(2, CANDIDATES, 4, 6, generator=generator).sort(1, True).values
    coordinates = torch.randn(2, CANDIDATES, 3, 4, 6, generator=generator)
    exists = torch.rand(2, CANDIDATES, 4, 6, generator=generator) < 0.8
    exists[:, 0] = True
    return NormalizedVolume(correlations * exists, coordinates * exists[:, :, None], exists)


def image_features() -> torch.Tensor:
    return torch.randn(2, CHANNELS, 4, 6, generator=torch.Generator().manual_seed(9))


def candidate_network(temperature: float = 0.1) -> CandidateNetwork:
    return CandidateNetwork(CANDIDATES, CHANNELS, 8, 2, temperature, 1.0)


def test_before_training_the_candidates_weigh_by_the_softmax_of_their_correlation():
    volume = random_volume()
    found = candidate_network()(volume, image_features(), None)
    for image in range(2):
        for row in range(4):
            for column in range(6):
                here = volume.exists[image, :, row, column]
                weights = (volume.correlations[image, here, row, column] / 0.1).exp()
                points = volume.coordinates[image, here, :, row, column]
                mean = (weights[:, None] * points).sum(0) / weights.sum()
                torch.testing.assert_close(found[image, :, row, column], mean)


def test_candidates_that_do_not_exist_have_no_weight():
    network = candidate_network()
    for parameter in network.leave.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    with torch.no_grad():
        network.leave.weight[-3:] = 0
        network.leave.bias[-3:] = 0
    volume = random_volume()
    coordinates = volume.coordinates.where(volume.exists[:, :, None], 1e3)
    moved = NormalizedVolume(volume.correlations, coordinates, volume.exists)
    assert (network(moved, image_features(), None).abs() < 10).all()


def test_gradients_reach_everything_that_is_learned():
    network = candidate_network()
    optimizer = torch.optim.SGD(network.parameters(), 0.1)
    # The last layer begins with zeros: those before it learn from the second step on.
    for _ in range(2):
        optimizer.zero_grad()
        network(random_volume(), image_features(), None).square().sum().backward()
        optimizer.step()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().max() > 0, name


def test_the_regressing_network_takes_initial_coordinates_where_there_are_some():
    volume, image = random_volume(), image_features()
    without = CoordinateNetwork(CANDIDATES, CHANNELS, False, growth=8, layers=2)
    assert without(volume, image, None).shape == (2, 3, 4, 6)
    network = CoordinateNetwork(CANDIDATES, CHANNELS, True, growth=8, layers=2)
    here = network(volume, image, torch.zeros(2, 3, 4, 6))
    there = network(volume, image, torch.ones(2, 3, 4, 6))
    assert (here - there).abs().max() > 1e-4


def test_a_dense_block_passes_on_what_came_in():
    block = DenseBlock(6, growth=8, layers=3)
    x = image_features()
    y = block(x)
    assert block.channels == y.shape[1] == 6 + 3 * 8
    assert torch.equal(y[:, :6], x)
