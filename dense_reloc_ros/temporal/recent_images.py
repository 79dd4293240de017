"""The last images of a camera that moves by odometry: a rig in time."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from dense_reloc_ros.geometry.odometry_noise import OdometryNoise
from dense_reloc_ros.geometry.se3 import inverse
from dense_reloc_ros.localization.rig_images import SeenImage
from dense_reloc_ros.stamps import NANOSECONDS
from dense_reloc_ros.temporal.filter_state import OdometryPath, OdometryStamp
from dense_reloc_ros.temporal.fusion_configuration import TemporalConfiguration


@dataclass(frozen=True)
class _Remembered:
    image: SeenImage
    """On the camera as its body."""
    odometry: OdometryStamp


class RecentImages:
    """Images taken some way apart from each other, with how far odometry may be off since."""

    def __init__(self, configuration: TemporalConfiguration) -> None:
        self._options = configuration.together
        motion = configuration.filter
        self._noise = OdometryNoise(translation=motion.drift, rotation=motion.drift)
        self._heading_drift = motion.heading_drift
        self._images: deque[_Remembered] = deque(maxlen=max(self._options.frames - 1, 1))
        self._path = OdometryPath()

    def clear(self) -> None:
        """Forgets all."""
        self._images.clear()
        self._path = OdometryPath()

    def reach(self, stamp: int, T_odom_camera: np.ndarray | None) -> OdometryStamp | None:
        """Follows the camera: where it is, None without odometry, which forgets all."""
        if T_odom_camera is None or self._options.frames < 2:
            self._images.clear()
            return None
        return self._path.reach(stamp, T_odom_camera)

    def add(self, image: SeenImage, here: OdometryStamp) -> None:
        """Keeps an image of a place that `reach` told, if that is far enough from the last one."""
        if self._images:
            last = self._images[-1].odometry
            way, turn = here.distance - last.distance, here.angle - last.angle
            if way < self._options.spacing and turn < self._options.spacing_turn:
                return
        self._images.append(_Remembered(image, here))

    def seen_from(self, here: OdometryStamp) -> list[SeenImage]:
        """The images kept, on the camera's body here, the newest first.

        Those are left out since which the way is longer than `largest_way`.
        """
        found = []
        for one in reversed(self._images):
            way = here.distance - one.odometry.distance
            if way > self._options.largest_way:
                break
            assert here.T_odom_body is not None and one.odometry.T_odom_body is not None
            turn = here.angle - one.odometry.angle
            angle = turn + self._heading_drift / self._noise.rotation * way
            seconds = (here.stamp - one.odometry.stamp) / NANOSECONDS
            covariance = self._noise.covariances(
                np.array([way]), np.array([angle]), np.array([seconds])
            )[0]
            T_here_then = inverse(here.T_odom_body) @ one.odometry.T_odom_body
            found.append(one.image.on(T_here_then, covariance))
        return found
