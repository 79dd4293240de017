"""Which frames become keyframes, and their images as everything is computed from them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dense_reloc_ros.errors import ConfigurationError, InputError
from dense_reloc_ros.mapping.sources.source_frame import SourceFrame


def select_keyframes(
    frames: Sequence[SourceFrame],
    every: int = 1,
    distance: float = 0.0,
    angle: float = np.deg2rad(10.0),
) -> list[SourceFrame]:
    """The frames to build a map of: every `every`-th, without near duplicates.

    A frame is a near duplicate when a keyframe before it lies closer than `distance` metres and
    looks in a direction that differs by less than `angle` radians; 0 metres keeps all.

    Raises:
        ConfigurationError: values that are not positive.
        InputError: no frames, or one without a pose.
    """
    if every < 1 or not distance >= 0 or not angle > 0:
        raise ConfigurationError(
            f"keyframes cannot be taken every {every} frames, {distance} m, {angle} rad apart"
        )
    if not frames:
        raise InputError("there are no frames to build a map of")
    chosen: list[SourceFrame] = []
    positions, directions = np.empty((0, 3)), np.empty((0, 3))
    for frame in frames[::every]:
        T_map_camera = frame.known_pose()
        position, direction = T_map_camera[:3, 3], T_map_camera[:3, 2]
        is_close = np.linalg.norm(positions - position, axis=1) < distance
        if (is_close & (directions @ direction > np.cos(angle))).any():
            continue
        chosen.append(frame)
        positions = np.vstack([positions, position])
        directions = np.vstack([directions, direction])
    return chosen
