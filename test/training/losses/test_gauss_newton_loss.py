"""The Gauss-Newton loss against the density that it is the logarithm of."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from training.losses.random_pairs import (
    STRIDES,
    as_features,
    numbers,
    random_batch,
    random_values,
    slow_bilinear,
    slow_descriptor,
)

from dense_reloc_ros.training.losses.gauss_newton_loss import (
    GaussNewtonLoss,
    GaussNewtonLossConfiguration,
    central_differences,
    gauss_newton_terms,
    in_disk,
)

DAMPING = 1e-3


def loss_of(**options) -> GaussNewtonLoss:
    """A loss that starts at the truth unless told otherwise."""
    options = {"vicinity": 1e-12, "damping": DAMPING, "levels": ("coarse", "fine")} | options
    return GaussNewtonLoss(GaussNewtonLossConfiguration(**options))


def slow_term(descriptor, values, truth, start) -> tuple[float, float]:
    """-ln of a Gaussian density, from the inverse of its covariance, and its constant part.

    The derivative is that of the map of central differences, interpolated bilinearly.
    """
    by_column, by_row = np.zeros_like(values), np.zeros_like(values)
    by_column[:, :, 1:-1] = (values[:, :, 2:] - values[:, :, :-2]) / 2
    by_row[:, 1:-1] = (values[:, 2:] - values[:, :-2]) / 2
    jacobian = np.stack([slow_bilinear(by_column, *start), slow_bilinear(by_row, *start)], axis=1)
    residual = slow_bilinear(values, *start) - descriptor
    precision = jacobian.T @ jacobian + DAMPING * np.eye(2)
    mean = start - np.linalg.inv(precision) @ jacobian.T @ residual
    covariance = np.linalg.inv(precision)
    difference = truth - mean
    constant = math.log(2 * math.pi * math.sqrt(np.linalg.det(covariance)))
    exponent = 0.5 * difference @ precision @ difference
    density = math.exp(-exponent) / (2 * math.pi * math.sqrt(np.linalg.det(covariance)))
    assert -math.log(density) == pytest.approx(exponent + constant)
    return float(exponent), constant


def slow_loss(source, target, batch, name) -> tuple[float, float]:
    """Means of both terms over the points that have neighbours, starting at the truth."""
    stride, offset = STRIDES[name]
    terms = []
    for image, point in np.argwhere(batch.visible.numpy()):
        values = numbers(target[name][image])
        cell = (numbers(batch.target_pixels[image, point]) - offset) / stride
        if not all(1 <= c <= n - 2 for c, n in zip(cell, values.shape[:0:-1], strict=True)):
            continue
        descriptor = slow_descriptor(
            numbers(source[name][image]), numbers(batch.source_pixels[image, point]), stride, offset
        )
        terms.append(slow_term(descriptor, values, cell, cell))
    assert terms
    return tuple(np.mean(terms, axis=0))


def test_follows_the_definition():
    source, target, batch = random_values(1), random_values(2), random_batch()
    value = loss_of()(as_features(source), as_features(target), batch)
    error, determinant = np.sum([slow_loss(source, target, batch, n) for n in STRIDES], axis=0)
    assert value.parts["gauss_newton/error"] == pytest.approx(error)
    assert value.parts["gauss_newton/determinant"] == pytest.approx(determinant)
    assert value.total.item() == pytest.approx(error + 2 / 7 * determinant)


def test_terms_away_from_the_truth_follow_the_definition():
    values = random_values(3)["fine"]
    starts = torch.tensor([[3.2, 4.9], [1.0, 1.0], [14.0, 10.0]], dtype=torch.float64)
    truths = starts + torch.tensor([[0.5, -0.3], [0.0, 0.9], [-0.7, 0.7]])
    image = torch.tensor([0, 1, 1])
    descriptors = torch.eye(3, dtype=torch.float64)
    at_start = [
        slow_bilinear(numbers(values[i]), *s) for i, s in zip(image, starts.tolist(), strict=True)
    ]
    error, determinant = gauss_newton_terms(
        truths - starts,
        torch.tensor(np.array(at_start)) - descriptors,
        central_differences(values, image, starts),
        DAMPING,
    )
    for point in range(3):
        expected = slow_term(
            numbers(descriptors[point]),
            numbers(values[image[point]]),
            numbers(truths[point]),
            numbers(starts[point]),
        )
        assert (error[point].item(), determinant[point].item()) == pytest.approx(expected)


def test_a_perfect_step_has_no_error():
    """Features that are linear in the cell: one step from anywhere finds the truth."""
    columns, rows = torch.meshgrid(torch.arange(16.0), torch.arange(12.0), indexing="xy")
    ramp = torch.stack([columns, rows, 2 * columns - rows])[None].double()
    start, truth = torch.tensor([[4.3, 5.1]]).double(), torch.tensor([[5.2, 4.4]]).double()
    image = torch.zeros(1, dtype=torch.int64)
    jacobians = central_differences(ramp, image, start)
    torch.testing.assert_close(
        jacobians, torch.tensor([[[1.0, 0.0], [0.0, 1.0], [2.0, -1.0]]]).double()
    )
    residuals = (jacobians @ (start - truth)[..., None])[..., 0]
    error, _ = gauss_newton_terms(truth - start, residuals, jacobians, 1e-9)
    assert error.item() < 1e-12


def test_starts_lie_in_the_vicinity_and_resume():
    shifts = in_disk(4000, 1.5, torch.Generator().manual_seed(0))
    radii = shifts.norm(dim=-1)
    assert radii.max() <= 1.5
    assert (radii < 1.5 / math.sqrt(2)).double().mean().item() == pytest.approx(0.5, abs=0.03)
    assert shifts.mean(0).abs().max() < 0.05
    loss = loss_of(vicinity=1.5)
    features, batch = (as_features(random_values(1)), as_features(random_values(2))), random_batch()
    first, second = (loss(*features, batch).total.item() for _ in range(2))
    assert first != second
    resumed = loss_of(vicinity=1.5)
    resumed.load_state_dict(loss.state_dict())
    assert resumed(*features, batch).total.item() == loss(*features, batch).total.item()


def test_gradients():
    source, target, batch = random_values(1), random_values(2), random_batch()
    loss = loss_of(levels=("coarse",), vicinity=0.5).eval()
    batch.target_pixels.clamp_(8.0, 14.0)

    def total(source_values, target_values):
        features = as_features({"coarse": source_values}), as_features({"coarse": target_values})
        return loss(*features, batch).total

    assert torch.autograd.gradcheck(total, (source["coarse"], target["coarse"]))


@pytest.mark.parametrize("channels_alike", [False, True])
def test_flat_and_one_directional_features_give_finite_gradients(channels_alike):
    values = torch.ones(1, 3, 12, 16)
    if channels_alike:
        values = values * torch.arange(16.0)
    values.requires_grad_()
    cells = torch.tensor([[4.2, 5.5], [9.0, 3.0]])
    image = torch.zeros(2, dtype=torch.int64)
    error, determinant = gauss_newton_terms(
        torch.full((2, 2), 0.3), torch.ones(2, 3), central_differences(values, image, cells), 1e-9
    )
    (error + determinant).sum().backward()
    assert determinant.isfinite().all()
    assert values.grad.isfinite().all()


@pytest.mark.parametrize("nothing", ["visible", "with neighbours"])
def test_nothing_to_learn_from_gives_zero_and_zero_gradients(nothing):
    source, target = random_values(1), random_values(2)
    visible = torch.full((2, 5), nothing != "visible")
    pixels = torch.tensor([0.0, 12.0], dtype=torch.float64).expand(2, 5, 2)
    batch = random_batch(visible=visible, target_pixels=pixels)
    value = loss_of()(as_features(source), as_features(target), batch)
    value.total.backward()
    assert value.total.item() == 0
    for values in (*source.values(), *target.values()):
        assert torch.count_nonzero(values.grad) == 0


def test_half_precision_and_autocast_lose_nothing_after_the_features():
    source, target = random_values(1, torch.float16), random_values(2, torch.float16)
    batch = random_batch()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = loss_of()(as_features(source), as_features(target), batch)
    terms = np.sum([slow_loss(source, target, batch, name) for name in STRIDES], axis=0)
    assert value.total.item() == pytest.approx(terms[0] + 2 / 7 * terms[1], rel=1e-4)
    value.total.backward()
    assert target["fine"].grad.isfinite().all()
