"""The Gauss-Newton loss: features whose linearization leads to the match (Xue et al., 3.4)."""

from __future__ import annotations

import math
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from dense_reloc_ros.features.extractor import DenseFeatures, FeatureLevel
from dense_reloc_ros.features.s2dhm import LAYERS as S2DHM_LAYERS
from dense_reloc_ros.parameter_blocks import Block
from dense_reloc_ros.training.examples import PairBatch
from dense_reloc_ros.training.losses.sampling import (
    StepCounter,
    at_most,
    counted_points,
    find_level,
    sample_cells,
    sample_descriptors,
)
from dense_reloc_ros.training.losses.value import LossValue


class GaussNewtonLossConfiguration(Block):
    """The settings of Xue et al., 4.2; there its weight beside the double-margin loss is 0.5."""

    name: Literal["gauss_newton"] = "gauss_newton"
    levels: tuple[str, ...] = Field(
        S2DHM_LAYERS, min_length=1, description="Levels of unit length that it is summed over"
    )
    points: int = Field(1024, ge=1, description="Correspondences drawn from a pair at most")
    vicinity: float = Field(
        1.0, gt=0.0, description="Largest distance in cells of the start from the truth"
    )
    error_weight: float = Field(1.0, ge=0.0, description="Factor of the first term")
    determinant_weight: float = Field(2 / 7, ge=0.0, description="Factor of the second term")
    damping: float = Field(
        1e-4, gt=0.0, description="Added to the Hessian's diagonal, in 1 / cells²"
    )


class GaussNewtonLoss(nn.Module):
    """-ln of the density that one Gauss-Newton step gives to the true match.

    The paper refers to GN-Net (von Stumberg et al. 2020) for the equations. A step on
    ‖F_b(x) - F_a‖² from a start x_s near the true cell u leads to μ = x_s - H⁻¹ Jᵀ r with
    r = F_b(x_s) - F_a, J the derivative of F_b at x_s and H = Jᵀ J + damping. Taken as a Gaussian
    around μ with the inverse covariance H, the truth costs

        e₁ + e₂ = ½ (u - μ)ᵀ H (u - μ) + ln 2π - ½ ln |H|.

    As in Feature-PnP, features and their second-order central differences are sampled bilinearly
    at x_s. Both being linear, the sampled difference is that of two samples, (F_b(x_s + 1) -
    F_b(x_s - 1)) / 2, as long as no neighbour lies outside of the image; points that are nearer to
    the border do not count. Pixels are those of the level: starts lie within one of its cells.
    """

    def __init__(self, configuration: GaussNewtonLossConfiguration) -> None:
        super().__init__()
        self.configuration = configuration
        self.steps = StepCounter()

    def forward(self, source: DenseFeatures, target: DenseFeatures, batch: PairBatch) -> LossValue:
        """Σ over the levels of the mean over the points, with both terms apart in the parts."""
        generator = self.steps.next()
        error = determinant = batch.source_image.new_zeros((), dtype=torch.float64)
        with torch.autocast(batch.visible.device.type, enabled=False):
            for name in self.configuration.levels:
                errors, determinants = self._terms(
                    find_level(source, name), find_level(target, name), batch, generator
                )
                error = error + errors.sum() / max(len(errors), 1)
                determinant = determinant + determinants.sum() / max(len(determinants), 1)
        parts = {
            "gauss_newton/error": float(error.detach()),
            "gauss_newton/determinant": float(determinant.detach()),
        }
        total = (
            self.configuration.error_weight * error
            + self.configuration.determinant_weight * determinant
        )
        return LossValue(total.to(batch.target_pixels.dtype), parts)

    def _terms(
        self,
        source: FeatureLevel,
        target: FeatureLevel,
        batch: PairBatch,
        generator: torch.Generator,
    ) -> tuple[Tensor, Tensor]:
        """e₁ and e₂ (V,) of the points that count."""
        image, point = at_most(self.configuration.points, *counted_points(batch, target), generator)
        truth = target.pixels_to_cells(batch.target_pixels[image, point])
        start = truth + in_disk(len(truth), self.configuration.vicinity, generator).to(truth)
        height, width = target.values.shape[-2:]
        last = start.new_tensor([width - 2.0, height - 2.0])
        inside = ((start >= 1) & (start <= last)).all(-1)
        image, point, truth, start = image[inside], point[inside], truth[inside], start[inside]
        descriptors = sample_descriptors(source, image, batch.source_pixels[image, point])
        residuals = sample_cells(target.values, image, start) - descriptors
        return gauss_newton_terms(
            truth - start,
            residuals,
            central_differences(target.values, image, start),
            self.configuration.damping,
        )


def in_disk(count: int, radius: float, generator: torch.Generator) -> Tensor:
    """Points (count, 2) drawn evenly from a disk around 0."""
    draw = torch.rand(2, count, generator=generator)
    distance, angle = radius * draw[0].sqrt(), 2 * math.pi * draw[1]
    return torch.stack([distance * angle.cos(), distance * angle.sin()], dim=-1)


def central_differences(values: Tensor, image: Tensor, cells: Tensor) -> Tensor:
    """Derivatives (V, C, 2) by column and row at cells (V, 2), one or more from the border."""
    derivatives = []
    for step in cells.new_tensor([[1, 0], [0, 1]]):
        after = sample_cells(values, image, cells + step)
        derivatives.append((after - sample_cells(values, image, cells - step)) / 2)
    return torch.stack(derivatives, dim=-1)


def gauss_newton_terms(
    truth: Tensor, residuals: Tensor, jacobians: Tensor, damping: float
) -> tuple[Tensor, Tensor]:
    """e₁ and e₂ (V,) of truths (V, 2) from the start, residuals (V, C), jacobians (V, C, 2).

    In float64: where features change in one direction only, H is all but singular.
    """
    jacobians = jacobians.double()
    identity = torch.eye(2, dtype=torch.float64, device=jacobians.device)
    hessian = jacobians.mT @ jacobians + damping * identity
    gradient = (jacobians.mT @ residuals.double()[..., None])[..., 0]
    difference = truth + torch.linalg.solve(hessian, gradient)
    error = (difference * (hessian @ difference[..., None])[..., 0]).sum(-1) / 2
    return error, math.log(2 * math.pi) - torch.linalg.slogdet(hessian).logabsdet / 2
