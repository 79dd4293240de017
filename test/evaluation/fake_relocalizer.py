"""A relocalizer node, run as a process, whose answers follow from the brightness of the image.

`python -m evaluation.fake_relocalizer`; started in place of the real one.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dense_reloc_ros.configuration import LocalizerConfiguration
from dense_reloc_ros.errors import MapError
from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.localization.result import Localization, PoseEstimate, Status
from dense_reloc_ros.scene.reader import load_map

if TYPE_CHECKING:
    from dense_reloc_ros.nodes.relocalizer import Relocalizer

REJECTED, SLOW, HELD, SILENT, DEADLY = 0, 200, 210, 220, 250
"""Brightnesses; all others are localized."""
SLOW_SECONDS = 0.3
DROPPED_MEANWHILE = 3
"""A held image is localized when so many later ones have made room for newer ones."""
PATIENCE_SECONDS = 30.0


def pose_of(brightness: int) -> np.ndarray:
    """Where an image of this brightness is localized."""
    pose = np.eye(4)
    pose[0, 3] = brightness / 100
    return pose


class BrightnessLocalizer:
    def __init__(self, scene_map: object, count_dropped: Callable[[], int]) -> None:
        self.scene_map = scene_map
        self._count_dropped = count_dropped
        self.configuration = LocalizerConfiguration()
        self.method = "brightness"

    def localize(
        self, image: np.ndarray, camera: Camera, prior_T_map_camera: FloatArray | None = None
    ) -> Localization:
        brightness = int(image[0, 0, 0])
        if brightness == REJECTED:
            return Localization(Status.NO_CANDIDATES, "too dark")
        if brightness == SLOW:
            time.sleep(SLOW_SECONDS)
        if brightness == HELD:
            self._wait_for_later_images()
        if brightness == SILENT:
            raise SystemExit  # ends the thread, and nobody hears of it
        if brightness == DEADLY:
            print("ERROR: the image was too bright to bear", flush=True)  # noqa: T201
            os._exit(7)
        estimate = PoseEstimate(pose_of(brightness), 1e-4 * np.eye(6), 0.5, np.arange(3), (0,))
        return Localization(Status.LOCALIZED, "", estimate, {"features": 1.0, "pose": 2.0})

    def _wait_for_later_images(self) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self._count_dropped() < DROPPED_MEANWHILE and time.monotonic() < deadline:
            time.sleep(0.01)


def make_relocalizer() -> Relocalizer:
    """The node with such a localizer."""
    from dense_reloc_ros.nodes.relocalizer import Relocalizer  # here: not everybody has ROS

    def count_dropped() -> int:
        pipeline = node.pipeline
        return 0 if pipeline is None else pipeline.counts["images dropped for newer ones"]

    def open_localizer(
        path: Path, configuration: LocalizerConfiguration, method: str | None, device: str
    ) -> BrightnessLocalizer:
        if "broken" in (method, Path(configuration.features.weights).name):
            raise MapError(f"{path}: the map is broken")
        return BrightnessLocalizer(load_map(path), count_dropped)

    node = Relocalizer(open_localizer)
    return node


if __name__ == "__main__":
    from dense_reloc_ros.nodes.running import run_node

    sys.exit(run_node(make_relocalizer))
