"""Every loss by the name of its configuration."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import Field
from torch import nn

from dense_reloc_ros.training.losses.double_margin_loss import (
    DoubleMarginLoss,
    DoubleMarginLossConfiguration,
)
from dense_reloc_ros.training.losses.gauss_newton_loss import (
    GaussNewtonLoss,
    GaussNewtonLossConfiguration,
)
from dense_reloc_ros.training.losses.global_descriptor_loss import (
    GlobalDescriptorLoss,
    GlobalDescriptorLossConfiguration,
)
from dense_reloc_ros.training.losses.hallucination_loss import (
    HallucinationLoss,
    HallucinationLossConfiguration,
)
from dense_reloc_ros.training.losses.nre_loss import NreLoss, NreLossConfiguration
from dense_reloc_ros.training.losses.point_inference_loss import (
    PointInferenceLoss,
    PointInferenceLossConfiguration,
)
from dense_reloc_ros.training.losses.s2dnet_loss import S2DNetLoss, S2DNetLossConfiguration
from dense_reloc_ros.training.losses.scene_coordinate_loss import (
    SceneCoordinateLoss,
    SceneCoordinateLossConfiguration,
)

LossConfiguration = Annotated[
    NreLossConfiguration
    | S2DNetLossConfiguration
    | GlobalDescriptorLossConfiguration
    | DoubleMarginLossConfiguration
    | GaussNewtonLossConfiguration
    | SceneCoordinateLossConfiguration
    | PointInferenceLossConfiguration
    | HallucinationLossConfiguration,
    Field(discriminator="name"),
]

LOSSES: dict[str, Callable[[Any], nn.Module]] = {
    "nre": NreLoss,
    "s2dnet": S2DNetLoss,
    "global_descriptor": GlobalDescriptorLoss,
    "double_margin": DoubleMarginLoss,
    "gauss_newton": GaussNewtonLoss,
    "scene_coordinates": SceneCoordinateLoss,
    "point_inference": PointInferenceLoss,
    "hallucination": HallucinationLoss,
}


def create_loss(configuration: LossConfiguration) -> nn.Module:
    """The loss of a configuration: what its network gave for a batch to a `LossValue`."""
    return LOSSES[configuration.name](configuration)
