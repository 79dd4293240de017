"""Puts together what a training configuration names."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from types import MappingProxyType
from typing import cast

import torch
from torch import Tensor

from dense_reloc_ros.deviloc.point_inference import FEATURES, PointInference
from dense_reloc_ros.dsm.scene_matcher import create_scene_matcher
from dense_reloc_ros.dsm.variants import Variant
from dense_reloc_ros.features.network import FeatureNetwork, TrainableNetwork
from dense_reloc_ros.features.networks import create_network
from dense_reloc_ros.features.weights import load_weights
from dense_reloc_ros.neurhal.hallucinator import NeurHal
from dense_reloc_ros.neurhal.hallucinator_weights import create_hallucinator
from dense_reloc_ros.neurhal.variants import NeurHalVariant
from dense_reloc_ros.training.batches import Source, training_batches
from dense_reloc_ros.training.checkpoints import Checkpoints
from dense_reloc_ros.training.data.overlap_views import Frozen
from dense_reloc_ros.training.data.sources import MixedSource, create_source
from dense_reloc_ros.training.feature_matching import Matches, features_of_pairs
from dense_reloc_ros.training.hallucination import Hallucinations, maps_of_pairs
from dense_reloc_ros.training.loop import Trainer
from dense_reloc_ros.training.losses.registry import create_loss
from dense_reloc_ros.training.objective import Objective, Outputs
from dense_reloc_ros.training.point_lifting import Liftings, inferred_depths
from dense_reloc_ros.training.scene_localization import Localizations, predictions_of_scenes
from dense_reloc_ros.training.training_configuration import (
    Task,
    TrainingConfiguration,
    WeightedData,
)
from dense_reloc_ros.training.validator import ValidationMetrics, Validator

FIRST_IMAGES = 256
"""Images that a network is fitted to before its training, where it needs that."""


@dataclass(frozen=True)
class TaskParts:
    """What is made of a configuration by the task of its network."""

    create_network: Callable[[str], TrainableNetwork]
    """Before any training, by its name."""
    outputs: Outputs
    metrics: Callable[[], ValidationMetrics]


TASKS: Mapping[Task, TaskParts] = MappingProxyType(
    {
        "features": TaskParts(create_network, features_of_pairs, Matches),
        "scenes": TaskParts(
            lambda name: create_scene_matcher(cast(Variant, name)),
            predictions_of_scenes,
            Localizations,
        ),
        "points": TaskParts(lambda _: _point_inference(), inferred_depths, Liftings),
        "hallucinations": TaskParts(
            lambda name: create_hallucinator(cast(NeurHalVariant, name)),
            maps_of_pairs,
            Hallucinations,
        ),
    }
)


def create_trainer(
    configuration: TrainingConfiguration,
    checkpoints: Checkpoints,
    device: torch.device,
    resume: bool = False,
) -> Trainer:
    """A run at its beginning, or where its last checkpoint is.

    Random weights are a function of the seed.

    Raises:
        ConfigurationError: an unknown network or missing weights.
        InputError: training data or a checkpoint that is missing or cannot be used.
        TrainingError: a checkpoint of another run.
    """
    torch.manual_seed(configuration.seed)
    task = TASKS[configuration.task]
    network = task.create_network(configuration.network)
    frozen = None
    if isinstance(network, NeurHal):
        frozen = _frozen_part(network.to(device), configuration)
    source = _mixed(configuration.data, configuration, frozen)
    validator = _validator(configuration, frozen)
    objective = Objective(
        [create_loss(weighted.loss) for weighted in configuration.losses],
        [weighted.weight for weighted in configuration.losses],
        task.outputs,
    )
    if not resume:
        _begin(network.to(device), source, configuration)
    trainer = Trainer(configuration, network, objective, source, validator, checkpoints, device)
    if resume:
        trainer.resume()
    return trainer


def _frozen_part(
    network: NeurHal, configuration: TrainingConfiguration
) -> tuple[str, Frozen] | None:
    """What of a network does not learn, with its initial weights, after a name for these."""
    if configuration.initial_weights is not None:
        load_weights(network, configuration.initial_weights)
    version = network.backbone.frozen_version()
    return None if version is None else (version, network.backbone.frozen)


def _validator(
    configuration: TrainingConfiguration, frozen: tuple[str, Frozen] | None
) -> Validator | None:
    validation = configuration.validation
    if validation is None:
        return None
    return Validator(
        _mixed(validation.data, configuration, frozen),
        validation.pairs,
        configuration.batch_size,
        configuration.run.workers,
        TASKS[configuration.task].metrics,
    )


def _begin(network: TrainableNetwork, source: Source, configuration: TrainingConfiguration) -> None:
    """Gives a network its initial weights; what they leave out is fitted to the first pairs."""
    path = configuration.initial_weights
    if path is not None and load_weights(network, path).is_trained:
        return
    if not isinstance(network, FeatureNetwork):
        return
    device = next(network.parameters()).device
    batch_size = configuration.batch_size

    def images() -> Iterator[Tensor]:
        batches = training_batches(source, configuration.seed, 0, batch_size, 0)
        for _, batch in islice(batches, math.ceil(FIRST_IMAGES / batch_size)):
            yield batch.source_image.to(device)

    network.eval().begin_training(images)


def _point_inference() -> PointInference:
    """That remembers which features it learns from."""
    weights = create_network(FEATURES).default_weights()
    return PointInference(hashlib.sha256(weights.read_bytes()).hexdigest())


def _mixed(
    data: Sequence[WeightedData],
    configuration: TrainingConfiguration,
    frozen: tuple[str, Frozen] | None,
) -> Source:
    size, points = configuration.image_size, configuration.points
    sources = [create_source(weighted.source, size, points, frozen) for weighted in data]
    return MixedSource(sources, [weighted.weight for weighted in data])
