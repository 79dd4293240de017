"""How a localized view shows the scene, compared with the keyframes that it was matched with."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.retrieval.distinct_views import median_depth
from dense_reloc_ros.retrieval.nearest_poses import nearest_poses
from dense_reloc_ros.scene.scene_map import SceneMap

NEAREST = 4
"""Keyframes that say how an image from a known pose must be turned."""
LEAST_UPRIGHT = 0.5
"""Of the direction up (1), the part across the optical axis that tells the roll of a camera: it is
less where this looks up or down by more than 60 degrees."""
LEAST_ALIKE = 0.9
"""Length of the mean of the directions up in the images of keyframes, 1 where all are alike, from
which on an image's own tells how it must be turned: they differ by about 25 degrees."""


@dataclass(frozen=True)
class RelativeView:
    """What descriptors have to bear with: they are neither free of roll nor of scale."""

    roll: float
    """Radians that the view must be turned counterclockwise to be like the keyframes."""
    magnification: float
    """How much larger things appear in the view than in the keyframes."""

    @property
    def quarters(self) -> int:
        """The quarter turns counterclockwise that leave the least roll: -2 to 2."""
        return quarters_of(self.roll)


def relative_view(
    scene_map: SceneMap,
    T_map_view: FloatArray,
    supporting_points: NDArray[np.int64],
    keyframes: Sequence[int],
    camera: Camera,
) -> RelativeView:
    """The mean over keyframes and the points (N,) that support the pose (4, 4) of a camera."""
    arrays = scene_map.arrays
    sizes, counts = [], []
    for keyframe in keyframes:
        seen = arrays.seen(keyframe)
        points = arrays.points[seen[np.isin(seen, supporting_points)]]
        size = camera.focal_length / _depths(points, T_map_view)
        focal_length_there = scene_map.cameras[keyframe].focal_length
        sizes.append(size * _depths(points, arrays.poses[keyframe]) / focal_length_there)
        counts.append(len(points))
    if not sum(counts):
        return RelativeView(0.0, 1.0)
    roll = _mean_roll(scene_map, T_map_view, keyframes, counts)
    return RelativeView(roll, float(np.median(np.concatenate(sizes))))


def quarters_at(scene_map: SceneMap, T_map_camera: FloatArray) -> int:
    """The quarter turns that make an image from a pose (4, 4) like the keyframes nearest to it."""
    depth = float(median_depth(scene_map, 0)) or 1.0
    nearest = nearest_poses(scene_map, torch.from_numpy(T_map_camera), depth, NEAREST)
    return quarters_of(_mean_roll(scene_map, T_map_camera, nearest, [1] * len(nearest)))


def roll_by_up(scene_map: SceneMap, up_in_camera: FloatArray) -> float | None:
    """The roll, in radians, as of a `RelativeView`, by where up, (3,), is in an image's camera.

    Up is the map's z. None where the camera looks up or down, where most keyframes do, or where
    they hang differently.
    """
    ups_in_keyframes = scene_map.arrays.poses[:, 2, :3]
    in_keyframes, in_image = _in_image(ups_in_keyframes), _in_image(up_in_camera[None])
    if not len(in_image) or 2 * len(in_keyframes) < len(ups_in_keyframes):
        return None
    usual = complex(in_keyframes.mean())
    if abs(usual) < LEAST_ALIKE:
        return None
    return float(np.angle(in_image[0] * np.conj(usual)))


def quarters_by_up(scene_map: SceneMap, up_in_camera: FloatArray | None) -> int:
    """The quarter turns that make an image like the keyframes; 0 where up does not tell them."""
    roll = None if up_in_camera is None else roll_by_up(scene_map, up_in_camera)
    return quarters_of(roll or 0.0)


def quarters_of(roll: float) -> int:
    """The quarter turns counterclockwise that leave the least roll: -2 to 2."""
    return round(roll / (math.pi / 2))


def _in_image(directions: FloatArray) -> NDArray[np.complex128]:
    """Directions (N, 3) of length 1 as unit vectors x + iy (M,) in the image, if they lie there."""
    across = directions[:, 0] + 1j * directions[:, 1]
    across = across[np.abs(across) >= LEAST_UPRIGHT]
    return np.asarray(across / np.abs(across), dtype=np.complex128)


def _mean_roll(
    scene_map: SceneMap,
    T_map_camera: FloatArray,
    keyframes: Sequence[int],
    weights: Sequence[float],
) -> float:
    """What a camera must turn by about its axis to be like the keyframes, as the weights say."""
    turns = (
        np.swapaxes(T_map_camera[:3, :3], 0, 1) @ (scene_map.arrays.poses[list(keyframes), :3, :3])
    )
    # The rotation about z that is nearest to a rotation in the Frobenius norm.
    rolls = np.arctan2(turns[:, 1, 0] - turns[:, 0, 1], turns[:, 0, 0] + turns[:, 1, 1])
    return float(np.angle(np.sum(np.array(weights) * np.exp(1j * rolls))))


def _depths(points: NDArray[np.float32], T_map_camera: FloatArray) -> FloatArray:
    """Along the optical axis, (N,), of points (N, 3)."""
    return np.maximum((points - T_map_camera[:3, 3]) @ T_map_camera[:3, 2], 1e-6)
