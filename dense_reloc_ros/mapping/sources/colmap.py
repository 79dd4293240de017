"""Frames and points of a COLMAP model (Schönberger and Frahm, CVPR 2016)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pycolmap  # After numpy: its own zlib breaks the system's where it is loaded first.
from numpy.typing import NDArray

from dense_reloc_ros.errors import InputError
from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.geometry.se3 import checked_rigid, inverse
from dense_reloc_ros.images.image_file import read_rgb
from dense_reloc_ros.mapping.sources.known_points import KnownPoints
from dense_reloc_ros.mapping.sources.source_frame import SourceFrame
from dense_reloc_ros.sieve import Sieve

# COLMAP's model: our distortion model, and which of its parameters are fx fy cx cy and D.
# Names: https://github.com/colmap/colmap/blob/main/src/colmap/sensor/models.h
CAMERA_MODELS: dict[str, tuple[str, tuple[int, int, int, int], slice, int]] = {
    "SIMPLE_PINHOLE": ("plumb_bob", (0, 0, 1, 2), slice(0), 0),
    "PINHOLE": ("plumb_bob", (0, 1, 2, 3), slice(0), 0),
    "SIMPLE_RADIAL": ("plumb_bob", (0, 0, 1, 2), slice(3, 4), 4),
    "RADIAL": ("plumb_bob", (0, 0, 1, 2), slice(3, 5), 4),
    "OPENCV": ("plumb_bob", (0, 1, 2, 3), slice(4, 8), 4),
    "FULL_OPENCV": ("rational_polynomial", (0, 1, 2, 3), slice(4, 12), 8),
    "OPENCV_FISHEYE": ("equidistant", (0, 1, 2, 3), slice(4, 8), 4),
    "SIMPLE_RADIAL_FISHEYE": ("equidistant", (0, 0, 1, 2), slice(3, 4), 4),
    "RADIAL_FISHEYE": ("equidistant", (0, 0, 1, 2), slice(3, 5), 4),
}
PIXEL_SHIFT = 0.5
"""The centre of the first pixel is (0.5, 0.5) in COLMAP, (0, 0) here."""


def read_colmap(model: Path, images: Path) -> tuple[list[SourceFrame], KnownPoints]:
    """The registered images of a model (binary or text), sorted by name, and its points.

    Raises:
        InputError: no model there, a damaged or empty one, a camera model without counterpart
            here, or most poses are not finite. Images complain only when loaded.
    """
    reconstruction = _read_model(model)
    registered = sorted(
        (image for image in reconstruction.images.values() if image.has_pose),
        key=lambda image: image.name,
    )
    if not registered:
        raise InputError(f"{model}: the model is empty, it has no registered image")
    sieve = Sieve(str(model))
    frames = []
    for number, image in enumerate(registered):
        T_map_camera = sieve.take(f"{model}: image {image.name}", partial(_pose, image))
        if T_map_camera is not None:
            frames.append(_frame(model, images, number, image, reconstruction, T_map_camera))
    sieve.close()
    try:
        return frames, known_points(reconstruction, {frame.name: frame.camera for frame in frames})
    except InputError as error:
        raise InputError(f"{model}: {error}") from None


def known_points(
    reconstruction: pycolmap.Reconstruction, cameras: Mapping[str, Camera]
) -> KnownPoints:
    """The points of a reconstruction, and where images see them once they are undistorted.

    `cameras` are those of the images by name; other images are left out.

    Raises:
        InputError: no points, points that are not finite, or observations of points that miss.
    """
    if not reconstruction.points3D:
        raise InputError("the model is empty, it has no points")
    identifiers = np.array(sorted(reconstruction.points3D), dtype=np.int64)
    positions = np.array([reconstruction.points3D[int(i)].xyz for i in identifiers])
    if not np.isfinite(positions).all():
        raise InputError("a point has coordinates that are not finite")
    pixels, indices = {}, {}
    for image in reconstruction.images.values():
        if image.name not in cameras:
            continue
        seen, pixels[image.name] = _observations(image, cameras[image.name])
        if not np.isin(seen, identifiers).all():
            raise InputError(f"image {image.name}: it sees points that are not there")
        indices[image.name] = np.searchsorted(identifiers, seen)
    return KnownPoints(positions, pixels, indices)


def _read_model(model: Path) -> pycolmap.Reconstruction:
    if not model.is_dir():
        raise InputError(f"{model}: no such folder")
    if not any((model / f"images.{suffix}").is_file() for suffix in ("bin", "txt")):
        raise InputError(f"{model}: no COLMAP model, images.bin or images.txt is missing")
    try:
        return pycolmap.Reconstruction(model)
    # The native reader fails on damaged files with whatever its containers throw.
    except Exception as error:
        reason = str(error).split("] ")[-1].splitlines()[0]
        raise InputError(f"{model}: the COLMAP model cannot be read ({reason})") from None


def _frame(
    model: Path,
    images: Path,
    number: int,
    image: pycolmap.Image,
    reconstruction: pycolmap.Reconstruction,
    T_map_camera: FloatArray,
) -> SourceFrame:
    try:
        if image.camera_id not in reconstruction.cameras:
            raise InputError(f"its camera {image.camera_id} is missing")
        camera = _camera(reconstruction.cameras[image.camera_id])
    except InputError as error:
        raise InputError(f"{model}: image {image.name}: {error}") from None
    return SourceFrame(
        name=image.name,
        timestamp=float(number),
        camera=camera,
        T_map_camera=T_map_camera,
        read_image=partial(read_rgb, images / image.name),
    )


def _pose(image: pycolmap.Image) -> FloatArray:
    T_camera_map = np.vstack([image.cam_from_world().matrix(), [0.0, 0.0, 0.0, 1.0]])
    return inverse(checked_rigid(T_camera_map))


def _camera(camera: pycolmap.Camera) -> Camera:
    name = camera.model.name
    if name not in CAMERA_MODELS:
        known = ", ".join(CAMERA_MODELS)
        raise InputError(f"camera model {name} is not supported (known: {known})")
    model, linear, which, length = CAMERA_MODELS[name]
    parameters = np.asarray(camera.params, dtype=np.float64)
    fx, fy, cx, cy = (float(parameters[i]) for i in linear)
    given = parameters[which]
    distortion = tuple(np.pad(given, (0, length - len(given))).tolist()) if given.any() else ()
    return Camera(
        camera.width, camera.height, fx, fy, cx - PIXEL_SHIFT, cy - PIXEL_SHIFT, model, distortion
    )


def _observations(
    image: pycolmap.Image, camera: Camera
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Ids (N,) of the points an image sees and where, (N, 2), once it is undistorted."""
    seen = image.get_observation_points2D()
    identifiers = np.array([point.point3D_id for point in seen], dtype=np.int64)
    pixels = np.array([point.xy for point in seen], dtype=np.float64).reshape(-1, 2) - PIXEL_SHIFT
    pixels = _undistorted(pixels, camera)
    size = [camera.width, camera.height]
    inside = ((pixels >= -0.5) & (pixels <= np.array(size) - 0.5)).all(axis=1)
    return identifiers[inside], pixels[inside].astype(np.float32)


def _undistorted(pixels: NDArray[np.float64], camera: Camera) -> NDArray[np.float64]:
    """Where pixels (N, 2) of `camera` lie in the images of `camera.pinhole()`."""
    if not camera.is_distorted or not len(pixels):
        return pixels
    undistort = (
        cv2.fisheye.undistortPoints
        if camera.distortion_model == "equidistant"
        else cv2.undistortPoints
    )
    k, d = camera.matrix, np.array(camera.distortion)
    return np.asarray(undistort(pixels[:, None], k, d, P=k), dtype=np.float64).reshape(-1, 2)
