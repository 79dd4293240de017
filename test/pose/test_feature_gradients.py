"""Features and gradients sampled at single cells against whole gradient maps."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import correlate, map_coordinates
from torch import Tensor

from dense_reloc_ros.features.extractor import FeatureLevel
from dense_reloc_ros.pose.feature_gradients import FeatureGradients

STRIDE, OFFSET = 4, 1.5
ROWS, COLUMNS, CHANNELS = 9, 12, 5
ALONG = np.array([-0.5, 0.0, 0.5])
ACROSS = {
    "central": np.array([0.0, 1.0, 0.0]),
    "sobel_normalized": np.array([0.25, 0.5, 0.25]),
    "sobel": np.array([2.0, 4.0, 2.0]),
}


def random_level(dtype: torch.dtype = torch.float64) -> FeatureLevel:
    values = np.random.default_rng(0).normal(size=(1, CHANNELS, ROWS, COLUMNS))
    return FeatureLevel(STRIDE, OFFSET, torch.from_numpy(values).to(dtype))


def random_pixels(count: int) -> Tensor:
    """Between the centres of the outermost cells."""
    last = np.array([COLUMNS - 1, ROWS - 1])
    cells = np.random.default_rng(1).uniform(0, last, (count, 2))
    return torch.from_numpy(np.vstack([cells, [[0, 0], last, [3, 4]]]) * STRIDE + OFFSET)


def bilinear(channel: np.ndarray, pixels: Tensor) -> np.ndarray:
    cells = ((pixels - OFFSET) / STRIDE).numpy()
    return map_coordinates(channel, cells[:, ::-1].T, order=1, mode="nearest")


@pytest.mark.parametrize("kernel", ACROSS)
def test_samples_are_those_of_whole_maps(kernel):
    level, pixels = random_level(), random_pixels(60)
    samples = FeatureGradients.of(level, kernel).sample(pixels)
    assert samples.inside.all()
    by_x = np.outer(ACROSS[kernel], ALONG)
    for c, channel in enumerate(level.values[0].numpy()):
        np.testing.assert_allclose(samples.values[:, c], bilinear(channel, pixels), atol=1e-12)
        for axis, weights in enumerate((by_x, by_x.T)):
            # Beyond the border lie the outermost cells again.
            gradient_map = correlate(channel, weights, mode="nearest") / STRIDE
            expected = bilinear(gradient_map, pixels)
            np.testing.assert_allclose(samples.gradients[:, axis, c], expected, atol=1e-12)


def test_central_differences_are_those_of_numpy_inside():
    level = random_level()
    rows, columns = np.mgrid[1 : ROWS - 1, 1 : COLUMNS - 1]
    cells = np.stack([columns, rows], axis=-1)
    pixels = torch.from_numpy(cells * STRIDE + OFFSET)
    samples = FeatureGradients.of(level, "central").sample(pixels)
    by_row, by_column = np.gradient(level.values[0].numpy(), STRIDE, axis=(1, 2))
    for axis, gradient in enumerate((by_column, by_row)):
        expected = gradient[:, 1:-1, 1:-1].transpose(1, 2, 0)
        np.testing.assert_allclose(samples.gradients[..., axis, :], expected, atol=1e-12)


@pytest.mark.parametrize(
    ("kernel", "factor"), [("central", 1), ("sobel_normalized", 1), ("sobel", 8)]
)
def test_the_slope_of_a_plane(kernel, factor):
    rows, columns = torch.meshgrid(torch.arange(8.0), torch.arange(8.0), indexing="ij")
    pixels = OFFSET + STRIDE * torch.tensor([[1.0, 1.0], [2.3, 5.7], [5.9, 3.5]])
    level = FeatureLevel(STRIDE, OFFSET, (0.2 * columns - 0.6 * rows)[None, None])
    gradients = FeatureGradients.of(level, kernel).sample(pixels).gradients[..., 0]
    expected = factor * torch.tensor([0.2, -0.6]) / STRIDE
    torch.testing.assert_close(gradients, expected.expand(3, 2))


def test_central_differences_are_accurate_to_second_order():
    """Cells half as large leave a quarter of the error."""
    errors = []
    for stride in (8, 4, 2):
        x = torch.arange(0, 256, stride, dtype=torch.float64)
        level = FeatureLevel(stride, 0.0, (x / 30).sin().expand(1, 1, 6, -1))
        pixels = torch.stack([x[4:-4], torch.full_like(x[4:-4], stride)], dim=-1)
        gradients = FeatureGradients.of(level, "central").sample(pixels).gradients[:, 0, 0]
        errors.append((gradients - (pixels[:, 0] / 30).cos() / 30).abs().max())
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.05)
    assert errors[1] / errors[2] == pytest.approx(4, rel=0.05)


def test_outside_there_is_no_gradient():
    left, right = OFFSET - 1e-3, OFFSET + STRIDE * (COLUMNS - 1) + 1e-3
    pixels = torch.tensor([[left, 9.0], [right, 9.0], [9.0, -5.0], [torch.nan] * 2, [9.0, 9.0]])
    samples = FeatureGradients.of(random_level(), "central").sample(pixels.double())
    assert samples.inside.tolist() == [False] * 4 + [True]
    assert not samples.gradients[:4].any()
    assert samples.gradients[4].abs().min() > 0
    assert samples.values.isfinite().all()


def test_half_precision_is_sampled_in_single():
    pixels = random_pixels(5).float()
    samples = FeatureGradients.of(random_level(torch.float16), "central").sample(pixels)
    single = FeatureGradients.of(random_level(torch.float32), "central").sample(pixels)
    assert samples.gradients.dtype == torch.float32
    torch.testing.assert_close(samples.gradients, single.gradients, atol=1e-3, rtol=0)


def test_dimensions_in_front_are_kept():
    pixels = random_pixels(9)[:12].view(3, 4, 2)
    features = FeatureGradients.of(random_level(), "sobel_normalized")
    together = features.sample(pixels)
    assert together.values.shape == (3, 4, CHANNELS)
    assert together.gradients.shape == (3, 4, 2, CHANNELS)
    alone = features.sample(pixels[2, 1])
    torch.testing.assert_close(together.gradients[2, 1], alone.gradients)
