"""A map of the gallery with coordinates and images, as `map build --coordinates` writes it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from gallery import Gallery

from dense_reloc_ros.features.extractors import create_extractor
from dense_reloc_ros.mapping.builder import build_from_depth
from dense_reloc_ros.mapping.coordinate_maps import with_coordinates
from dense_reloc_ros.mapping.dense_describer import DenseDescriber
from dense_reloc_ros.scene.writer import write_map


@pytest.fixture(scope="session")
def map_path(gallery: Gallery, tmp_path_factory: pytest.TempPathFactory) -> Path:
    frames = gallery.keyframes()
    extractor = create_extractor("effnet_lite0", torch.device("cpu"))
    scene_map = build_from_depth(frames, DenseDescriber(extractor, 200))
    path = tmp_path_factory.mktemp("gallery") / "map"
    write_map(path, with_coordinates(scene_map, frames), lambda k: frames[k].load_image())
    return path
