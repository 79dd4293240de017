"""Maps of networks with many channels and weights from a file, through the whole pipeline."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from features.random_weights import write_random_weights, write_vgg16_weights
from gallery import CAMERA, Gallery

from dense_reloc_ros.configuration import LocalizerConfiguration
from dense_reloc_ros.errors import ConfigurationError, MapError
from dense_reloc_ros.features.extractors import create_extractor
from dense_reloc_ros.geometry.se3 import pose_error
from dense_reloc_ros.localization.factory import open_localizer
from dense_reloc_ros.localization.result import Status
from dense_reloc_ros.mapping.builder import build_from_depth
from dense_reloc_ros.mapping.dense_describer import DenseDescriber
from dense_reloc_ros.parameter_blocks import block_from_mapping
from dense_reloc_ros.scene.writer import write_map

CPU = torch.device("cpu")


def configuration(weights: Path | str) -> LocalizerConfiguration:
    """Publishes every pose: scores are made for features that are calibrated."""
    values = {"features": {"weights": str(weights)}, "verification": {"least_confidence": 0.0}}
    return block_from_mapping(LocalizerConfiguration, values)


@pytest.mark.parametrize("name", ["s2dhm", "s2dnet", "nre"])
def test_an_image_of_the_map_finds_itself(name, tmp_path):
    """Random features tell places apart well enough for that, by the best cell of each point."""
    weights = write_random_weights(name, tmp_path)
    frames = Gallery().keyframes()[:2]
    describer = DenseDescriber(create_extractor(name, CPU, weights), keypoints=100)
    scene_map = build_from_depth(frames, describer)
    for level, signature in describer.signature.levels.items():
        stored = scene_map.descriptors[level]
        assert stored.dtype == torch.float16
        assert stored.shape[1] == signature.channels
    write_map(tmp_path / "map", scene_map)
    localizer = open_localizer(tmp_path / "map", configuration(weights), "re", device="cpu")
    localization = localizer.localize(frames[1].read_image(), CAMERA)
    assert localization.status is Status.LOCALIZED, localization.reason
    error = pose_error(localization.T_map_camera, frames[1].T_map_camera)
    assert error.translation < 0.05
    assert np.degrees(error.rotation) < 1.0


def test_maps_of_other_weights_are_refused(tmp_path):
    weights, others = (write_random_weights("compact", tmp_path, seed) for seed in (0, 1))
    describer = DenseDescriber(create_extractor("compact", CPU, weights), keypoints=50)
    view = Gallery().keyframes()[:1]
    write_map(tmp_path / "map", build_from_depth(view, describer))
    open_localizer(tmp_path / "map", configuration(weights), device="cpu")
    with pytest.raises(MapError, match="features come from other weights of 'compact'"):
        open_localizer(tmp_path / "map", configuration(others), device="cpu")
    with pytest.raises(ConfigurationError, match=r"gone\.safetensors: No such file"):
        open_localizer(tmp_path / "map", configuration(tmp_path / "gone.safetensors"), device="cpu")


@pytest.mark.parametrize("name", ["s2dnet", "nre"])
def test_without_weights_one_is_told_what_to_do(name, tmp_path):
    with pytest.raises(ConfigurationError, match=f"'{name}' has no weights.*--weights.*train"):
        create_extractor(name, CPU)


def test_a_trunk_alone_is_not_enough_for_s2dnet(tmp_path):
    write_vgg16_weights(tmp_path / "vgg16.pth")
    with pytest.raises(
        ConfigurationError, match=r"vgg16\.pth: good to begin the training"
    ) as error:
        create_extractor("s2dnet", CPU, tmp_path / "vgg16.pth")
    assert "train it first" in str(error.value)


def test_networks_that_cannot_be_trained_take_no_weights(tmp_path):
    for name in ("effnet_lite0", "dense_sift"):
        with pytest.raises(ConfigurationError, match=f"'{name}' takes no weights"):
            create_extractor(name, CPU, tmp_path / "weights.safetensors")
