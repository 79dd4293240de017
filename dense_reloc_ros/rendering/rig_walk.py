"""A walk through a rendered room of a body with one camera, or several, that see half each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator
from scipy.spatial.transform import Rotation

from dense_reloc_ros.configuration import RigConfiguration
from dense_reloc_ros.geometry.arrays import FloatArray, RgbImage
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.geometry.odometry_noise import OdometryNoise, drifting_odometry
from dense_reloc_ros.geometry.se3 import inverse, pose_error, rigid
from dense_reloc_ros.images.light_levels import LEVELS, degrade
from dense_reloc_ros.localization.rig_images import RigImage
from dense_reloc_ros.rendering.paths import VIDEO_RATE, Motion, query_motion
from dense_reloc_ros.rendering.raycaster import Raycaster
from dense_reloc_ros.rendering.recording import photographed
from dense_reloc_ros.rendering.room import Walkway

YAWS = (0.0, 180.0, 90.0, 270.0)
"""Degrees by which the cameras are turned against the first one, about the body's vertical axis."""
IN_TIME = 5
"""Images of the first camera, one after the other."""
STEP = 3
"""Frames of the video from one of them to the next: some 16 cm of way."""
BRIGHTNESS = (0.0, 0.5)
"""Of what covers half of an image, relative to white."""
EXACT = RigConfiguration(extrinsics_error_m=0.0, extrinsics_error_deg=0.0)
"""Cameras that hang where their extrinsics say."""


@dataclass(frozen=True)
class RigQuery:
    """A moment of a walk, as rigs see it that are made of the same images."""

    T_map_camera: FloatArray
    """(4, 4) of the first camera, which is the body of all rigs."""
    rigs: Mapping[str, Sequence[RigImage]]
    """By name."""


def rig_walk(
    raycaster: Raycaster,
    walkway: Walkway,
    camera: Camera,
    count: int,
    level: str | None,
    seed: int,
    drift: float,
) -> Iterator[RigQuery]:
    """Moments of a walk, at a level of light, with another half of each image covered.

    Without a level nothing is covered, and the light is that of the room. `drift` is that of the
    odometry between the images of one camera.
    """
    reach = (IN_TIME - 1) * STEP
    motion = query_motion(walkway, count * (reach + STEP), seed)
    T_odom_base = drifting_odometry(motion.T_map_base, drift, seed)
    mounting = [mounted(motion, yaw) for yaw in YAWS]

    def seen(number: int, of_camera: int) -> RgbImage:
        pose = motion.T_map_base[number] @ mounting[of_camera]
        rng = np.random.default_rng([seed, number, of_camera])
        image = photographed(raycaster.render(camera, pose).image, rng)
        if level is None:
            return image
        covered = half_covered(image, rng)
        return degrade(covered, LEVELS[level], len(YAWS) * number + of_camera, seed)

    for now in range(reach, len(motion.times), reach + STEP):
        body = motion.T_map_base[now] @ mounting[0]
        around = [
            RigImage(seen(now, c), camera, inverse(mounting[0]) @ mount, f"camera {c}")
            for c, mount in enumerate(mounting)
        ]
        before = [
            _image_before(T_odom_base, mounting[0], now, then, seen(then, 0), camera, drift)
            for then in range(now - STEP, now - reach - 1, -STEP)
        ]
        rigs = {
            "one camera": around[:1],
            "two cameras": around[:2],
            "four cameras": around,
            f"{IN_TIME} images in time": [around[0], *before],
        }
        yield RigQuery(body, rigs)


def loosened(
    rigs: Mapping[str, Sequence[RigImage]], options: RigConfiguration, rng: Generator
) -> dict[str, list[RigImage]]:
    """The rigs with extrinsics of the other cameras that are as far off as the options say."""
    off = {f"camera {number}": _extrinsics_error(options, rng) for number in range(1, len(YAWS))}
    return {
        name: [
            replace(image, T_body_camera=image.T_body_camera @ off.get(image.name, np.eye(4)))
            for image in images
        ]
        for name, images in rigs.items()
    }


def _extrinsics_error(options: RigConfiguration, rng: Generator) -> FloatArray:
    turn = np.radians(options.extrinsics_error_deg) * rng.standard_normal(3)
    way = options.extrinsics_error_m * rng.standard_normal(3)
    return rigid(Rotation.from_rotvec(turn).as_matrix(), way)


def mounted(motion: Motion, yaw: float) -> FloatArray:
    """T_base_camera (4, 4) of a camera turned by degrees against that of a motion."""
    turn = Rotation.from_euler("z", yaw, degrees=True).as_matrix()
    return rigid(turn, np.zeros(3)) @ motion.T_base_camera


def half_covered(image: RgbImage, rng: Generator) -> RgbImage:
    """An image (H, W, 3) of which the left, right, upper or lower half is grey."""
    height, width = image.shape[:2]
    halves = (
        np.s_[:, : width // 2],
        np.s_[:, width // 2 :],
        np.s_[: height // 2],
        np.s_[height // 2 :],
    )
    covered = image.copy()
    covered[halves[rng.integers(len(halves))]] = round(255 * rng.uniform(*BRIGHTNESS))
    return covered


def _image_before(
    T_odom_base: FloatArray,
    T_base_camera: FloatArray,
    now: int,
    then: int,
    image: RgbImage,
    camera: Camera,
    drift: float,
) -> RigImage:
    """An image of before, where odometry has it."""
    T_now_then = inverse(T_odom_base[now] @ T_base_camera) @ T_odom_base[then] @ T_base_camera
    way = pose_error(T_odom_base[now], T_odom_base[then])
    noise = OdometryNoise(translation=drift, rotation=drift)
    covariance = noise.covariances(
        np.array([way.translation]),
        np.array([way.rotation]),
        np.array([(now - then) / VIDEO_RATE]),
    )[0]
    return RigImage(image, camera, T_now_then, "camera 0", covariance)
