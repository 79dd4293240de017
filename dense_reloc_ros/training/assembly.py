"""Puts together what a training configuration names."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from dense_reloc_ros.features.networks import create_network
from dense_reloc_ros.features.weights import load_weights
from dense_reloc_ros.training.checkpoints import Checkpoints
from dense_reloc_ros.training.configuration import TrainingConfiguration, WeightedData
from dense_reloc_ros.training.data.registry import MixedSource, create_source
from dense_reloc_ros.training.loop import Trainer
from dense_reloc_ros.training.losses.registry import create_loss
from dense_reloc_ros.training.objective import Objective
from dense_reloc_ros.training.pairs import PairSource
from dense_reloc_ros.training.validation import Validator


def create_trainer(
    configuration: TrainingConfiguration, checkpoints: Checkpoints, device: torch.device
) -> Trainer:
    """A run at its beginning; random weights are a function of the seed.

    Raises:
        ConfigurationError: an unknown network or missing weights.
        InputError: training data that is missing or cannot be used.
    """
    torch.manual_seed(configuration.seed)
    network = create_network(configuration.network)
    if configuration.initial_weights is not None:
        load_weights(network, configuration.initial_weights)
    objective = Objective(
        [create_loss(weighted.loss) for weighted in configuration.losses],
        [weighted.weight for weighted in configuration.losses],
    )
    validator = None
    if configuration.validation is not None:
        validator = Validator(
            _mixed(configuration.validation.data, configuration),
            configuration.validation.pairs,
            configuration.batch_size,
            configuration.run.workers,
        )
    source = _mixed(configuration.data, configuration)
    return Trainer(configuration, network, objective, source, validator, checkpoints, device)


def _mixed(data: Sequence[WeightedData], configuration: TrainingConfiguration) -> PairSource:
    size, points = configuration.image_size, configuration.points
    sources = [create_source(weighted.source, size, points) for weighted in data]
    return MixedSource(sources, [weighted.weight for weighted in data])
