"""Illumination out of the images: what makes night comparable with day before any network runs."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

STRETCH_BLUR_PIXELS = 1.5
STRETCH_PERCENTILES = (1.0, 99.5)
STRETCH_GAMMA = 1 / 2.2
LARGEST_NOISE = 2.0
"""Grey levels of 255 after the gamma; good or dim light left 1.2 at most, darkness 2.2 and more."""
_NOISE_MASK = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], dtype=np.float32)
_NORMAL_MEDIAN = 0.6745
"""The median of the absolute values of a standard normal distribution."""

NOISE_BLUR_PIXELS = 3.0
NEIGHBOURHOOD_PIXELS = 40.0
NEIGHBOURHOOD_SUBSAMPLING = 4
"""Of the half-size image, before its neighbourhoods are averaged."""
CONTRAST = 0.2
CONTRAST_FLOOR = 0.02

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_DEVIATION = (0.229, 0.224, 0.225)


def brighten_if_noisy(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A grey image (H, W) as it is, or, where dark and noisy, after `stretch_brightness`.

    The blur costs a sharp image half its sparse keypoints, and the gamma makes it differ from the
    images of a map. Only an image whose noise the gamma would amplify too much needs both.
    """
    noise = noise_of(_stretched(image.astype(np.float32)))
    return stretch_brightness(image) if noise > LARGEST_NOISE else image


def noise_of(image: NDArray[np.float32]) -> float:
    """The standard deviation of the noise of a grey image (H, W).

    By a mask that neither gradients nor edges along the axes answer to (Immerkaer, Fast noise
    variance estimation, CVIU 1996); the median of the answers leaves texture out.
    """
    answers = cv2.filter2D(image, -1, _NOISE_MASK)[1:-1, 1:-1]
    return float(np.median(np.abs(answers))) / (_NORMAL_MEDIAN * float(np.linalg.norm(_NOISE_MASK)))


def stretch_brightness(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Brightens an image (H, W) or (H, W, 3): blur, the 1st-99.5th percentile to 0-1, gamma 1/2.2.

    The blur takes the shot noise that the gamma would amplify. An image without contrast comes
    back blurred only. Sparse features use it; dense ones have `normalize_local_contrast`.
    """
    blurred = cv2.GaussianBlur(image.astype(np.float32), (0, 0), STRETCH_BLUR_PIXELS)
    stretched = _stretched(np.asarray(blurred, dtype=np.float32))
    return np.asarray(np.rint(stretched), dtype=np.uint8)


def _stretched(image: NDArray[np.float32]) -> NDArray[np.float32]:
    low, high = np.percentile(image, STRETCH_PERCENTILES)
    if high - low < 1.0:
        return image
    share = np.clip((image - low) / (high - low), 0, 1)
    return np.asarray(share**STRETCH_GAMMA * 255, dtype=np.float32)


def normalize_local_contrast(images: Tensor) -> Tensor:
    """Images (B, 3, H, W) in [0, 1] at half size, with the same brightness and contrast everywhere.

    Blur against shot noise, then subtract the mean luminance of the neighbourhood (Gaussian,
    σ = 40 px) and divide by its standard deviation; grey 0.5 is the mean, 0.2 one deviation. The
    contrast floor, relative to the image's brightest places, keeps noise on plain walls small.
    Map and queries go through it alike, so that shadows, exposure and gamma drop out. After the
    blur, half the resolution (B, 3, H // 2, W // 2) holds all that is left.
    """
    return normalize_half_size(halved(images))


def normalize_half_size(images: Tensor) -> Tensor:
    """What `normalize_local_contrast` does to images (B, 3, h, w) that have half the size."""
    half = gaussian_blur(images, NOISE_BLUR_PIXELS / 2)
    luminance = half.mean(1, keepdim=True)
    coarse = avg_pool2d(luminance, NEIGHBOURHOOD_SUBSAMPLING, ceil_mode=True)
    square = avg_pool2d(luminance.square(), NEIGHBOURHOOD_SUBSAMPLING, ceil_mode=True)
    brightest = coarse.amax((1, 2, 3), keepdim=True).clamp(min=1e-3)
    sigma = NEIGHBOURHOOD_PIXELS / 2 / NEIGHBOURHOOD_SUBSAMPLING
    mean = gaussian_blur(coarse, sigma)
    variance = gaussian_blur(square, sigma) - mean.square()
    gain = CONTRAST / (variance.clamp(min=0).sqrt() + CONTRAST_FLOOR * brightest)
    size = half.shape[-2:]
    mean, gain = (interpolate(x, size, mode="bilinear") for x in (mean, gain))
    return ((half - mean) * gain + 0.5).clamp_(0, 1)


def standardize(images: Tensor) -> Tensor:
    """Images (B, 3, H, W) in [0, 1] as networks trained on ImageNet want them, channels last."""
    mean, deviation = images.new_tensor([IMAGENET_MEAN, IMAGENET_DEVIATION])[:, :, None, None]
    standard: Tensor = (images - mean) / deviation
    return standard.contiguous(memory_format=torch.channels_last)


def gaussian_blur(images: Tensor, sigma: float) -> Tensor:
    """Images (B, C, H, W) smoothed by a Gaussian of `sigma` pixels, edges repeated."""
    height, width = images.shape[-2:]
    radius = min(int(np.ceil(3 * sigma)), height - 1, width - 1)
    by_rows, by_columns = (_blur(n, sigma, radius).to(images) for n in (height, width))
    blurred: Tensor = by_rows @ (images @ by_columns.T)
    return blurred


@lru_cache(maxsize=16)
def _blur(size: int, sigma: float, radius: int) -> Tensor:
    """The matrix (size, size) that smooths a column of so many pixels.

    A product with it takes a processor half as long as a convolution of single channels.
    """
    offsets = torch.arange(-radius, radius + 1)
    kernel = torch.exp(offsets.square() / (-2 * sigma**2))
    pixels = torch.arange(size)[:, None]
    matrix = torch.zeros(size, size)
    return matrix.scatter_add_(
        1,
        (pixels + offsets).clamp(0, size - 1),
        (kernel / kernel.sum()).expand(size, -1),
    )


def halved(images: Tensor) -> Tensor:
    """Images (B, 3, H, W) at half size (B, 3, H // 2, W // 2): the mean of four pixels each."""
    height, width = images.shape[-2] // 2 * 2, images.shape[-1] // 2 * 2
    rows = images[..., 0:height:2, :width] + images[..., 1:height:2, :width]
    return (rows[..., 0::2] + rows[..., 1::2]) / 4
