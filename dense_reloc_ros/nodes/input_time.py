"""How long it takes from an image as a camera sends it to what the localizer is given."""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from statistics import median

import cv2
import numpy as np
from pydantic import BaseModel, ConfigDict

from dense_reloc_ros.geometry.arrays import RgbImage
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.images.encodings import decode_compressed, decode_raw
from dense_reloc_ros.nodes.transform_buffer import TransformHistory
from dense_reloc_ros.stamps import NANOSECONDS

ENCODINGS = {"rgb8": 3, "bgr8": 3, "mono8": 1, "bayer_rggb8": 1, "yuyv": 2}
"""Bytes of a pixel in those that cameras mostly send."""
DISTORTIONS = {
    "plumb_bob": (0.1, -0.2, 0.001, 0.002, 0.0),
    "equidistant": (0.1, -0.02, 0.001, 0.002),
}
ODOMETRY_RATE = 100
"""Transforms a second, of the ten seconds that are remembered."""


@dataclass
class _Message:
    """The fields of sensor_msgs/Image that matter."""

    encoding: str
    height: int
    width: int
    step: int
    is_bigendian: int
    data: array[int]


class InputTime(BaseModel):
    """One step, in milliseconds of the processor: what other processes do does not count."""

    model_config = ConfigDict(frozen=True)

    step: str
    median_ms: float
    p95_ms: float


def input_times(image: RgbImage, runs: int) -> Iterator[InputTime]:
    """Conversion from each encoding, undistortion by each model, and a look-up in TF."""
    height, width = image.shape[:2]
    for encoding, size in ENCODINGS.items():
        pixels = np.resize(image.reshape(-1), height * width * size)
        message = _Message(encoding, height, width, width * size, 0, array("B", pixels.tobytes()))
        yield _timed(f"conversion from {encoding}", partial(decode_raw, message), runs)
    jpeg = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1].tobytes()
    yield _timed("conversion from JPEG", partial(decode_compressed, jpeg), runs)
    for model, distortion in DISTORTIONS.items():
        focal, centre = 0.8 * width, ((width - 1) / 2, (height - 1) / 2)
        camera = Camera(width, height, focal, focal, *centre, model, distortion)
        yield _timed(f"undistortion, {model}", partial(camera.undistort, image), runs)
    history = TransformHistory()
    history.insert_static("base", "camera", np.eye(4))
    for number in range(10 * ODOMETRY_RATE):
        history.insert("odom", "base", 1 + number * NANOSECONDS // ODOMETRY_RATE, np.eye(4))
    moment = 9 * NANOSECONDS + NANOSECONDS // ODOMETRY_RATE // 2
    yield _timed("look-up in TF", partial(history.lookup, "odom", "camera", moment), runs)


def _timed(step: str, work: Callable[[], object], runs: int) -> InputTime:
    """After one run that fills caches, as the first image does."""
    work()
    times = []
    for _ in range(runs):
        begin = time.thread_time()
        work()
        times.append(1000 * (time.thread_time() - begin))
    return InputTime(step=step, median_ms=median(times), p95_ms=float(np.quantile(times, 0.95)))
