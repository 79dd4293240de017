"""Smooth hand-held camera paths around the middle of a room."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from scipy.spatial.transform import Rotation

from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.se3 import rigid
from dense_reloc_ros.rendering.room import Walkway

VIDEO_RATE = 15.0
"""Images per second of a query path."""
QUERY_SPEED = 0.8
"""Metres per second along a query path."""
OPTICAL = np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
"""Rotation of the optical frame in a body with x forward, y left, z up."""


@dataclass(frozen=True)
class Motion:
    """A body with a camera on it that moves through the map."""

    times: FloatArray
    """(N,) seconds."""
    T_map_base: FloatArray
    """(N, 4, 4), x forward, y left, z up (REP-103)."""
    T_base_camera: FloatArray
    """(4, 4), to the optical frame."""

    @property
    def T_map_camera(self) -> FloatArray:
        """(N, 4, 4)."""
        return self.T_map_base @ self.T_base_camera


def mounted_camera() -> FloatArray:
    """T_base_camera of a camera at the front of the body that looks 8 degrees down."""
    tilt = Rotation.from_euler("y", 8, degrees=True).as_matrix()
    return rigid(tilt @ OPTICAL, np.array([0.10, 0.03, 0.05]))


def mapping_motion(walkway: Walkway, count: int, seed: int) -> Motion:
    """Once around the room looking at the walls behind, and once back looking at those opposite."""
    rng = np.random.default_rng([seed, 0])
    outward = count // 2
    there = np.linspace(0, 2 * np.pi, outward, endpoint=False)
    back = np.linspace(2 * np.pi, 0, count - outward, endpoint=False)
    angles = np.concatenate([there, back])
    is_back = np.arange(count) >= outward
    phase = np.arange(count) / count
    return Motion(
        np.arange(count, dtype=np.float64),
        _poses(
            _positions(walkway, angles, np.where(is_back, 0.8, 0.2)),
            heights=1.35 + 0.12 * _sway(phase, 5, rng),
            yaws=angles + np.where(is_back, np.pi, 0.0) + 0.7 * _sway(phase, 7, rng),
            pitches=0.12 * _sway(phase, 9, rng),
            rolls=0.04 * _sway(phase, 11, rng),
        ),
        mounted_camera(),
    )


def query_motion(walkway: Walkway, count: int, seed: int) -> Motion:
    """A video on another way through the room: other heights, distances and directions of gaze."""
    rng = np.random.default_rng([seed, 1])
    times = np.arange(count, dtype=np.float64) / VIDEO_RATE
    radius = (sum(walkway.inner) + sum(walkway.outer)) / 4
    angles = rng.uniform(0, 2 * np.pi) + times * QUERY_SPEED / radius
    return Motion(
        times,
        _poses(
            _positions(walkway, angles, 0.5 + 0.4 * _sway(times, 0.12, rng)),
            heights=1.3 + 0.15 * _sway(times, 0.15, rng) + 0.01 * _sway(times, 1.8, rng),
            yaws=angles + np.pi / 3 + 0.8 * _sway(times, 0.1, rng),
            pitches=0.15 * _sway(times, 0.2, rng),
            rolls=0.07 * _sway(times, 0.3, rng),
        ),
        mounted_camera(),
    )


def _positions(walkway: Walkway, angles: FloatArray, share: FloatArray) -> FloatArray:
    """Points (N, 2) on the way around, `share` (0 to 1) of the way out to the outer ellipse."""
    inner, outer = np.array(walkway.inner), np.array(walkway.outer)
    axes = inner + np.asarray(share)[:, None] * (outer - inner)
    return np.asarray(axes * np.stack([np.cos(angles), np.sin(angles)], axis=1))


def _poses(
    positions: FloatArray,
    heights: FloatArray,
    yaws: FloatArray,
    pitches: FloatArray,
    rolls: FloatArray,
) -> FloatArray:
    poses = np.tile(np.eye(4), (len(positions), 1, 1))
    angles = np.stack([yaws, pitches, rolls], axis=1)
    poses[:, :3, :3] = Rotation.from_euler("ZYX", angles).as_matrix()
    poses[:, :2, 3], poses[:, 2, 3] = positions, heights
    return poses


def _sway(times: FloatArray, frequency: float, rng: Generator) -> FloatArray:
    """A smooth wobble within [-1, 1] that starts anywhere."""
    slow, fast = rng.uniform(0, 2 * np.pi, 2)
    phase = 2 * np.pi * frequency * times
    return np.asarray(0.7 * np.sin(phase + slow) + 0.3 * np.sin(1.7 * phase + fast))
