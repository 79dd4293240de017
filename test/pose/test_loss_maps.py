"""Loss maps against the equations of the thesis, term by term."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from dense_reloc_ros.pose.loss_maps import LossMaps, loss_maps, one_hot_loss_maps

STRIDE, OFFSET = 8, 3.5


def random_log_maps(count: int, height: int = 6, width: int = 7, seed: int = 0) -> Tensor:
    """Log correspondence maps (M, h, w), about two thirds of whose cells are truncated."""
    logits = torch.randn(count, height * width, generator=torch.Generator().manual_seed(seed))
    return torch.log_softmax(logits.double(), dim=1).view(count, height, width)


def random_maps(count: int, origins: Tensor | None = None, seed: int = 0) -> LossMaps:
    return loss_maps(random_log_maps(count, seed=seed), 43, STRIDE, OFFSET, origins)


def test_losses_are_truncated_at_the_loss_of_an_outlier():
    log_maps = random_log_maps(5)
    expected = np.minimum(np.log(1 + 6 * 7), -log_maps.numpy())  # eq. 4.7
    assert 0.2 < (expected == np.log(43)).mean() < 0.8
    maps = loss_maps(log_maps, 1 + 6 * 7, STRIDE, OFFSET)
    assert maps.outlier_loss == pytest.approx(math.log(43))
    np.testing.assert_allclose(maps.outlier_loss - maps.gains.numpy(), expected, atol=1e-12)
    assert maps.truncated_cost == pytest.approx(5 * math.log(43))


def loss_by_definition(maps: LossMaps, number: int, pixel: np.ndarray) -> float:
    """The cross-entropy of the reprojection pmf (eq. 4.3) with a truncated map (eq. 4.6)."""
    if not np.isfinite(pixel).all():
        return maps.outlier_loss
    cell = (pixel - OFFSET) / STRIDE - maps.origins[number].numpy()
    floor = np.floor(cell).astype(int)
    x, y = cell - floor
    total = 0.0
    for (dx, dy), weight in {
        (0, 0): (1 - x) * (1 - y),
        (1, 0): x * (1 - y),
        (0, 1): (1 - x) * y,
        (1, 1): x * y,
    }.items():
        column, row = floor[0] + dx, floor[1] + dy
        height, width = maps.gains.shape[1:]
        if 0 <= column < width and 0 <= row < height:
            loss = maps.outlier_loss - float(maps.gains[number, row, column])
        else:
            loss = maps.outlier_loss
        total += weight * loss
    return total


def test_the_loss_of_a_reprojection_is_that_of_the_definition():
    rng = np.random.default_rng(0)
    origins = torch.tensor([[0, 0], [-3, 5], [4, 0], [2, -2]])
    maps = random_maps(4, origins)
    image = np.array([7, 6]) * STRIDE
    pixels = rng.uniform(-0.3 * image, 1.3 * image, (200, 4, 2)) + STRIDE * origins.numpy()
    pixels[0] = np.nan  # behind the camera
    pixels[1] = OFFSET + STRIDE * origins  # on the centre of the first cell
    pixels[2] = OFFSET + STRIDE * (origins + torch.tensor([6, 5]))  # and of the last
    pixels[3] = 1e12
    expected = np.array(
        [[loss_by_definition(maps, n, pose[n]) for n in range(4)] for pose in pixels]
    )
    gains = maps.gains_at(torch.from_numpy(pixels))
    assert 0.2 < (gains > 0).double().mean() < 0.8
    np.testing.assert_allclose(maps.outlier_loss - gains.numpy(), expected, atol=1e-9)
    np.testing.assert_allclose(
        maps.cost(torch.from_numpy(pixels)).numpy(), expected.sum(1), atol=1e-9
    )


def test_the_best_pixel_is_the_peak_of_a_parabola():
    rows, columns = torch.meshgrid(torch.arange(6.0), torch.arange(7.0), indexing="ij")
    peaks = torch.tensor([[2.3, 3.1], [4.0, 1.0], [3.45, 2.55]])
    gains = torch.stack(
        [4.0 - 0.5 * (columns - x) ** 2 - 0.3 * (rows - y) ** 2 for x, y in peaks]
    ).clamp(min=0)
    origins = torch.tensor([[0, 0], [10, 20], [-5, -6]])
    pixels, best = LossMaps(gains, origins, STRIDE, OFFSET, 5.0).best_pixels
    torch.testing.assert_close(pixels, (peaks + origins) * STRIDE + OFFSET, atol=1e-4, rtol=0)
    torch.testing.assert_close(best, gains.flatten(1).amax(1))


def test_the_best_pixel_at_the_border_is_a_whole_cell_there():
    gains = torch.zeros(2, 6, 7)
    gains[0, 0, 6], gains[0, 0, 5], gains[0, 1, 6] = 3.0, 2.9, 2.9
    pixels, best = LossMaps(gains, torch.zeros(2, 2), STRIDE, OFFSET, 5.0).best_pixels
    assert pixels[0].tolist() == [6 * STRIDE + OFFSET, OFFSET]
    assert best.tolist() == [3.0, 0.0]
    assert pixels[1].isnan().all()


def test_reprojection_error_is_the_loss_map_of_one_hot_correspondence_maps():
    cells = torch.tensor([[3, 2], [0, 5], [6, 0]])
    certain = torch.zeros(3, 6, 7)
    certain[torch.arange(3), cells[:, 1], cells[:, 0]] = 1.0
    generic = loss_maps(certain.log(), 43, STRIDE, OFFSET)
    special = one_hot_loss_maps(cells * STRIDE + OFFSET, 43, STRIDE)
    pixels = cells * STRIDE + OFFSET + 6 * torch.randn(50, 3, 2)
    gains = special.gains_at(pixels)
    assert 0.2 < (gains > 0).double().mean() < 0.8
    torch.testing.assert_close(gains, generic.gains_at(pixels))


def test_selected_maps_are_the_same_maps():
    maps = random_maps(4, torch.tensor([[0, 0], [1, 2], [3, 4], [5, 6]]))
    chosen = maps.select(torch.tensor([3, 1]))
    pixels = torch.tensor([[60.0, 70.0], [30.0, 40.0]], dtype=torch.float64)
    everywhere = torch.zeros(1, 4, 2, dtype=torch.float64)
    everywhere[0, [3, 1]] = pixels
    torch.testing.assert_close(chosen.gains_at(pixels[None]), maps.gains_at(everywhere)[:, [3, 1]])


def test_compiled_best_pixels_are_those_by_tensors():
    generator = torch.Generator().manual_seed(0)
    gains = (torch.rand(60, 9, 7, generator=generator) - 0.5).clamp(min=0)
    gains[:3] = 0.0
    origins = torch.randint(-9, 9, (60, 2), generator=generator).float()
    maps = LossMaps(gains, origins, STRIDE, OFFSET, 5.0)
    pixels, best = maps.best_pixels
    expected, expected_best = maps.best_pixels_by_tensors()
    assert pixels[:3].isnan().all() and not pixels[3:].isnan().any()
    torch.testing.assert_close(pixels, expected, equal_nan=True, atol=1e-4, rtol=0)
    torch.testing.assert_close(best, expected_best)
