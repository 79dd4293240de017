"""A robot's drive through a rendered building: where it truly is, and what its sensors say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dense_reloc_ros.geometry.arrays import FloatArray, RgbImage
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.geometry.odometry_noise import drifting_odometry
from dense_reloc_ros.geometry.se3 import inverse
from dense_reloc_ros.rendering.building import CORRIDOR, Building
from dense_reloc_ros.rendering.drives import around, camera_on_a_mast, driven
from dense_reloc_ros.rendering.raycaster import Raycaster
from dense_reloc_ros.rendering.recording import photographed
from dense_reloc_ros.stamps import NANOSECONDS

CAMERA = Camera(320, 240, 230.0, 230.0, 159.5, 119.5)
ODOMETRY_RATE = 20
"""Poses of the odometry per second."""
IMAGE_EVERY, DARK_IMAGE_EVERY = 6, 24
"""How many of them there are for each image; in the dark a camera exposes for longer."""
SPEED = 0.8
"""Metres per second."""
DRIFT, GYRO_BIAS = 0.02, float(np.radians(0.1))
"""Of the odometry: share of each step, radians per second."""
START = 100 * NANOSECONDS
DARK = 0.0
"""Light where it is turned off."""
UNLIT_SECONDS = 1.0
"""At the beginning."""


@dataclass(frozen=True)
class Drive:
    """N moments, as often as the odometry speaks."""

    stamps: NDArray[np.int64]
    """(N,) nanoseconds."""
    T_map_base: FloatArray
    """(N, 4, 4), the truth."""
    T_odom_base: FloatArray
    """(N, 4, 4)."""
    light: FloatArray
    """(N,) 1, or `DARK` where it is off."""
    kidnapped: int
    """The first moment at which the robot is in the other room."""
    switched: int
    """The moment at which another map is loaded."""
    seed: int

    @property
    def images(self) -> list[int]:
        """The moments of which there is an image."""
        every = np.where(self.light == DARK, DARK_IMAGE_EVERY, IMAGE_EVERY)
        return np.flatnonzero(np.arange(len(self.stamps)) % every == 0).tolist()

    def image(self, index: int, raycaster: Raycaster) -> RgbImage:
        """What the camera sees at a moment."""
        T_map_camera = self.T_map_base[index] @ camera_on_a_mast()
        view = raycaster.render(CAMERA, T_map_camera).image
        rng = np.random.default_rng([self.seed, index])
        return photographed(view, rng, float(self.light[index]))

    def at(self, stamp: int) -> int:
        """The moment nearest to a stamp, which lies within a millisecond."""
        index = int(np.abs(self.stamps - stamp).argmin())
        assert abs(int(self.stamps[index]) - stamp) < 10**6, f"nothing was sent at {stamp}"
        return index


def drive_through(building: Building, seed: int) -> Drive:
    """Around the west room, along the corridor, around the east room, and carried back west."""
    west, east = building.west, building.east
    end = CORRIDOR[0] / 2
    standing = np.tile(_poses(_west(building, 0.7, 120, 140))[:1], (_moments(UNLIT_SECONDS), 1, 1))
    there = np.concatenate(
        [
            _west(building, 0.7, 120, 300),
            [
                [-end - 0.5, -0.1],
                [-end + 0.5, 0.0],
                [0.0, 0.1],
                [end - 0.5, 0.0],
                [end + 0.5, -0.1],
            ],
            around(building.east_middle, east.walkway, 0.6, 230, 390),
        ]
    )
    carried = around(building.west_middle, west.walkway, 0.4, 190, -50)
    legs = [standing, _poses(there), _poses(carried)]
    truth = np.concatenate(legs)
    # The first moment after the kidnapping has an image.
    kidnapped = len(standing) + len(legs[1])
    kidnapped -= kidnapped % IMAGE_EVERY
    truth = np.concatenate([truth[:kidnapped], legs[2]])
    switched = kidnapped + len(legs[2]) // 2
    switched -= switched % IMAGE_EVERY - 2
    stamps = START + (np.arange(len(truth)) * NANOSECONDS) // ODOMETRY_RATE
    x = truth[:, 0, 3]
    is_dark = (np.abs(x) < end - 1) | (np.arange(len(truth)) < len(standing))
    return Drive(
        stamps,
        truth,
        _odometry(truth, kidnapped, seed),
        np.where(is_dark, DARK, 1.0),
        kidnapped,
        switched,
        seed,
    )


def mapping_poses(building: Building, spacing: float) -> FloatArray:
    """T_map_camera (K, 4, 4) of a recording: around both rooms, and along the corridor and back."""
    end = CORRIDOR[0] / 2 + 1.5
    corridor = np.array([[-end, 0.0], [0.0, -0.2], [end, 0.0]])
    ways = [corridor, corridor[::-1]]
    for middle, room in (
        (building.west_middle, building.west),
        (building.east_middle, building.east),
    ):
        ways += [around(middle, room.walkway, 0.5, *turn) for turn in ((0, 350), (350, 0))]
    return _recorded(ways, spacing)


def west_room_poses(building: Building, spacing: float) -> FloatArray:
    """T_map_camera (K, 4, 4) of a recording of the west room alone, on other ways."""
    return _recorded([_west(building, 0.6, 10, 360), _west(building, 0.3, 360, 10)], spacing)


def _recorded(ways: Sequence[FloatArray], spacing: float) -> FloatArray:
    poses = np.concatenate([driven(way, spacing, 1.0).T_map_base for way in ways])
    return np.asarray(poses @ camera_on_a_mast())


def _west(building: Building, share: float, begin: float, end: float) -> FloatArray:
    return around(building.west_middle, building.west.walkway, share, begin, end)


def _poses(waypoints: FloatArray) -> FloatArray:
    return driven(waypoints, SPEED, ODOMETRY_RATE).T_map_base


def _moments(seconds: float) -> int:
    return round(seconds * ODOMETRY_RATE)


def _odometry(truth: FloatArray, kidnapped: int, seed: int) -> FloatArray:
    """It does not notice that the robot is carried."""
    carried = truth[kidnapped - 1] @ inverse(truth[kidnapped])
    felt = np.concatenate([truth[:kidnapped], carried @ truth[kidnapped:]])
    seconds = np.arange(len(truth)) / ODOMETRY_RATE
    return drifting_odometry(felt, DRIFT, seed, GYRO_BIAS, seconds)
