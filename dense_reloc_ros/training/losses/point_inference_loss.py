"""The loss of DeViLoc's Point Inference Network (supplement 1.2)."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from dense_reloc_ros.deviloc.point_inference import InferredDepth
from dense_reloc_ros.parameter_blocks import Block
from dense_reloc_ros.training.examples import DepthPixels
from dense_reloc_ros.training.losses.value import LossValue

LEAST_DEVIATION = 0.05
"""Of the depths of an image, over their mean: a plain wall would weigh without bounds."""


class PointInferenceLossConfiguration(Block):
    """Depth and its confidence."""

    name: Literal["point_inference"] = "point_inference"
    confidence_weight: float = Field(0.2, ge=0, description="Of how well errors are predicted")


class PointInferenceLoss(nn.Module):
    """Mean |error| over the standard deviation of the image's depths, and the error's likelihood.

    The latter is the negative log-likelihood of the relative error under the Laplace distribution
    that the network predicts. It judges the depth: it is not for the depth to please it. The paper
    learns confidences through the aggregation of several references; here they are likelihoods, so
    that one image is enough.
    """

    def __init__(self, configuration: PointInferenceLossConfiguration) -> None:
        super().__init__()
        self._weight = configuration.confidence_weight

    def forward(self, inferred: InferredDepth, batch: DepthPixels) -> LossValue:
        """Of what the network says about the unknown pixels of a batch."""
        error = (inferred.depths - batch.depths).abs()
        depth = (error / depth_deviations(batch.depths)).mean()
        relative = (error / batch.depths).detach()
        likelihood = laplace_loss(relative, inferred.scales).mean()
        return LossValue(
            depth + self._weight * likelihood,
            {
                "point_inference/depth": float(depth.detach()),
                "point_inference/confidence": float(likelihood.detach()),
            },
        )


def depth_deviations(depths: Tensor) -> Tensor:
    """Standard deviations (B, 1) of depths (B, N), at least a share of their mean."""
    least = LEAST_DEVIATION * depths.mean(1, keepdim=True)
    return depths.std(1, keepdim=True, unbiased=False).maximum(least)


def laplace_loss(errors: Tensor, scales: Tensor) -> Tensor:
    """-ln of the density of absolute errors (...) under Laplace distributions of scales (...)."""
    return errors / scales + torch.log(2 * scales)
