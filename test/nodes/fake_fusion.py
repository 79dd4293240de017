"""A fusion and a filter that remember what they were given; the test says what they answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

from dense_reloc_ros.features.extractor import DenseFeatures, FeatureLevel
from dense_reloc_ros.geometry.se3 import FloatArray
from dense_reloc_ros.localization import Localization
from dense_reloc_ros.temporal.filter import FilteredPose
from dense_reloc_ros.temporal.frames import FusedLocalization, LocalizedFrame


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


class FakeFusion:
    """Stands in for `TemporalLocalizer`."""

    def __init__(self) -> None:
        self.answer: Callable[[LocalizedFrame], FusedLocalization] = lambda frame: (
            FusedLocalization(frame.localization, 0.5, is_fused=False)
        )
        self.frames: list[LocalizedFrame | None] = []
        """What came; None where everything was to be forgotten."""

    def fuse(self, frame: LocalizedFrame) -> FusedLocalization:
        self.frames.append(frame)
        return self.answer(frame)

    def reset(self) -> None:
        self.frames.append(None)

    @property
    def stamps(self) -> list[float | None]:
        """The seconds of the frames, None where everything was to be forgotten."""
        return [None if frame is None else frame.stamp / 1e9 for frame in self.frames]


class FakeFilter:
    """Stands in for `PoseFilter`: moves each pose by a step, and says what the test wants."""

    def __init__(self) -> None:
        self.T_raw_filtered: FloatArray = np.eye(4)
        self.covariance = np.diag(np.arange(2.0, 8.0)) * 1e-4
        self.is_outlier = False
        self.error: Exception | None = None
        self.updates: list[tuple[int, FloatArray, FloatArray, FloatArray | None] | None] = []
        self.predicted: list[int] = []

    def update(
        self,
        stamp: int,
        T_map_body: FloatArray,
        covariance: FloatArray,
        T_odom_body: FloatArray | None,
    ) -> FilteredPose:
        self.updates.append((stamp, T_map_body, covariance, T_odom_body))
        if self.error is not None:
            raise self.error
        return FilteredPose(T_map_body @ self.T_raw_filtered, self.covariance, self.is_outlier)

    def predict(self, stamp: int, T_odom_body: FloatArray | None) -> FilteredPose | None:
        self.predicted.append(stamp)
        return FilteredPose(self.T_raw_filtered, self.covariance, False)

    def reset(self) -> None:
        self.updates.append(None)
