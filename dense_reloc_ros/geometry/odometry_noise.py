"""How odometry errs: as an uncertainty that grows with the way, and as a simulation of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.se3 import inverse, rigid


@dataclass(frozen=True)
class OdometryNoise:
    """Standard deviations of what odometry says of a motion."""

    translation: float = 0.02
    """Metres for each metre of way."""
    rotation: float = 0.02
    """Radians for each radian turned."""
    gyro_bias: float = 0.002
    """Radians for each second: what is left of the gyroscope's bias."""
    least_translation: float = 0.001
    """Metres that a motion is uncertain by, however short: stamps are not exact."""
    least_rotation: float = 0.0005
    """Radians, likewise."""

    def covariances(
        self, lengths: FloatArray, angles: FloatArray, seconds: FloatArray
    ) -> FloatArray:
        """(N, 6, 6) of motions, about the axes where each begins: x, y, z, rotX, rotY, rotZ.

        Lengths of the ways in metres, turned angles in radians and times, each (N,). Errors are
        taken to add up in one direction, as those of a wrong scale and of a bias do; an angle that
        is wrong from the beginning of a way displaces its end.
        """
        rotation = self.least_rotation + self.rotation * angles + self.gyro_bias * seconds
        translation = self.least_translation + self.translation * lengths + rotation * lengths
        deviations = np.repeat(np.stack([translation, rotation], axis=-1), 3, axis=-1)
        return np.asarray(deviations[..., None] ** 2 * np.eye(6))


def drifting_odometry(
    T_map_base: FloatArray,
    drift: float,
    seed: int,
    gyro_bias: float = 0.0,
    seconds: FloatArray | None = None,
) -> FloatArray:
    """T_odom_base (N, 4, 4) as wheels or an inertial sensor would give it, starting at identity.

    Each step is off by the share `drift` of its length and of its angle: half of it always the
    same way, half of it at random. A gyroscope with a bias (rad/s) about an axis of the body that
    the seed chooses turns it further; that takes the times (N,) of the poses.
    """
    rng = np.random.default_rng([seed, 2])
    steps = inverse(T_map_base[:-1]) @ T_map_base[1:]
    durations = np.zeros(len(steps)) if seconds is None else np.diff(seconds)
    biases = gyro_bias * durations[:, None] * _axis(seed)
    T_odom_base = [np.eye(4)]
    for step, bias in zip(steps, biases, strict=True):
        angles = Rotation.from_matrix(step[:3, :3]).as_rotvec()
        length, angle = np.linalg.norm(step[:3, 3]), np.linalg.norm(angles)
        translation = step[:3, 3] * (1 + drift / 2) + rng.normal(0, drift / 2, 3) * length
        rotation = angles * (1 + drift / 2) + rng.normal(0, drift / 2, 3) * angle + bias
        step = rigid(Rotation.from_rotvec(rotation).as_matrix(), translation)
        T_odom_base.append(T_odom_base[-1] @ step)
    return np.stack(T_odom_base)


def _axis(seed: int) -> FloatArray:
    """A direction (3,) of unit length."""
    direction = np.random.default_rng([seed, 3]).normal(size=3)
    return np.asarray(direction / np.linalg.norm(direction))
