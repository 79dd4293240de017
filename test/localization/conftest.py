"""A localizer in a rendered room that remembers which images its network was given."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from gallery import Gallery

from dense_reloc_ros.configuration import LocalizerConfiguration
from dense_reloc_ros.features.extractor import DenseFeatures, FeatureExtractor
from dense_reloc_ros.features.extractors import create_extractor
from dense_reloc_ros.localization.methods import DEFAULT_METHOD
from dense_reloc_ros.localization.sparse_to_dense import SparseToDenseLocalizer
from dense_reloc_ros.mapping.builder import build_from_depth
from dense_reloc_ros.mapping.dense_describer import DenseDescriber
from dense_reloc_ros.scene.scene_map import MapCalibration, SceneMap

CPU = torch.device("cpu")


class CountingExtractor(FeatureExtractor):
    """Remembers the size of each image that it is given."""

    def __init__(self, extractor: FeatureExtractor) -> None:
        self._extractor = extractor
        self.sizes: list[tuple[int, int]] = []
        """(height, width)."""

    @property
    def signature(self):
        return self._extractor.signature

    @property
    def device(self):
        return self._extractor.device

    def __call__(self, images: torch.Tensor) -> DenseFeatures:
        self.sizes.append(tuple(images.shape[-2:]))
        return self._extractor(images)


@pytest.fixture(scope="session")
def scene_map(gallery: Gallery) -> SceneMap:
    """The gallery with the features of `compact`, calibrated for no more than a threshold."""
    scene_map = build_from_depth(
        gallery.keyframes(), DenseDescriber(create_extractor("compact", CPU), 400)
    )
    calibration = MapCalibration(score_threshold=0.3)
    information = scene_map.information.model_copy(update={"calibration": calibration})
    return replace(scene_map, information=information)


@pytest.fixture
def localizer(scene_map: SceneMap) -> SparseToDenseLocalizer:
    extractor = CountingExtractor(create_extractor("compact", CPU))
    return SparseToDenseLocalizer(
        scene_map, LocalizerConfiguration(), CPU, DEFAULT_METHOD, extractor
    )
