"""Every loss by the name of its configuration."""

from __future__ import annotations

from torch import nn

from dense_reloc_ros.training.losses.nre import NreLoss, NreLossConfiguration

LossConfiguration = NreLossConfiguration


def create_loss(configuration: LossConfiguration) -> nn.Module:
    """The loss of a configuration: (source, target, batch) to a LossValue."""
    return NreLoss(configuration)
