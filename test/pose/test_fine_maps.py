"""High-resolution maps against the probability that is counted pixel by pixel."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from pose.synthetic import HEIGHT, WIDTH, problem_of, random_view

from dense_reloc_ros.features.extractor import FeatureLevel
from dense_reloc_ros.matching.windows import Windows, local_log_maps
from dense_reloc_ros.pose.fine_maps import fine_loss_maps, window_mass


def level(stride: int) -> FeatureLevel:
    shape = (1, 2, HEIGHT // stride, WIDTH // stride)
    return FeatureLevel(stride, (stride - 1) / 2, torch.zeros(shape))


def random_log_coarse(count: int, stride: int) -> torch.Tensor:
    cells = HEIGHT // stride * (WIDTH // stride)
    logits = torch.randn(count, cells, generator=torch.Generator().manual_seed(0))
    maps = torch.log_softmax(logits.double(), dim=1)
    return maps.view(count, HEIGHT // stride, WIDTH // stride)


@pytest.mark.parametrize(("coarse", "fine", "size"), [(8, 4, 16), (16, 2, 64), (16, 4, 7)])
def test_the_mass_of_a_window_is_that_of_its_pixels(coarse, fine, size):
    """With strides 16 and 2 and 64 cells it is the sum of 64 coarse cells of the thesis."""
    rng = np.random.default_rng(0)
    high = [WIDTH // fine, HEIGHT // fine]
    origins = torch.from_numpy(rng.integers(-size, high, (30, 2)))
    origins[0] = torch.tensor([2 * coarse // fine, coarse // fine])  # on the edges of coarse cells
    origins[1] = -size  # wholly outside
    log_coarse = random_log_coarse(30, coarse)
    # A coarse cell spreads its probability evenly over its pixels.
    by_pixel = np.kron(log_coarse.exp().numpy(), np.ones((coarse, coarse))) / coarse**2
    expected = []
    for image, (left, top) in zip(by_pixel, fine * origins.numpy(), strict=True):
        rows = slice(max(top, 0), max(top + fine * size, 0))
        expected.append(image[rows, max(left, 0) : max(left + fine * size, 0)].sum())
    mass = window_mass(log_coarse, level(coarse), level(fine), origins, size)
    np.testing.assert_allclose(mass.numpy(), expected, atol=1e-12)
    assert mass[1] == 0
    if size == 64:
        assert mass[0] == pytest.approx(float(log_coarse[0, 1:9, 2:10].exp().sum()))


def test_a_window_on_the_whole_image_has_all_of_the_probability():
    origins = torch.tensor([[-10, -20]])
    mass = window_mass(random_log_coarse(1, 8), level(8), level(4), origins, 120)
    assert float(mass) == pytest.approx(1.0)


def test_the_fine_map_sums_to_what_the_coarse_map_gives_its_window():
    """So it is a high-resolution version of it; divided by 64 it would sum to a 64th of that."""
    log_coarse, size = random_log_coarse(3, 8), 16
    origins = torch.tensor([[10, 12], [40, 30], [4, 20]])
    even = torch.full((3, size, size), -2 * math.log(size), dtype=torch.float64)
    maps = fine_loss_maps(Windows(even, origins), level(4), log_coarse, level(8))
    assert maps.outlier_loss == pytest.approx(math.log(1 + 60 * 80))
    assert (maps.gains > 0).all()  # nothing is truncated, so the whole pmf can be read
    pmf = (maps.gains - maps.outlier_loss).exp()
    mass = window_mass(log_coarse, level(8), level(4), origins, size)
    torch.testing.assert_close(pmf.sum((1, 2)), mass)


def test_fine_maps_lie_where_their_windows_do():
    view = random_view(30, 0)
    problem = problem_of(view.points, (view.pixels, 1.0))
    inside = ((view.pixels > 40) & (view.pixels < torch.tensor([280, 200]))).all(-1)
    assert inside.sum() > 5
    centres = view.pixels + torch.tensor([11.0, -9.0])
    pixels, gains = problem.fine_maps(centres, 16).best_pixels
    assert (pixels - view.pixels)[inside].abs().max() < 0.5
    assert (gains[inside] > 0.5 * problem.fine_maps(centres, 16).outlier_loss).all()


def test_the_compiled_maps_are_those_of_tensors():
    """Some windows lie partly, some wholly outside of the image."""
    view = random_view(60, 2)
    problem = problem_of(view.points, (view.pixels, 1.0))
    centres = view.pixels + torch.tensor([150.0, -90.0]) * torch.linspace(0, 2, 60)[:, None]
    centres[7] = torch.nan
    windows = local_log_maps(
        problem.fine_descriptors, problem.fine_level, centres, 12, problem.fine_temperature
    )
    levels = (problem.fine_level, problem.log_coarse, problem.coarse_level)
    expected, found = fine_loss_maps(windows, *levels), problem.fine_maps(centres, 12)
    assert 0 < (expected.gains > 0).float().mean() < 1
    torch.testing.assert_close(found.gains, expected.gains, atol=1e-3, rtol=1e-4)
    torch.testing.assert_close(found.origins, expected.origins)
    assert found.outlier_loss == expected.outlier_loss


def test_where_the_coarse_map_excludes_the_window_the_fine_map_is_truncated():
    view = random_view(20, 1)
    problem = problem_of(view.points, (view.pixels, 1.0))
    elsewhere = (view.pixels + torch.tensor([160.0, 120.0])) % torch.tensor([WIDTH, HEIGHT])
    assert (problem.fine_maps(elsewhere, 8).gains == 0).all()
    behind = torch.full_like(view.pixels, torch.nan)
    assert (problem.fine_maps(behind, 8).gains == 0).all()
