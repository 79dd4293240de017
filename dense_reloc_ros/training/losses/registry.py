"""Every loss by the name of its configuration."""

from __future__ import annotations

from typing import Annotated

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
from dense_reloc_ros.training.losses.nre_loss import NreLoss, NreLossConfiguration
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
    | SceneCoordinateLossConfiguration,
    Field(discriminator="name"),
]


def create_loss(configuration: LossConfiguration) -> nn.Module:
    """The loss of a configuration: what its network gave for a batch to a `LossValue`."""
    match configuration:
        case NreLossConfiguration():
            return NreLoss(configuration)
        case S2DNetLossConfiguration():
            return S2DNetLoss(configuration)
        case GlobalDescriptorLossConfiguration():
            return GlobalDescriptorLoss(configuration)
        case DoubleMarginLossConfiguration():
            return DoubleMarginLoss(configuration)
        case GaussNewtonLossConfiguration():
            return GaussNewtonLoss(configuration)
        case SceneCoordinateLossConfiguration():
            return SceneCoordinateLoss(configuration)
