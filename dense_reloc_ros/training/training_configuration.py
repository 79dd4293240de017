"""All parameters of a training run; files in config/training hold them."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from dense_reloc_ros.dsm.variants import VARIANTS
from dense_reloc_ros.errors import ConfigurationError
from dense_reloc_ros.neurhal.variants import NEURHAL_VARIANTS
from dense_reloc_ros.parameter_blocks import Block, block_from_mapping, read_yaml
from dense_reloc_ros.training.batches import LARGEST_SEED
from dense_reloc_ros.training.data.overlap_places import (
    OverlapPhotographsConfiguration,
    OverlapRoomsConfiguration,
)
from dense_reloc_ros.training.data.sources import (
    DataConfiguration,
    RgbdDepthsConfiguration,
    RgbdScenesConfiguration,
    RoomDepthsConfiguration,
    RoomScenesConfiguration,
)
from dense_reloc_ros.training.losses.hallucination_loss import HallucinationLossConfiguration
from dense_reloc_ros.training.losses.point_inference_loss import PointInferenceLossConfiguration
from dense_reloc_ros.training.losses.registry import LossConfiguration
from dense_reloc_ros.training.losses.scene_coordinate_loss import SceneCoordinateLossConfiguration
from dense_reloc_ros.training.optimization import (
    ConstantSchedule,
    CosineSchedule,
    OptimizerConfiguration,
    Schedule,
)

PLACEHOLDER = re.compile(r"\$\{(\w+)\}")
Task = Literal["features", "scenes", "points", "hallucinations"]
DEVILOC = "deviloc"
"""The network of the method of this name; apart from it, as it takes long to import."""
ImageSide = Annotated[int, Field(ge=32)]
"""In pixels; the last layers of the networks need as much."""


class WeightedData(Block):
    """A source of pairs and how many of all pairs come from it."""

    source: DataConfiguration
    weight: float = Field(1.0, gt=0.0)


class WeightedLoss(Block):
    """A loss and its factor in the sum."""

    loss: LossConfiguration
    weight: float = Field(1.0, gt=0.0)


class ValidationConfiguration(Block):
    """When the network is measured, on what, and when training stops for it."""

    data: tuple[WeightedData, ...] = Field(min_length=1)
    pairs: int = Field(64, ge=1, description="Pairs of each validation, always the same")
    every: int = Field(500, ge=1, description="Steps between two validations")
    metric: str | None = Field(
        "loss", description="What the best weights are the best in; null: the last ones are taken"
    )
    patience: int | None = Field(
        None, ge=1, description="Validations without a better one after which training stops"
    )


class RunConfiguration(Block):
    """How long and where; these can change when a run is resumed."""

    steps: int = Field(ge=1, description="Updates of the weights at most")
    minutes: float | None = Field(None, gt=0.0, description="Time at most, of all parts of the run")
    device: str = Field("auto", description="auto, cpu, cuda or cuda:N")
    workers: int = Field(1, ge=0, le=256, description="Processes that prepare pairs; 0: none")
    checkpoint_every: int = Field(200, ge=1, description="Steps between two checkpoints")


class TrainingConfiguration(Block):
    """One training run."""

    network: str
    initial_weights: Path | None = Field(None, description="File that the network starts from")
    image_size: tuple[ImageSide, ImageSide] = Field(description="Height and width in pixels")
    points: int = Field(128, ge=1, le=100_000, description="Points of a pair")
    data: tuple[WeightedData, ...] = Field(min_length=1)
    losses: tuple[WeightedLoss, ...] = Field(min_length=1)
    optimizer: OptimizerConfiguration = OptimizerConfiguration()
    schedule: Schedule = ConstantSchedule()
    batch_size: int = Field(1, ge=1, description="Pairs that the network sees at a time")
    accumulation: int = Field(1, ge=1, description="Batches whose gradients make one step")
    seed: int = Field(0, ge=0, le=LARGEST_SEED)
    precision: Literal["float32", "bfloat16", "float16"] = Field(
        "float32",
        description="Of the network on CUDA, and bfloat16 on CPUs that multiply matrices in it "
        "(AMX); losses, and all on other CPUs, are float32",
    )
    validation: ValidationConfiguration | None = None
    run: RunConfiguration

    @property
    def task(self) -> Task:
        """What the network does: features, DSM's coordinates, DeViLoc's points, NeurHal's maps."""
        if self.network in VARIANTS:
            return "scenes"
        if self.network in NEURHAL_VARIANTS:
            return "hallucinations"
        return "points" if self.network == DEVILOC else "features"

    @model_validator(mode="after")
    def _data_and_losses_fit_the_network(self) -> TrainingConfiguration:
        sources = [*self.data, *(self.validation.data if self.validation else ())]
        tasks = {_task_of_data(one.source) for one in sources}
        tasks |= {_task_of_loss(one.loss) for one in self.losses}
        if tasks != {self.task}:
            raise ValueError(
                f"network {self.network}: DSM learns from room_scenes and rgbd_scenes with the "
                "loss scene_coordinates, deviloc from room_depths and rgbd_depths with the loss "
                "point_inference, NeurHal from overlap_rooms and overlap_photographs with the loss "
                "hallucination, networks of features from the other kinds and losses"
            )
        return self

    @model_validator(mode="after")
    def _time_can_be_followed(self) -> TrainingConfiguration:
        follows_time = isinstance(self.schedule, CosineSchedule) and self.schedule.follow == "time"
        if follows_time and self.run.minutes is None:
            raise ValueError("schedule.follow: time needs run.minutes")
        return self


def _task_of_data(source: DataConfiguration) -> Task:
    if isinstance(source, RgbdScenesConfiguration | RoomScenesConfiguration):
        return "scenes"
    if isinstance(source, OverlapRoomsConfiguration | OverlapPhotographsConfiguration):
        return "hallucinations"
    is_depths = isinstance(source, RgbdDepthsConfiguration | RoomDepthsConfiguration)
    return "points" if is_depths else "features"


def _task_of_loss(loss: LossConfiguration) -> Task:
    if isinstance(loss, SceneCoordinateLossConfiguration):
        return "scenes"
    if isinstance(loss, HallucinationLossConfiguration):
        return "hallucinations"
    return "points" if isinstance(loss, PointInferenceLossConfiguration) else "features"


def load_training_configuration(
    path: Path, paths: Mapping[str, str] = MappingProxyType({})
) -> TrainingConfiguration:
    """The configuration in a YAML file.

    `${NAME}` in its values stands for what `paths` has under this name, or else for the environment
    variable; relative paths count from the working directory.

    Raises:
        ConfigurationError: a file that cannot be read, is not valid or names what is not set.
    """
    values = read_yaml(path)
    try:
        filled = _filled(values, {**os.environ, **paths})
        return block_from_mapping(TrainingConfiguration, filled)
    except ConfigurationError as error:
        raise ConfigurationError(f"{path}: {error}") from None
    except KeyError as error:
        name = error.args[0]
        raise ConfigurationError(
            f"{path}: ${{{name}}} stands for nothing; give --path {name}=PATH"
        ) from None


def _filled(value: Any, variables: Mapping[str, str]) -> Any:
    """Nested plain values with all placeholders replaced; KeyError for a missing variable."""
    if isinstance(value, dict):
        return {key: _filled(item, variables) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, variables) for item in value]
    if isinstance(value, str):
        return PLACEHOLDER.sub(lambda match: variables[match.group(1)], value)
    return value
