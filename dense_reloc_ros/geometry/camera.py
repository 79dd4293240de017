"""The camera model: pinhole intrinsics with the distortion models of sensor_msgs/CameraInfo."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from dense_reloc_ros.errors import InputError
from dense_reloc_ros.geometry.arrays import DepthImage, FloatArray

MINIMUM_DEPTH = 1e-3
"""Points at a smaller depth are not in front of a camera."""
POLYNOMIAL_LENGTHS = (4, 5, 8, 12, 14)
"""What OpenCV takes; drivers give the longer ones under either name."""
DISTORTION_LENGTHS = {
    "plumb_bob": POLYNOMIAL_LENGTHS,
    "rational_polynomial": POLYNOMIAL_LENGTHS,
    "equidistant": (4,),
}
NO_MODELS = ("", "none")
MODEL_NAMES = {
    "pinhole": "plumb_bob",
    "perspective": "plumb_bob",
    "radtan": "plumb_bob",
    "radial_tangential": "plumb_bob",
    "brown_conrady": "plumb_bob",
    "opencv": "plumb_bob",
    "rational": "rational_polynomial",
    "fisheye": "equidistant",
    "equi": "equidistant",
    "kannala_brandt": "equidistant",
    "kannala_brandt4": "equidistant",
}
"""What other software calls the models of sensor_msgs/CameraInfo."""
ROTATION_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Camera:
    """Intrinsics in pixels; pixel (0, 0) is the centre of the top-left pixel.

    `distortion` holds the coefficients D of CameraInfo for `distortion_model`; empty means none.
    `rectification` is its R, row by row: what turns the lens's frame into that of the camera, as in
    a stereo pair; empty means that they are the same.

    Raises:
        InputError: sizes or focal lengths that are not positive, values that are not finite, an
            unknown distortion model, a number of coefficients that does not fit it, or a
            rectification that is no rotation.
    """

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float
    distortion_model: str = "plumb_bob"
    distortion: tuple[float, ...] = ()
    rectification: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if self.width <= 0 or self.height <= 0:
            raise InputError(f"camera size {self.width}x{self.height} is not positive")
        numbers = (self.fx, self.fy, self.cx, self.cy, *self.distortion)
        if not np.isfinite(numbers).all() or self.fx <= 0 or self.fy <= 0:
            raise InputError(
                f"camera intrinsics fx={self.fx} fy={self.fy} cx={self.cx} cy={self.cy} "
                f"D={list(self.distortion)} are not finite with positive focal lengths"
            )
        if self.distortion_model not in DISTORTION_LENGTHS:
            known = ", ".join(DISTORTION_LENGTHS)
            raise InputError(f"unknown distortion model {self.distortion_model!r} (known: {known})")
        if (
            self.distortion
            and len(self.distortion) not in DISTORTION_LENGTHS[self.distortion_model]
        ):
            raise InputError(
                f"{len(self.distortion)} coefficients for model '{self.distortion_model}'"
            )
        if self.rectification and not _is_rotation(self.rectification):
            raise InputError(
                f"the rectification matrix R {list(self.rectification)} is not a rotation"
            )

    @staticmethod
    def from_matrix(
        width: int,
        height: int,
        matrix: Sequence[float] | FloatArray,
        distortion_model: str = "plumb_bob",
        distortion: Sequence[float] = (),
        rectification: Sequence[float] | FloatArray = (),
    ) -> Camera:
        """The camera of a row-major 3x3 matrix K, as CameraInfo and camera_info.yaml hold it.

        Models may have the names of other software; coefficients that are all zero are none, and a
        rectification R of zeros or ones on the diagonal is none either.

        Raises:
            InputError: as the constructor, or a matrix that is not 3x3 without skew.
        """
        k = np.asarray(matrix, dtype=np.float64)
        if k.size != 9:
            raise InputError(f"a camera matrix has 9 numbers, not {k.size}")
        k = k.reshape(3, 3)
        if k[0, 1] or k[1, 0] or k[2].tolist() != [0, 0, 1]:
            raise InputError(f"the camera matrix {k.tolist()} has skew or is not that of a camera")
        coefficients = tuple(float(d) for d in distortion)
        is_distorted = any(coefficients)
        R = tuple(float(r) for r in np.asarray(rectification, dtype=np.float64).ravel())
        return Camera(
            int(width),
            int(height),
            float(k[0, 0]),
            float(k[1, 1]),
            float(k[0, 2]),
            float(k[1, 2]),
            _model(distortion_model, is_distorted),
            coefficients if is_distorted else (),
            R if any(R) and R != (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0) else (),
        )

    @property
    def matrix(self) -> FloatArray:
        """The intrinsic matrix K, shape (3, 3)."""
        return np.array([[self.fx, 0.0, self.cx], [0.0, self.fy, self.cy], [0.0, 0.0, 1.0]])

    @property
    def intrinsics(self) -> FloatArray:
        """(4,) fx, fy, cx, cy, as `geometry.projection` takes them."""
        return np.array([self.fx, self.fy, self.cx, self.cy])

    @property
    def focal_length(self) -> float:
        """Pixels for each radian near the principal point: the geometric mean of both axes."""
        return math.sqrt(self.fx * self.fy)

    @property
    def field_of_view(self) -> float:
        """Steradians, as if all of the image were as near to the optical axis as its middle."""
        return self.width * self.height / (self.fx * self.fy)

    def project(self, in_camera: FloatArray) -> FloatArray:
        """Pixels (..., 2) of points (..., 3) in the frame of this camera, taken as a pinhole.

        They are nan where the points are not in front of the camera.
        """
        depth = in_camera[..., 2:]
        safe = np.where(depth > MINIMUM_DEPTH, depth, np.nan)
        return np.asarray(in_camera[..., :2] / safe * (self.fx, self.fy) + (self.cx, self.cy))

    def lift(self, pixels: FloatArray, depth: FloatArray) -> FloatArray:
        """Points (..., 3) in the frame of this camera, taken as a pinhole.

        Args:
            pixels: (..., 2).
            depth: (...) along the optical axis.
        """
        rays = (pixels - (self.cx, self.cy)) / (self.fx, self.fy)
        return np.concatenate([rays * depth[..., None], depth[..., None]], axis=-1)

    @property
    def is_distorted(self) -> bool:
        """Whether images have to be resampled, for distortion or for rectification."""
        return bool(self.distortion or self.rectification)

    def pinhole(self) -> Camera:
        """The same camera without distortion: what `undistort` turns images into."""
        return replace(self, distortion_model="plumb_bob", distortion=(), rectification=())

    def scaled(self, width: int, height: int) -> Camera:
        """The intrinsics of the same view resampled to another size (pixel centres at integers)."""
        sx, sy = width / self.width, height / self.height
        return replace(
            self,
            width=width,
            height=height,
            fx=self.fx * sx,
            fy=self.fy * sy,
            cx=(self.cx + 0.5) * sx - 0.5,
            cy=(self.cy + 0.5) * sy - 0.5,
        )

    def cut(self, left: int, top: int, width: int, height: int) -> Camera:
        """The camera of a part of the image, which begins at a whole pixel."""
        return replace(self, width=width, height=height, cx=self.cx - left, cy=self.cy - top)

    def undistort(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Resamples an image (H, W) or (H, W, 3) of this camera to that of `pinhole()`.

        Raises:
            InputError: an image of another size than the camera's.
        """
        self.check_image(image)
        if not self.is_distorted:
            return image
        places, between = _fixed_point_maps(self)
        return np.asarray(cv2.remap(image, places, between, cv2.INTER_LINEAR), dtype=np.uint8)

    def undistort_depth(self, depth: DepthImage) -> DepthImage:
        """Resamples depth (H, W) of this camera to that of `pinhole()`, without interpolation."""
        if not self.is_distorted:
            return depth
        map_x, map_y = undistortion_maps(self)
        return np.asarray(cv2.remap(depth, map_x, map_y, cv2.INTER_NEAREST), dtype=np.float32)

    def check_image(self, image: NDArray[np.uint8]) -> None:
        """Raises InputError where the image's size is not this camera's."""
        if image.shape[:2] != (self.height, self.width):
            raise InputError(
                f"an image of {image.shape[1]}x{image.shape[0]} does not fit "
                f"camera intrinsics for {self.width}x{self.height}"
            )


