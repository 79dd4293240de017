"""Frames with errors that are known by construction."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from dense_reloc_ros.evaluation.metrics.frame_record import FrameRecord
from dense_reloc_ros.geometry.se3 import rigid

MakeRecord = Callable[..., FrameRecord]


@pytest.fixture
def make_record() -> MakeRecord:
    """Makes a frame whose pose is off by metres (along a random direction) and degrees."""
    rng = np.random.default_rng(3)

    def make(
        index: int,
        metres: float = 0.0,
        degrees: float = 0.0,
        localized: bool = True,
        ground_truth: bool = True,
        **others: object,
    ) -> FrameRecord:
        truth = rigid(Rotation.random(random_state=index).as_matrix(), rng.normal(size=3))
        direction, axis = rng.normal(size=(2, 3))
        direction, axis = direction / np.linalg.norm(direction), axis / np.linalg.norm(axis)
        turn = Rotation.from_rotvec(np.radians(degrees) * axis).as_matrix()
        estimate = rigid(turn @ truth[:3, :3], truth[:3, 3] + metres * direction)
        return FrameRecord(
            stamp=index * 100_000_000,
            name=f"frame {index}",
            T_map_camera=estimate if localized else None,
            reason="" if localized else "too dark",
            ground_truth=truth if ground_truth else None,
            **others,
        )

    return make
