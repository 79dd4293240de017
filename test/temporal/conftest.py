"""A robot that the filter follows, and a localizer in a rendered room."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from temporal.moving_body import (
    Moment,
    walk,
    without_odometry,
)

from dense_reloc_ros.configuration import LocalizerConfiguration
from dense_reloc_ros.localization.factory import localizer_for
from dense_reloc_ros.localization.sparse_to_dense import SparseToDenseLocalizer
from dense_reloc_ros.scene.scene_map import SceneMap
from dense_reloc_ros.temporal.fusion_configuration import TemporalConfiguration
from dense_reloc_ros.temporal.temporal_localizer import TemporalLocalizer


@pytest.fixture(params=["odometry", "velocity"])
def moments(request) -> list[Moment]:
    """A robot that walks on slowly, with odometry and without."""
    some = list(walk(60, 0.01, np.random.default_rng(7), length=0.02, turn=0.01))
    return some if request.param == "odometry" else without_odometry(some)


@pytest.fixture(scope="session")
def localizer(gallery_map: SceneMap) -> SparseToDenseLocalizer:
    """Of single frames in the room with pictures."""
    return localizer_for(gallery_map, LocalizerConfiguration(), None, torch.device("cpu"))


@pytest.fixture
def temporal(localizer: SparseToDenseLocalizer) -> TemporalLocalizer:
    """Of a video in that room."""
    return TemporalLocalizer(localizer, TemporalConfiguration())