@lru_cache(maxsize=4)
def undistortion_maps(camera: Camera) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Where each pixel of `camera.pinhole()` lies in the distorted image: x and y, each (H, W)."""
    k, d, size = camera.matrix, np.array(camera.distortion), (camera.width, camera.height)
    R = np.reshape(camera.rectification or np.eye(3), (3, 3))
    if camera.distortion and camera.distortion_model == "equidistant":
        maps = cv2.fisheye.initUndistortRectifyMap(k, d, R, k, size, cv2.CV_32FC1)
    else:
        maps = cv2.initUndistortRectifyMap(k, d, R, k, size, cv2.CV_32FC1)
    return np.asarray(maps[0], dtype=np.float32), np.asarray(maps[1], dtype=np.float32)


@lru_cache(maxsize=4)
def _fixed_point_maps(camera: Camera) -> tuple[NDArray[np.int16], NDArray[np.uint16]]:
    """`undistortion_maps` in whole pixels (H, W, 2) and a code for 1/32 of one (H, W).

    Images are resampled with them in half the time.
    """
    places, between = cv2.convertMaps(*undistortion_maps(camera), cv2.CV_16SC2)
    return np.asarray(places, dtype=np.int16), np.asarray(between, dtype=np.uint16)


def _model(name: str, is_distorted: bool) -> str:
    """The model by ROS's name; without distortion any name will do."""
    lower = name.strip().lower().replace("-", "_")
    if lower in NO_MODELS and is_distorted and lower:
        raise InputError(f"distortion model {name!r} does not go with coefficients D")
    known = MODEL_NAMES.get(lower, lower or "plumb_bob")
    return known if known in DISTORTION_LENGTHS or is_distorted else "plumb_bob"


def _is_rotation(values: Sequence[float]) -> bool:
    if len(values) != 9 or not np.isfinite(values).all():
        return False
    R = np.reshape(values, (3, 3))
    if np.abs(R).max() > 2:  # would only overflow
        return False
    is_orthonormal = np.allclose(R @ R.T, np.eye(3), atol=ROTATION_TOLERANCE)
    return bool(is_orthonormal and np.linalg.det(R) > 0)
