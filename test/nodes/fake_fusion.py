"""A fusion that remembers what it was given; the test says what it answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

from dense_reloc_ros.features.extractor import DenseFeatures, FeatureLevel
from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.localization.result import Localization
from dense_reloc_ros.temporal.fused_frames import FusedLocalization, LocalizedFrame


def features(seed: int = 0) -> DenseFeatures:
    """Of an image of 64x48: two levels of values that half precision keeps to a thousandth."""
    generator = torch.Generator().manual_seed(seed)

    def level(stride: int, channels: int) -> FeatureLevel:
        shape = (1, channels, 48 // stride, 64 // stride)
        values = torch.nn.functional.normalize(torch.randn(shape, generator=generator), dim=1)
        return FeatureLevel(stride, (stride - 1) / 2, values)

    descriptor = torch.randn((1, 5), generator=generator)
    return DenseFeatures({"coarse": level(16, 4), "fine": level(4, 2)}, descriptor)


def with_features(localization: Localization, seed: int = 0) -> Localization:
    """As a sparse-to-dense localizer answers."""
    return replace(localization, features=features(seed))


def fused(
    localization: Localization, raw: Localization | None = None, is_fused: bool = False
) -> FusedLocalization:
    """What a fusion says about a frame."""
    return FusedLocalization(localization, raw or localization, 0.5, is_fused)


class FakeFusion:
    """Stands in for `TemporalLocalizer`; as long as a test wants nothing else, moves poses."""

    def __init__(self) -> None:
        self.T_raw_filtered: FloatArray = np.eye(4)
        self.covariance = np.diag(np.arange(2.0, 8.0)) * 1e-4
        self.answer: Callable[[LocalizedFrame], FusedLocalization] = self._move
        self.frames: list[LocalizedFrame | None] = []
        """What came; None where everything was to be forgotten."""

    def _move(self, frame: LocalizedFrame) -> FusedLocalization:
        raw, estimate = frame.localization, frame.localization.estimate
        if raw.T_map_camera is None or estimate is None:
            return fused(raw)
        pose = raw.T_map_camera @ self.T_raw_filtered
        estimate = replace(estimate, T_map_camera=pose, covariance=self.covariance)
        return fused(replace(raw, estimate=estimate), raw, is_fused=True)

    def fuse(self, frame: LocalizedFrame) -> FusedLocalization:
        self.frames.append(frame)
        return self.answer(frame)

    def reset(self) -> None:
        self.frames.append(None)

    @property
    def stamps(self) -> list[float | None]:
        """The seconds of the frames, None where everything was to be forgotten."""
        return [None if frame is None else frame.stamp / 1e9 for frame in self.frames]
