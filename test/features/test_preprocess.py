"""What takes illumination out of images, against SciPy, torchvision and its own promises."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from torchvision.transforms.functional import normalize

from dense_reloc_ros.features.preprocess import (
    brighten_if_noisy,
    gaussian_blur,
    noise_of,
    normalize_local_contrast,
    standardize,
    stretch_brightness,
)


def texture(height: int = 120, width: int = 160) -> np.ndarray:
    """A smooth random image (H, W, 3) from 0 to 1."""
    noise = np.random.default_rng(0).standard_normal((height, width, 3))
    smooth = gaussian_filter(noise, (4, 4, 0))
    return (smooth - smooth.min()) / np.ptp(smooth)


def batch(image: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(image).permute(2, 0, 1)[None].float()


@pytest.mark.parametrize("sigma", [0.5, 1.25, 5.0])
def test_blur_is_scipys(sigma):
    blurred = gaussian_blur(batch(texture()), sigma)[0].permute(1, 2, 0)
    radius = int(np.ceil(3 * sigma))
    expected = gaussian_filter(
        texture(), (sigma, sigma, 0), mode="nearest", radius=(radius,) * 2 + (0,)
    )
    np.testing.assert_allclose(blurred, expected, atol=1e-5)


def test_small_images_are_blurred_as_far_as_they_go():
    small = torch.rand(1, 1, 4, 5, generator=torch.Generator().manual_seed(0))
    blurred = gaussian_blur(small, 10.0)
    assert blurred.shape == small.shape
    assert blurred.std() < 0.3 * small.std()


@pytest.mark.parametrize("gain", [0.5, 0.1, 0.02])
def test_local_contrast_does_not_depend_on_the_gain(gain):
    bright, dark = (normalize_local_contrast(batch(g * texture())) for g in (1.0, gain))
    assert bright.shape == (1, 3, 60, 80)
    torch.testing.assert_close(dark, bright, atol=1e-3, rtol=0)


@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_local_contrast_hardly_depends_on_gamma(gamma):
    image = 0.2 + 0.6 * texture()
    changed = image**gamma
    before, after = (normalize_local_contrast(batch(i)) for i in (image, changed))
    unnormalized = np.abs(changed - image).mean()
    assert (after - before).abs().mean() < 0.2 * unnormalized


def test_shadows_keep_their_pattern_and_most_of_its_contrast():
    image = texture(width=480)
    shaded = image.copy()
    shaded[:, 240:] *= 0.25
    before, after = (normalize_local_contrast(batch(i)) for i in (image, shaded))
    # Four deviations of the neighbourhood away from the shadow's edge.
    light, shadow = (..., slice(None, 40)), (..., slice(200, None))
    torch.testing.assert_close(after[light], before[light], atol=1e-3, rtol=0)
    pair = torch.stack([before[shadow].flatten(), after[shadow].flatten()])
    assert torch.corrcoef(pair)[0, 1] > 0.99
    assert pair[1].std() > 0.6 * pair[0].std()


def test_a_plain_wall_stays_plain():
    grey = normalize_local_contrast(torch.full((1, 3, 60, 80), 0.3))
    torch.testing.assert_close(grey, torch.full((1, 3, 30, 40), 0.5), atol=1e-3, rtol=0)
    assert torch.isfinite(normalize_local_contrast(torch.zeros(1, 3, 60, 80))).all()


def test_stretching_undoes_darkness():
    image = (255 * texture()).astype(np.uint8)
    dark = (20 + 0.1 * image).astype(np.uint8)
    stretched, stretched_dark = (stretch_brightness(i).astype(int) for i in (image, dark))
    # What rounding to a tenth of the values costs, amplified by the gamma.
    assert np.abs(stretched - stretched_dark).mean() < 8
    assert np.abs(image.astype(int) - dark).mean() > 60


def test_stretching_maps_percentiles_to_the_ends_with_gamma():
    # A ramp that the blur leaves alone far from its ends.
    ramp = np.tile(np.linspace(50, 200, 600), (600, 1)).astype(np.uint8)
    stretched = stretch_brightness(ramp)
    low, high = np.percentile(ramp, (1.0, 99.5))
    middle = slice(100, 500)
    share = (ramp[300, middle] - low) / (high - low)
    np.testing.assert_allclose(stretched[300, middle], 255 * share ** (1 / 2.2), atol=2.0)
    assert stretched.min() == 0
    assert stretched.max() == 255


@pytest.mark.parametrize("shape", [(20, 30), (20, 30, 3)])
def test_stretching_leaves_images_without_contrast(shape):
    flat = np.full(shape, 37, np.uint8)
    np.testing.assert_array_equal(stretch_brightness(flat), flat)


@pytest.mark.parametrize("sigma", [1.0, 3.0, 8.0])
def test_noise_is_measured_also_on_texture(sigma):
    smooth = 60 + 120 * texture()[..., 0]
    noise = np.random.default_rng(1).normal(0, sigma, smooth.shape)
    assert noise_of((smooth + noise).astype(np.float32)) == pytest.approx(sigma, rel=0.05)
    edges = smooth + 50 * (np.arange(160) // 20 % 2)
    assert noise_of((edges + noise).astype(np.float32)) == pytest.approx(sigma, rel=0.1)


@pytest.mark.parametrize("gain", [1.0, 0.5])
def test_images_in_good_and_dim_light_stay_sharp(gain):
    image = photograph(gain, sigma=0.3)
    np.testing.assert_array_equal(brighten_if_noisy(image), image)


def test_dark_noisy_images_are_blurred_and_brightened():
    image = photograph(gain=0.08, sigma=2.0)
    brightened = brighten_if_noisy(image)
    np.testing.assert_array_equal(brightened, stretch_brightness(image))
    assert brightened.mean() > 5 * image.mean()


def photograph(gain: float, sigma: float) -> np.ndarray:
    """A grey image (H, W) of texture in light of a gain, with the noise of a sensor."""
    light = 255 * gain * texture()[..., 0]
    noise = np.random.default_rng(2).normal(0, sigma, light.shape)
    return np.clip(np.rint(light + noise), 0, 255).astype(np.uint8)


def test_standardizing_is_torchvisions():
    images = batch(texture())
    expected = normalize(images, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    torch.testing.assert_close(standardize(images), expected)
