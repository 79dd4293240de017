"""Robust losses against their closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dense_reloc_ros.pose.robust_losses import ROBUST_LOSSES

# Of a residual r in units of the scale: the loss, and the weight psi(r) / r of least squares
# (Zhang, Parameter estimation techniques, 1997), for losses that are r² near zero.
CLOSED_FORMS = {
    "squared": (lambda r: r**2, lambda r: 1.0),
    "huber": (lambda r: r**2 if r <= 1 else 2 * r - 1, lambda r: 1.0 if r <= 1 else 1 / r),
    "cauchy": (lambda r: np.log(1 + r**2), lambda r: 1 / (1 + r**2)),
    "geman_mcclure": (lambda r: r**2 / (1 + r**2), lambda r: 1 / (1 + r**2) ** 2),
}
RESIDUALS = [0.0, 0.3, 0.999, 1.0, 1.001, 2.5, 40.0]


def test_all_losses_are_tested():
    assert set(CLOSED_FORMS) == set(ROBUST_LOSSES)


@pytest.mark.parametrize("name", CLOSED_FORMS)
def test_losses_and_weights_are_the_closed_forms(name):
    loss, weight = CLOSED_FORMS[name]
    value = ROBUST_LOSSES[name](torch.tensor(RESIDUALS, dtype=torch.float64).square())
    np.testing.assert_allclose(value.loss, [loss(r) for r in RESIDUALS], atol=1e-12)
    np.testing.assert_allclose(value.weight, [weight(r) for r in RESIDUALS], atol=1e-12)


@pytest.mark.parametrize("name", ROBUST_LOSSES)
def test_weights_are_the_derivatives_of_losses(name):
    s = torch.tensor([0.01, 0.5, 0.9, 1.1, 7.0], dtype=torch.float64, requires_grad=True)
    value = ROBUST_LOSSES[name](s)
    value.loss.sum().backward()
    torch.testing.assert_close(s.grad, value.weight.detach())
