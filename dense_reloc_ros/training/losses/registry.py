"""Every loss by the name of its configuration."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from torch import nn

from dense_reloc_ros.training.losses.nre import NreLoss, NreLossConfiguration
from dense_reloc_ros.training.losses.s2dnet import S2DNetLoss, S2DNetLossConfiguration

LossConfiguration = Annotated[
    NreLossConfiguration | S2DNetLossConfiguration, Field(discriminator="name")
]


def create_loss(configuration: LossConfiguration) -> nn.Module:
    """The loss of a configuration: (source, target, batch) to a `LossValue`."""
    if isinstance(configuration, NreLossConfiguration):
        return NreLoss(configuration)
    return S2DNetLoss(configuration)
