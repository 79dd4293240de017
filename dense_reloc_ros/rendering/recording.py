"""Writes what a rendered camera records: keyframes in the layout of 7-Scenes, and a video bag."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml
from numpy.random import Generator
from numpy.typing import NDArray

from dense_reloc_ros.bags.bag_writer import BagWriter
from dense_reloc_ros.bags.topics import BASE_FRAME, CAMERA_FRAME, ODOMETRY_FRAME
from dense_reloc_ros.errors import InputError
from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.rendering.paths import Motion
from dense_reloc_ros.rendering.raycaster import Raycaster
from dense_reloc_ros.stamps import NANOSECONDS

CAMERA_INFO_FILE = "camera_info.yaml"
SENSOR_NOISE = 2.0
"""Standard deviation in grey levels."""
JPEG_QUALITY = 95
START_STAMP = 1_750_000_000 * NANOSECONDS
"""When the query video begins, in the middle of 2025."""

Progress = Callable[[FloatArray], Iterable[FloatArray]]
"""Passes poses (N, 4, 4) on and shows how far it is."""


def photographed(image: NDArray[np.uint8], rng: Generator, light: float = 1.0) -> NDArray[np.uint8]:
    """What a camera makes of a view (H, W, 3): with noise, and darker where the light is dimmed."""
    noise = rng.normal(0, SENSOR_NOISE, image.shape)
    return np.asarray(np.clip(np.rint(light * image + noise), 0, 255), dtype=np.uint8)


def write_mapping(
    folder: Path,
    raycaster: Raycaster,
    camera: Camera,
    poses: Iterable[FloatArray],
    seed: int,
    step: int = 1,
) -> None:
    """Renders T_map_camera (4, 4) after T_map_camera to colour, depth and pose files.

    Their numbers go up by `step`: by 2 they are a video of 15 images a second (7-Scenes counts
    30 a second). Next to them lies `camera_info.yaml`.

    Raises:
        InputError: a folder that exists or cannot be written to.
    """
    rng = np.random.default_rng([seed, 3])
    try:
        folder.mkdir(parents=True)
        _write_camera_info(folder / CAMERA_INFO_FILE, camera)
        for index, T_map_camera in enumerate(poses):
            view = raycaster.render(camera, T_map_camera)
            path = folder / f"frame-{step * index:06d}"
            bgr = cv2.cvtColor(photographed(view.image, rng), cv2.COLOR_RGB2BGR)
            _write(path.with_suffix(".color.jpg"), bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
            millimetres = np.rint(view.depth * 1000).astype(np.uint16)
            _write(path.with_suffix(".depth.png"), millimetres, [])
            np.savetxt(path.with_suffix(".pose.txt"), T_map_camera, fmt="%.9f")
    except OSError as error:
        raise InputError(f"{folder}: cannot be written: {error.strerror or error}") from None


def write_query_bag(
    path: Path,
    raycaster: Raycaster,
    camera: Camera,
    motion: Motion,
    T_odom_base: FloatArray,
    seed: int,
    progress: Progress = lambda poses: poses,
) -> None:
    """Renders a motion to a bag of images, camera_info, ground truth and transforms.

    The transforms are the camera's mount on the base, and T_odom_base (N, 4, 4).

    Raises:
        InputError: a path that exists or cannot be written to.
    """
    rng = np.random.default_rng([seed, 4])
    with BagWriter(path, camera) as bag:
        bag.write_static_tf(START_STAMP, BASE_FRAME, CAMERA_FRAME, motion.T_base_camera)
        for index, T_map_camera in enumerate(progress(motion.T_map_camera)):
            stamp = START_STAMP + round(motion.times[index] * NANOSECONDS)
            bag.write_tf(stamp, ODOMETRY_FRAME, BASE_FRAME, T_odom_base[index])
            bag.write_ground_truth(stamp, T_map_camera)
            image = raycaster.render(camera, T_map_camera).image
            bag.write_image(stamp, photographed(image, rng))


def _write(path: Path, image: NDArray[Any], options: list[int]) -> None:
    # Not cv2.imwrite, which does not say why it fails.
    path.write_bytes(cv2.imencode(path.suffix, image, options)[1].tobytes())


def _write_camera_info(path: Path, camera: Camera) -> None:
    """As ROS's camera_info_manager reads it."""
    projection = np.hstack([camera.matrix, np.zeros((3, 1))])
    content = {
        "image_width": camera.width,
        "image_height": camera.height,
        "camera_name": "camera",
        "camera_matrix": _matrix(camera.matrix),
        "distortion_model": camera.distortion_model,
        "distortion_coefficients": _matrix(np.zeros((1, 5))),
        "rectification_matrix": _matrix(np.eye(3)),
        "projection_matrix": _matrix(projection),
    }
    path.write_text(yaml.safe_dump(content, sort_keys=False))


def _matrix(values: FloatArray) -> dict[str, int | list[float]]:
    rows, cols = values.shape
    return {"rows": rows, "cols": cols, "data": [float(value) for value in values.ravel()]}
