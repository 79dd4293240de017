"""Every loss can be named in a configuration, made, and called."""

from __future__ import annotations

import pytest
import torch
from pydantic import TypeAdapter, ValidationError
from training.losses.random_pairs import as_features, random_batch, random_values

from dense_reloc_ros.training.losses.registry import LossConfiguration, create_loss

LEVELS = ("coarse", "fine")
BLOCKS = (
    {"name": "nre"},
    {"name": "s2dnet", "levels": LEVELS},
    {"name": "global_descriptor"},
    {"name": "double_margin", "levels": LEVELS},
    {"name": "gauss_newton", "levels": LEVELS},
)


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block["name"])
def test_every_loss_is_made_from_its_name_and_lowers_itself(block):
    loss = create_loss(TypeAdapter(LossConfiguration).validate_python(block)).eval()
    source, target = random_values(1), random_values(2)
    whole = torch.eye(4, dtype=torch.float64)
    places = whole[:2].clone().requires_grad_(), whole[[1, 0]].clone().requires_grad_()

    def total():
        return loss(
            as_features(source, places[0]), as_features(target, places[1]), random_batch()
        ).total

    before = total()
    assert before.shape == ()
    before.backward()
    learned = [v for v in (*source.values(), *target.values(), *places) if v.grad is not None]
    assert any(v.grad.abs().max() > 0 for v in learned)
    with torch.no_grad():
        for values in learned:
            values -= 1e-4 * values.grad
    assert total().item() < before.item()


@pytest.mark.parametrize("block", [{"name": "none"}, {}, {"name": "nre", "margin": 1}])
def test_unknown_losses_and_parameters_are_errors(block):
    with pytest.raises(ValidationError):
        TypeAdapter(LossConfiguration).validate_python(block)
