"""What every feature extractor promises: shapes, norms, batches, and where its cells lie."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from features.random_weights import write_random_weights
from scipy.ndimage import gaussian_filter

from dense_reloc_ros.features.extractor import FeatureExtractor, FeatureLevel, image_to_tensor
from dense_reloc_ros.features.extractors import create_extractor

CPU = torch.device("cpu")
HEIGHT, WIDTH = 192, 256
TELLING = ("effnet_lite0", "dense_sift", "compact", "s2dhm")
"""Those that tell places apart with the weights they have here."""
WITHOUT_WEIGHTS = ("s2dhm", "s2dnet", "s2dnet_lite", "nre")
"""Those that have random ones here, which tell places apart in s2dhm alone."""


@pytest.fixture(scope="module", params=[*TELLING, "s2dnet", "s2dnet_lite", "nre"])
def any_extractor(request, tmp_path_factory) -> FeatureExtractor:
    return make_extractor(request.param, tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="module", params=TELLING)
def extractor(request, tmp_path_factory) -> FeatureExtractor:
    return make_extractor(request.param, tmp_path_factory.mktemp("weights"))


def make_extractor(name: str, folder: Path) -> FeatureExtractor:
    weights = write_random_weights(name, folder) if name in WITHOUT_WEIGHTS else None
    return create_extractor(name, CPU, weights)


def texture(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Random structure (height, width, 3) uint8 of several sizes."""
    rng = np.random.default_rng(seed)
    image = np.zeros((height, width, 3))
    for sigma in (2.0, 5.0, 12.0):
        noise = gaussian_filter(rng.standard_normal((height, width, 3)), (sigma, sigma, 0))
        image += noise / noise.std()
    return np.clip(127 + 35 * image, 0, 255).astype(np.uint8)


def describe(extractor: FeatureExtractor, image: np.ndarray) -> dict[str, FeatureLevel]:
    return dict(extractor(image_to_tensor(image, CPU)).levels)


def test_levels_are_as_the_signature_says(any_extractor):
    images = torch.cat([image_to_tensor(texture(96, 128, seed), CPU) for seed in range(2)])
    features = any_extractor(images)
    assert set(features.levels) == set(any_extractor.signature.levels) == {"coarse", "fine"}
    for name, stated in any_extractor.signature.levels.items():
        level = features.levels[name]
        assert level.stride == stated.stride
        rows, columns = 96 // stated.stride, 128 // stated.stride
        assert level.values.shape == (2, stated.channels, rows, columns)
        norms = torch.linalg.vector_norm(level.values, dim=1)
        torch.testing.assert_close(norms, torch.ones_like(norms))
    assert features.global_descriptor.shape[0] == 2
    norms = torch.linalg.vector_norm(features.global_descriptor, dim=1)
    torch.testing.assert_close(norms, torch.ones_like(norms))


def test_images_of_a_batch_do_not_see_each_other(any_extractor):
    images = torch.cat([image_to_tensor(texture(96, 128, seed), CPU) for seed in range(2)])
    together = any_extractor(images)
    for index in range(2):
        alone = any_extractor(images[index : index + 1])
        for name, level in alone.levels.items():
            torch.testing.assert_close(
                together.levels[name].values[index], level.values[0], atol=1e-3, rtol=0
            )


def test_a_shifted_image_has_shifted_features(extractor):
    """By 16 pixels, which are a whole number of cells of every level."""
    image = texture(HEIGHT, WIDTH + 16)
    left, right = (describe(extractor, image[:, b : b + WIDTH]) for b in (0, 16))
    for name, level in left.items():
        cells = 16 // level.stride
        # Apart from borders, neighbourhoods and means over the image differ a little.
        there = level.values[0][:, 4:-4, 4 + cells : -4]
        shifted = right[name].values[0][:, 4:-4, 4 : -4 - cells]
        unshifted = right[name].values[0][:, 4:-4, 4 + cells : -4]
        similarity = (there * shifted).sum(0)
        assert similarity.median() > 0.9
        assert similarity.quantile(0.02) > (there * unshifted).sum(0).quantile(0.98)


@pytest.mark.parametrize(("name", "tolerance"), [("coarse", 0.375), ("fine", 0.2)])
def test_cells_describe_what_lies_at_their_pixels(extractor, name, tolerance):
    """Features that described what lies b pixels beside would turn and grow with it.

    In an image warped by x -> A x + t they would be found (A - 1) b beside the true place.
    """
    image = texture(HEIGHT, WIDTH)
    level = describe(extractor, image)[name]
    rows, columns = np.mgrid[56 : HEIGHT - 56 : 8, 72 : WIDTH - 72 : 8]
    pixels = np.stack([columns, rows], axis=-1).reshape(-1, 2).astype(np.float32)
    descriptors = level.sample(torch.from_numpy(pixels))
    steps = torch.arange(-6.0, 6.5, 1.0)
    search = torch.cartesian_prod(steps, steps)
    warps, misses = [], []
    for degrees, scale in ((20, 1.0), (-20, 1.0), (0, 1.25), (0, 0.8)):
        warp = cv2.getRotationMatrix2D((WIDTH / 2, HEIGHT / 2), degrees, scale)
        warped = cv2.warpAffine(image, warp, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REFLECT)
        places = torch.from_numpy(pixels @ warp[:, :2].T + warp[:, 2]).float()
        around = (places[:, None] + search).reshape(-1, 2)
        found = describe(extractor, warped)[name].sample(around)
        similarity = (found.unflatten(0, (len(pixels), -1)) * descriptors[:, None]).sum(-1)
        misses.append(search[similarity.argmax(1)].mean(0).numpy())
        warps.append(warp[:, :2] - np.eye(2))
    beside, *_ = np.linalg.lstsq(np.concatenate(warps), np.concatenate(misses), rcond=None)
    assert np.linalg.norm(beside) < tolerance * level.stride
