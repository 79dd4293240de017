"""The loss of PIN against its closed form."""

from __future__ import annotations

import math

import pytest
import torch

from dense_reloc_ros.deviloc.point_inference import InferredDepth
from dense_reloc_ros.training.examples import DepthPixels
from dense_reloc_ros.training.losses.point_inference_loss import (
    PointInferenceLossConfiguration,
    laplace_loss,
)
from dense_reloc_ros.training.losses.registry import create_loss
from dense_reloc_ros.training.point_lifting import Liftings


def batch(depths: torch.Tensor) -> DepthPixels:
    empty = torch.zeros(len(depths), 1)
    return DepthPixels(empty, empty, depths, empty, empty, empty, empty, place=empty[:, 0])


def test_errors_are_divided_by_the_deviation_of_the_depths_of_their_image():
    depths = torch.tensor([[1.0, 3.0], [10.0, 10.0]])
    inferred = InferredDepth(torch.tensor([[1.5, 3.0], [11.0, 9.0]]), torch.full((2, 2), 0.1))
    loss = create_loss(PointInferenceLossConfiguration(confidence_weight=0.0))
    value = loss(inferred, batch(depths))
    # Deviations: 1 of (1, 3); of a plain wall 5 % of its depth, 0.5.
    expected = (0.5 / 1 + 0 + 1 / 0.5 + 1 / 0.5) / 4
    assert float(value.total) == pytest.approx(expected)
    assert value.parts["point_inference/depth"] == pytest.approx(expected)


def test_confidences_cost_the_likelihood_of_the_relative_error():
    depths = torch.tensor([[2.0, 4.0]])
    inferred = InferredDepth(torch.tensor([[2.2, 4.0]]), torch.tensor([[0.05, 0.2]]))
    loss = create_loss(PointInferenceLossConfiguration(confidence_weight=0.5))
    value = loss(inferred, batch(depths))
    likelihood = ((0.1 / 0.05 + math.log(2 * 0.05)) + (0 + math.log(2 * 0.2))) / 2
    assert value.parts["point_inference/confidence"] == pytest.approx(likelihood, rel=1e-5)
    depth = (0.2 / 1 + 0) / 2
    assert float(value.total) == pytest.approx(depth + 0.5 * likelihood, rel=1e-5)


def test_likelihoods_are_those_of_a_laplace_distribution():
    errors, scales = torch.tensor([0.0, 0.1, 0.5]), torch.tensor([0.1, 0.2, 0.05])
    expected = -torch.distributions.Laplace(0.0, scales).log_prob(errors)
    torch.testing.assert_close(laplace_loss(errors, scales), expected)


def test_the_depth_does_not_learn_to_please_the_confidence():
    depths = torch.tensor([[1.0, 3.0]])
    found = torch.tensor([[1.5, 2.0]], requires_grad=True)
    scales = torch.tensor([[0.1, 0.1]], requires_grad=True)
    gradients = []
    for weight in (0.0, 5.0):
        loss = create_loss(PointInferenceLossConfiguration(confidence_weight=weight))
        total = loss(InferredDepth(found, scales), batch(depths)).total
        gradients.append(torch.autograd.grad(total, (found, scales), materialize_grads=True))
    torch.testing.assert_close(gradients[0][0], gradients[1][0])
    assert gradients[0][1].abs().max() == 0
    assert gradients[1][1].abs().max() > 0


def test_validation_says_how_often_confident_depths_are_right():
    depths = torch.tensor([[1.0, 1.0, 1.0, 1.0]])
    inferred = InferredDepth(
        torch.tensor([[1.01, 1.2, 1.02, 1.5]]), torch.tensor([[0.01, 0.01, 1.0, 1.0]])
    )
    liftings = Liftings()
    liftings.add(inferred, batch(depths))
    metrics = liftings.metrics()
    assert metrics["depth_near"] == 0.5
    assert metrics["confident"] == 0.5
    assert metrics["confident_near"] == 0.5
    assert metrics["confidence"] == pytest.approx(1 - math.exp(-5))
