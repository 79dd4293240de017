"""Maps of rendered corridors of equal doors."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from rendered_frames import rendered_frame

from dense_reloc_ros.configuration import LocalizerConfiguration
from dense_reloc_ros.features.extractors import create_extractor
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.localization.factory import localizer_for
from dense_reloc_ros.localization.sparse_to_dense import SparseToDenseLocalizer
from dense_reloc_ros.mapping.builder import build_from_depth
from dense_reloc_ros.mapping.dense_describer import DenseDescriber
from dense_reloc_ros.rendering.raycaster import Raycaster


def corridor_localizer(
    raycaster: Raycaster, camera: Camera, poses: Iterable[np.ndarray]
) -> SparseToDenseLocalizer:
    """The default method on a map of views from poses (4, 4), which is not calibrated."""
    device = torch.device("cpu")
    frames = [rendered_frame(raycaster, camera, number, pose) for number, pose in enumerate(poses)]
    scene_map = build_from_depth(frames, DenseDescriber(create_extractor("compact", device), 200))
    return localizer_for(scene_map, LocalizerConfiguration(), None, device)
