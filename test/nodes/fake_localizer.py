"""A localizer whose answers a test chooses, and that remembers what it was asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from threading import Event

import numpy as np
import torch
from numpy.typing import NDArray
from scene.small_map import make_map

from dense_reloc_ros.configuration import LocalizerConfiguration
from dense_reloc_ros.errors import MapError
from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.localization.localizer import PreparedImage
from dense_reloc_ros.localization.result import Localization, PoseEstimate, Status
from dense_reloc_ros.stopwatch import Stopwatch

LocalizeImage = Callable[[NDArray[np.uint8]], Localization]


def localized(T_map_camera: FloatArray, covariance: FloatArray | None = None) -> Localization:
    """A believed pose."""
    return Localization(
        Status.LOCALIZED,
        "",
        PoseEstimate(
            T_map_camera,
            np.diag(np.arange(1.0, 7.0)) * 1e-4 if covariance is None else covariance,
            score=0.75,
            supporting_points=np.array([2, 3, 5]),
            keyframes=(1, 0),
            confidence=0.999,
        ),
        stage_milliseconds={"features": 12.5, "pose": 30.0},
    )


def rejected(reason: str = "score 0.1 is too low") -> Localization:
    """A pose that is not believed."""
    estimate = localized(np.eye(4)).estimate
    return Localization(Status.REJECTED, reason, estimate)


class FakeLocalizer:
    """Stands in for `Localizer`; holds each answer back while `gate` is not set."""

    def __init__(self, answer: LocalizeImage, seed: int = 0) -> None:
        self.answer = answer
        self.configuration = LocalizerConfiguration()
        self.method = "fake"
        scene_map = make_map(seed)
        information = scene_map.information.model_copy(update={"revision": f"revision {seed}"})
        self.scene_map = replace(scene_map, information=information)
        self.device = torch.device("cpu")
        self.images: list[NDArray[np.uint8]] = []
        self.cameras: list[Camera] = []
        self.priors: list[FloatArray | None] = []
        self.prior_covariances: list[FloatArray | None] = []
        self.ups: list[FloatArray | None] = []
        self.gate = Event()
        self.gate.set()
        self.images_at_once = 1
        self.prepared: list[int] = []
        """How many images were prepared together, each time."""

    def prepared_together(
        self,
        images: Sequence[tuple[NDArray[np.uint8], Camera]],
        ups: Sequence[FloatArray | None],
    ) -> list[PreparedImage]:
        self.prepared.append(len(images))
        return [
            PreparedImage(*pair, Stopwatch(self.device), up_in_camera=up)
            for pair, up in zip(images, ups, strict=True)
        ]

    def localized(self, prepared: PreparedImage) -> Localization:
        up_in_camera = prepared.up_in_camera
        return self.localize(prepared.image, prepared.camera, up_in_camera=up_in_camera)

    def localize(
        self,
        image: NDArray[np.uint8],
        camera: Camera,
        prior_T_map_camera: FloatArray | None = None,
        prior_covariance: FloatArray | None = None,
        up_in_camera: FloatArray | None = None,
    ) -> Localization:
        self.images.append(image)
        self.cameras.append(camera)
        self.priors.append(prior_T_map_camera)
        self.prior_covariances.append(prior_covariance)
        self.ups.append(up_in_camera)
        assert self.gate.wait(30)
        return self.answer(image)


class FakeMaps:
    """Opens localizers by the name of the map; a name that is not here is a broken map.

    Reading one takes as long as `gate` is not set.
    """

    def __init__(self, **localizers: FakeLocalizer) -> None:
        self.localizers = localizers
        self.gate = Event()
        self.gate.set()
        self.asked: list[tuple[Path, LocalizerConfiguration, str | None, str]] = []

    def __call__(
        self, path: Path, configuration: LocalizerConfiguration, method: str | None, device: str
    ) -> FakeLocalizer:
        self.asked.append((path, configuration, method, device))
        assert self.gate.wait(30)
        if path.name not in self.localizers:
            raise MapError(f"{path}: no map here")
        return self.localizers[path.name]
