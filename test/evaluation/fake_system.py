"""Systems whose errors are known, and frames for them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch

from dense_reloc_ros.evaluation.benchmarks.systems import System
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.localization.result import Localization, PoseEstimate, Status
from dense_reloc_ros.mapping.sources.source_frame import SourceFrame
from dense_reloc_ros.scene.scene_map import MapCalibration

CAMERA = Camera(32, 24, 30.0, 30.0, 15.5, 11.5)


class OffByMetres:
    """Answers frame after frame with poses that are off along x; None is no pose.

    Poses off by more than 10 cm are rejected. `log` gets its name at every call.
    """

    device = torch.device("cpu")

    def __init__(
        self,
        method: str,
        errors: list[float | None],
        log: list[str] | None = None,
        keyframes: int = 7,
        confidence: float | None = None,
    ) -> None:
        information = SimpleNamespace(revision="00ff", calibration=MapCalibration())
        self.scene_map = SimpleNamespace(keyframe_count=keyframes, information=information)
        self.method = method
        self.errors = errors
        self.log = [] if log is None else log
        self.confidence = confidence
        self.calls = 0

    def localize(self, image: np.ndarray, camera: Camera) -> Localization:
        self.log.append(self.method)
        metres = self.errors[self.calls % len(self.errors)]
        self.calls += 1
        if metres is None:
            return Localization(Status.NO_CANDIDATES, "nothing matches")
        T_map_camera = np.eye(4)
        T_map_camera[0, 3] = metres
        estimate = PoseEstimate(
            T_map_camera, np.eye(6), 0.5, np.arange(3), (0,), confidence=self.confidence
        )
        if metres > 0.1:
            return Localization(Status.REJECTED, "score 0.5 is below 0.6", estimate)
        return Localization(Status.LOCALIZED, "", estimate, {"pose": 1.0})


def system(
    method: str,
    errors: list[float | None],
    log: list[str] | None = None,
    map_name: str = "map",
    keyframes: int = 7,
    confidence: float | None = None,
) -> System:
    localizer = OffByMetres(method, errors, log, keyframes, confidence)
    return System(localizer, Path("maps") / map_name)


def frames(count: int = 4, known: bool = True) -> list[SourceFrame]:
    image = np.full((CAMERA.height, CAMERA.width, 3), 128, np.uint8)
    truth = np.eye(4) if known else None
    return [
        SourceFrame(f"frame-{k:06d}", k / 30, CAMERA, truth, lambda: image) for k in range(count)
    ]
