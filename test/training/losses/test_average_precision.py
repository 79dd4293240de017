from __future__ import annotations

import pytest
import torch

from dense_reloc_ros.training.losses.scene_coordinate_loss import average_precision


def random_scores(count: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    scores = torch.rand(count, generator=generator, dtype=torch.float64)
    return scores, torch.rand(count, generator=generator) < 0.3


@pytest.mark.parametrize("bins", [2, 5, 20])
def test_as_the_formula_says(bins):
    """Revaud et al. (2019), eq. 5 to 9, one bin after the other."""
    scores, correct = random_scores(30)
    width = 1 / (bins - 1)
    total, found, found_correct = 0.0, 0.0, 0.0
    for m in range(bins):
        centre = 1 - m * width
        in_bin = [max(1 - abs(float(s) - centre) / width, 0) for s in scores]
        correct_in_bin = sum(d for d, right in zip(in_bin, correct, strict=True) if right)
        found += sum(in_bin)
        found_correct += correct_in_bin
        precision = found_correct / found if found else 0.0
        total += precision * correct_in_bin / int(correct.sum())
    assert float(average_precision(scores, correct, bins)) == pytest.approx(total)


def test_many_bins_give_the_average_precision_of_the_ranking():
    """Also as retrieval defines it: mean precision at the ranks of what is correct."""
    scores, correct = random_scores(12, seed=3)
    order = scores.argsort(descending=True)
    ranked = correct[order].double()
    precision = ranked.cumsum(0) / torch.arange(1, 13)
    expected = (precision * ranked).sum() / ranked.sum()
    # A score lies between two bins: precision counts half of it at most too early.
    found = average_precision((scores * 100_000).round() / 100_000, correct, 100_001)
    assert float(found) == pytest.approx(float(expected), abs=1e-6)


def test_what_is_right_and_what_is_wrong_in_order():
    correct = torch.tensor([True, True, False, False, False])
    best = average_precision(torch.tensor([1.0, 0.9, 0.2, 0.1, 0.0]), correct, 11)
    assert float(best) == pytest.approx(1)
    worst = average_precision(torch.tensor([0.0, 0.0, 1.0, 1.0, 1.0]), correct, 11)
    assert float(worst) == pytest.approx(2 / 5)


def test_gradient():
    # Away from the centres of the bins, where the soft membership has its kinks.
    scores, correct = random_scores(20, seed=1)
    scores = ((scores * 9).floor() + 0.1 + 0.8 * (scores * 7 % 1)) / 9
    scores.requires_grad_()
    assert torch.autograd.gradcheck(lambda s: average_precision(s, correct, 10), scores)
    (-average_precision(scores, correct, 10)).backward()
    # Down the loss: what is correct rises.
    assert scores.grad[correct].sum() < 0 < scores.grad[~correct].sum()


def test_scores_of_one_bin_alone_have_finite_gradients():
    scores = torch.full((8,), 0.5, requires_grad=True)
    correct = torch.arange(8) < 3
    value = average_precision(scores, correct, 20)
    value.backward()
    assert float(value.detach()) == pytest.approx(3 / 8, abs=0.02)
    assert scores.grad.isfinite().all()
