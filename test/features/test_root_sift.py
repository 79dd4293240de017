"""Sparse keypoints: where they lie and how they compare."""

from __future__ import annotations

import numpy as np
import torch
from scipy.ndimage import gaussian_filter

from dense_reloc_ros.features.root_sift import KEYPOINTS, detect_root_sift, root_sift

BLOBS = np.array([[50.3, 60.7], [120.0, 80.0], [140.5, 150.25]])


def blobs() -> np.ndarray:
    """An image (200, 200) with round blobs."""
    rows, columns = np.mgrid[:200, :200]
    image = np.full((200, 200), 60.0)
    for x, y in BLOBS:
        image += 120 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * 4**2))
    return np.rint(image).astype(np.uint8)


def test_keypoints_lie_on_the_blobs():
    pixels = detect_root_sift(blobs()).pixels
    distances = np.linalg.norm(pixels[:, None] - BLOBS, axis=-1)
    assert (distances.min(0) < 0.08).all()


def test_descriptors_are_normalized_and_the_strongest_are_kept():
    noise = np.random.default_rng(0).standard_normal((480, 640))
    image = np.clip(128 + 400 * gaussian_filter(noise, 1.5), 0, 255).astype(np.uint8)
    features = detect_root_sift(image)
    # OpenCV keeps ties at the end.
    assert KEYPOINTS <= len(features.pixels) < KEYPOINTS + 20
    assert features.descriptors.shape == (len(features.pixels), 128)
    norms = torch.linalg.vector_norm(features.descriptors, dim=1)
    torch.testing.assert_close(norms, torch.ones_like(norms))


def test_grey_images_are_those_of_equal_colours():
    grey = detect_root_sift(blobs())
    colour = detect_root_sift(np.repeat(blobs()[..., None], 3, axis=2))
    np.testing.assert_array_equal(grey.pixels, colour.pixels)
    torch.testing.assert_close(grey.descriptors, colour.descriptors)


def test_an_image_without_anything_has_no_keypoints():
    features = detect_root_sift(np.full((60, 80, 3), 90, np.uint8))
    assert features.pixels.shape == (0, 2)
    assert features.descriptors.shape == (0, 128)


def test_dot_products_are_hellinger_kernels():
    one, two = np.random.default_rng(0).integers(0, 200, (2, 128)).astype(float)
    expected = np.sqrt((one / one.sum()) * (two / two.sum())).sum()
    described = root_sift(torch.tensor(np.stack([one, two])))
    np.testing.assert_allclose(described[0] @ described[1], expected)
    assert not root_sift(torch.zeros(1, 128)).any()
