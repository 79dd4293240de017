"""What dense features give a keyframe, with a feature network that is easy to predict."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scene.wall import wall_frame

from dense_reloc_ros.features.extractor import (
    DenseFeatures,
    FeatureExtractor,
    FeatureLevel,
    FeatureSignature,
    LevelSignature,
)
from dense_reloc_ros.mapping.builder import build_from_depth
from dense_reloc_ros.mapping.dense_describer import DenseDescriber
from dense_reloc_ros.retrieval.index import nearest_keyframes
from dense_reloc_ros.scene.validation import check_signature

STRIDES = {"coarse": 8, "fine": 4}


class MeanColour(FeatureExtractor):
    """A cell's descriptor is its mean colour, normalized; the global one that of the image."""

    @property
    def signature(self) -> FeatureSignature:
        levels = {n: LevelSignature(stride=s, channels=3) for n, s in STRIDES.items()}
        return FeatureSignature(
            method="sparse_to_dense", network="mean", weights_sha256="00", levels=levels
        )

    @property
    def device(self) -> torch.device:
        return torch.device("cpu")

    def __call__(self, images: torch.Tensor) -> DenseFeatures:
        def level(stride: int) -> FeatureLevel:
            means = torch.nn.functional.avg_pool2d(images, stride)
            return FeatureLevel(
                stride, (stride - 1) / 2, torch.nn.functional.normalize(means, dim=1)
            )

        levels = {name: level(stride) for name, stride in STRIDES.items()}
        whole = torch.nn.functional.normalize(images.mean((2, 3)), dim=1)
        return DenseFeatures(levels, whole)


@pytest.fixture
def describer() -> DenseDescriber:
    return DenseDescriber(MeanColour(), keypoints=40)


def test_descriptors_are_sampled_at_the_pixels(describer):
    image = wall_frame(0, (0, 0, 0)).load_image()
    vocabulary = describer.train_vocabulary([image])
    # Centres of the cells (4, 2) of stride 8 and (9, 5) of stride 4, and one anywhere.
    pixels = np.array([[35.5, 19.5], [37.5, 21.5], [80.0, 60.0]], np.float32)
    which, description = describer.describe_at(image, pixels, vocabulary)
    np.testing.assert_array_equal(which, [0, 1, 2])
    np.testing.assert_array_equal(description.pixels, pixels)
    coarse = image[16:24, 32:40].reshape(-1, 3).mean(0)
    fine = image[20:24, 36:40].reshape(-1, 3).mean(0)
    for name, row, colour in (("coarse", 0, coarse), ("fine", 1, fine)):
        expected = colour / np.linalg.norm(colour)
        np.testing.assert_allclose(description.descriptors[name][row], expected, atol=1e-5)
    norms = torch.linalg.vector_norm(description.descriptors["fine"], dim=1)
    torch.testing.assert_close(norms, torch.ones(3))


def test_corners_are_taken_where_they_may(describer):
    image = wall_frame(0, (0, 0, 0)).load_image()
    usable = np.zeros(image.shape[:2], bool)
    usable[:, 80:] = True
    description = describer.describe(image, usable, describer.train_vocabulary([image]))
    assert 10 < len(description.pixels) <= 40
    assert (description.pixels[:, 0].round() >= 80).all()
    assert description.descriptors["coarse"].shape == (len(description.pixels), 3)


def test_a_map_finds_its_own_keyframes_again(describer):
    frames = [wall_frame(k, (0.5 * k - 0.8, 0.3 * k - 0.4, 0.0)) for k in range(4)]
    scene_map = build_from_depth(frames, describer)
    check_signature(scene_map, MeanColour().signature)
    for keyframe, frame in enumerate(frames):
        image = torch.from_numpy(frame.load_image()).permute(2, 0, 1)[None] / 255
        for name in ("gem", "vlad"):
            found = nearest_keyframes(MeanColour()(image), scene_map.retrieval, name, 2)
            assert found[0] == keyframe
