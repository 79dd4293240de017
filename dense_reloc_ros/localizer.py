"""One frame in, one Localization out: the steps of the papers, in their order."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from dense_reloc_ros.configuration import LocalizerConfiguration
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.localization import FloatArray, Localization
from dense_reloc_ros.scene.scene_map import SceneMap


class Localizer:
    """Localizes images against one map."""

    scene_map: SceneMap
    configuration: LocalizerConfiguration
    """May be exchanged between two frames."""
    method: str
    device: torch.device

    def __init__(
        self,
        scene_map: SceneMap,
        configuration: LocalizerConfiguration,
        method: str,
        device: torch.device,
    ) -> None:
        raise NotImplementedError

    @staticmethod
    def open(
        map_path: Path,
        configuration: LocalizerConfiguration,
        method: str | None = None,
        device: str = "auto",
    ) -> Localizer:
        """Reads a map folder and makes the localizer for it.

        `method` None is the map's default; `device` is auto, cpu, cuda or cuda:N.

        Raises:
            MapError: a map that cannot be used, or not with this method.
            ConfigurationError: an unknown method or a device that is not there.
        """
        raise NotImplementedError

    def localize(
        self,
        image: NDArray[np.uint8],
        camera: Camera,
        prior_T_map_camera: FloatArray | None = None,
    ) -> Localization:
        """Where `image` (H, W, 3) RGB of `camera` (may be distorted) was taken.

        Never raises for an image: what is wrong with it is the reason of the result.
        """
        raise NotImplementedError
