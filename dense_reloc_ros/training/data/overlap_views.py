"""Views of one place with all their overlaps, computed once and kept in files beside each other."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dense_reloc_ros.errors import InputError
from dense_reloc_ros.features.extractor import image_to_tensor
from dense_reloc_ros.geometry.arrays import FloatArray, RgbImage
from dense_reloc_ros.geometry.se3 import inverse, transformed
from dense_reloc_ros.training.data.crops import Crop
from dense_reloc_ros.training.data.depth_frames import (
    NEAREST,
    DepthFrame,
    check_depth,
    thinned,
)
from dense_reloc_ros.training.data.scene_source import resampled_depth

Frozen = Callable[[Tensor], Tensor]
"""What does not learn of a network: images (B, 3, H, W) to what it keeps of them."""
OVERLAP_GRID = 16
"""Columns of the points that overlaps are counted among; C.3.2 counts keypoints."""
OVERLAP_STEP = 2
"""Rows and columns from one that is asked whether it sees a point to the next."""
FIELDS = ("inputs", "depth", "T_map_camera", "intrinsics", "overlaps")


@dataclass(frozen=True)
class OverlapViews:
    """F views of a place, brought to the network's size, each in several exposures."""

    inputs: NDArray[Any]
    """(E, F, H, W, 3) uint8 images, or float16 (E, F, C, h, w) of a network's frozen part."""
    depth: NDArray[np.float16]
    """(F, H, W), in the unit of the poses; 0 where it is unknown or not reliable."""
    T_map_camera: FloatArray
    """(F, 4, 4)."""
    intrinsics: FloatArray
    """(F, 4) fx, fy, cx, cy."""
    overlaps: FloatArray
    """(F, F): the share of points of one that the other sees, the lesser of both ways."""

    def input(self, exposure: int, view: int) -> Tensor:
        """What the network begins with, of one view."""
        found = np.array(self.inputs[exposure, view])
        if found.dtype == np.uint8:
            return image_to_tensor(found)[0]
        return torch.from_numpy(found.astype(np.float32))


def prepared_views(
    folder: Path,
    frames: Callable[[], Sequence[DepthFrame]],
    exposures: Callable[[RgbImage, int], Sequence[RgbImage]],
    size: tuple[int, int],
    frozen: Frozen | None,
) -> OverlapViews:
    """The views in a folder; made of the frames first, where it is not there yet.

    `exposures` gives E images of a frame's image, of that size, and its index.

    Raises:
        InputError: the folder cannot be written to, or what is in it cannot be read.
    """
    if not folder.is_dir():
        _write(folder, views_of(frames(), exposures, size, frozen))
    try:
        # The inputs are large: only what is asked for is read.
        arrays = [np.load(folder / f"{name}.npy", mmap_mode="r") for name in FIELDS]
    except (OSError, ValueError) as error:
        raise InputError(f"{folder}: cannot be read ({error}); delete it to make it anew") from None
    return OverlapViews(*arrays[:2], *(np.array(array) for array in arrays[2:]))


def views_of(
    frames: Sequence[DepthFrame],
    exposures: Callable[[RgbImage, int], Sequence[RgbImage]],
    size: tuple[int, int],
    frozen: Frozen | None,
) -> OverlapViews:
    """The views in memory; as `prepared_views`."""
    inputs, depth, intrinsics = [], [], []
    for index, frame in enumerate(frames):
        crop = Crop(0, 0, frame.camera.width, frame.camera.height, size)
        images = exposures(crop.image(frame.image), index)
        inputs.append(_inputs(images, frozen))
        depth.append(resampled_depth(frame, crop).astype(np.float16))
        intrinsics.append(crop.camera(frame.camera).intrinsics)
    return OverlapViews(
        np.stack(inputs, axis=1),
        np.stack(depth),
        np.stack([frame.T_map_camera for frame in frames]),
        np.stack(intrinsics),
        mutual_overlaps([thinned(frame, OVERLAP_STEP) for frame in frames]),
    )


def _inputs(images: Sequence[RgbImage], frozen: Frozen | None) -> NDArray[Any]:
    if frozen is None:
        return np.stack(images)
    values = frozen(torch.cat([image_to_tensor(image) for image in images]))
    return values.cpu().numpy().astype(np.float16)


def _write(folder: Path, views: OverlapViews) -> None:
    """The folder's name appears only once it is whole."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=".views-", dir=folder.parent))
        for name in FIELDS:
            np.save(part / f"{name}.npy", getattr(views, name))
        os.rename(part, folder)  # noqa: PTH104
    except OSError as error:
        if not folder.is_dir():
            raise InputError(f"{folder}: cannot be written: {error}") from None
        shutil.rmtree(part, ignore_errors=True)


def mutual_overlaps(frames: Sequence[DepthFrame], tolerance: float = 0.05) -> FloatArray:
    """(F, F): the lesser share of one frame's points that the other sees, by C.3.2."""
    one_way = np.zeros((len(frames), len(frames)))
    for i, source in enumerate(frames):
        points = transformed(source.T_map_camera, _grid_points(source))
        for j, target in enumerate(frames):
            in_target = transformed(inverse(target.T_map_camera), points)
            in_target = in_target[in_target[:, 2] > NEAREST]
            seen, _ = check_depth(in_target, target, tolerance)
            one_way[i, j] = np.count_nonzero(seen) / max(1, len(points))
    return np.minimum(one_way, one_way.T)


def _grid_points(frame: DepthFrame) -> FloatArray:
    """Points (N, 3) with reliable depth on a regular grid, in the camera."""
    step = frame.camera.width / OVERLAP_GRID
    columns = np.arange(step / 2, frame.camera.width, step).astype(np.int64)
    rows = np.arange(step / 2, frame.camera.height, step).astype(np.int64)
    y, x = (axis.ravel() for axis in np.meshgrid(rows, columns, indexing="ij"))
    y, x = y[frame.reliable[y, x]], x[frame.reliable[y, x]]
    pixels = np.stack([x, y], axis=1).astype(np.float64)
    return np.asarray(frame.camera.lift(pixels, frame.depth[y, x].astype(np.float64)))
