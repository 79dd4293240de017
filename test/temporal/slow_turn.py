"""Frames of a camera that turns slowly in a rendered room."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from gallery import CAMERA, looking

from dense_reloc_ros.features.extractor import DenseFeatures
from dense_reloc_ros.geometry.se3 import pose_error
from dense_reloc_ros.images.light_levels import LEVELS
from dense_reloc_ros.localization.result import Localization, Status
from dense_reloc_ros.temporal.fused_frames import FusedLocalization, LocalizedFrame

PERIOD = 66_000_000
DARK = replace(LEVELS["harsh"], covered=0.0)
BLACK = np.zeros((CAMERA.height, CAMERA.width, 3), np.uint8)


def pose(number: int) -> np.ndarray:
    """Of a frame of a slow turn, 15 times a second."""
    return looking(20 + 1.2 * number, distance=0.3, height=1.3 - 0.01 * number, pitch=2.0)


def is_right(fused: FusedLocalization, truth: np.ndarray) -> bool:
    T_map_camera = fused.localization.T_map_camera
    if T_map_camera is None:
        return False
    error = pose_error(T_map_camera, truth)
    return error.translation < 0.1 and error.rotation < np.radians(4)


def alone(frame: LocalizedFrame) -> LocalizedFrame:
    """The same frame when it could not be localized by itself."""
    lost = Localization(Status.NO_CANDIDATES, "made up", features=frame.features)
    return replace(frame, localization=lost)


def unlike(features: DenseFeatures) -> DenseFeatures:
    """Features that correlate with nothing that these correlate with."""
    levels = {name: replace(one, values=-one.values) for name, one in features.levels.items()}
    return replace(features, levels=levels)


def frame_of(localizer, image: np.ndarray, number: int, **changes) -> LocalizedFrame:
    single = localizer.localize(image, CAMERA)
    return LocalizedFrame(number * PERIOD, CAMERA, single.features, single, **changes)
