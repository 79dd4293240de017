from __future__ import annotations

import math

import torch

from dense_reloc_ros.neurhal.gated_attention import (
    AttentionLayer,
    GatedAttention,
    best_key,
    max_pooled,
)

CHANNELS, HEADS = 8, 2


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def attention() -> GatedAttention:
    torch.manual_seed(0)
    return GatedAttention(CHANNELS, HEADS).double()


def test_messages_are_those_of_the_formula_one_query_and_head_at_a_time():
    layer = attention().requires_grad_(False)
    x, context = random(2, 3, CHANNELS), random(2, 5, CHANNELS, seed=1)
    found = layer(x, context)
    width = CHANNELS // HEADS
    for image in range(2):
        for query in range(3):
            q = layer.query.weight @ x[image, query]
            for head in range(HEADS):
                part = slice(head * width, (head + 1) * width)
                scores = [
                    float(q[part] @ (layer.key.weight @ key)[part]) / math.sqrt(width)
                    for key in context[image]
                ]
                gate = 1 / (1 + math.exp(-max(scores)))
                weights = [math.exp(gate * score) for score in scores]
                values = [(layer.value.weight @ key)[part] for key in context[image]]
                expected = sum(w * v for w, v in zip(weights, values, strict=True)) / sum(weights)
                torch.testing.assert_close(found[image, query, part], expected)


def test_gradients_are_those_of_finite_differences_also_through_the_gate():
    layer = attention()
    x = random(1, 2, CHANNELS).requires_grad_()
    context = random(1, 3, CHANNELS, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(layer, (x, context))


def test_the_best_key_is_the_one_with_the_largest_product():
    query, key = random(2, 4, 3), random(2, 6, 3, seed=1)
    found = best_key(query, key)
    for image in range(2):
        for number in range(4):
            products = [float(query[image, number] @ one) for one in key[image]]
            expected = key[image, products.index(max(products))]
            torch.testing.assert_close(found[image, number], expected)


def test_a_layer_adds_to_its_features_and_does_not_mix_points():
    torch.manual_seed(0)
    layer = AttentionLayer(CHANNELS, HEADS).double()
    x, context = random(1, 4, CHANNELS), random(1, 6, CHANNELS, seed=1)
    together = layer(x, context)
    alone = layer(x[:, 2:3], context)
    torch.testing.assert_close(together[:, 2:3], alone)
    # The last norm bounds what is added: its mean square is 1 as long as it has not learned.
    torch.testing.assert_close(
        (together - x).square().mean(-1), torch.ones(1, 4).double(), rtol=1e-3, atol=0
    )


def test_the_grid_is_pooled_by_two_and_its_last_odd_row_stands_for_itself():
    grid = random(1, 3, 4, 2)
    pooled = max_pooled(grid)
    assert pooled.shape == (1, 2 * 2, 2)
    torch.testing.assert_close(pooled[0, 0], grid[0, :2, :2].flatten(0, 1).amax(0))
    torch.testing.assert_close(pooled[0, 3], grid[0, 2:, 2:].flatten(0, 1).amax(0))
