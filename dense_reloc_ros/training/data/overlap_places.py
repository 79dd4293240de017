"""What NeurHal learns from: rendered rooms, and photographs in which a camera turns."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from numpy.random import Generator
from pydantic import Field
from scipy.spatial.transform import Rotation
from tqdm import tqdm

from dense_reloc_ros.geometry.arrays import FloatArray, RgbImage
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.geometry.se3 import rigid
from dense_reloc_ros.images.photometric import RandomCamera
from dense_reloc_ros.training.data.depth_frames import DepthFrame, load_depth_frame
from dense_reloc_ros.training.data.depth_source import Recording
from dense_reloc_ros.training.data.overlap_source import OverlapConfiguration, OverlapSource
from dense_reloc_ros.training.data.overlap_views import Frozen, OverlapViews, prepared_views
from dense_reloc_ros.training.data.photograph_library import PhotographLibrary
from dense_reloc_ros.training.data.rooms import RenderedRooms, room_recordings

PHOTOGRAPH_FOCAL = 0.9
"""Of photographs, over their longest side, where nothing is known: 58 degrees."""
VIEW_DEGREES = (30.0, 40.0)
"""Width of what a turning camera sees of a photograph."""
ROLL_DEGREES = 8.0
"""Standard deviation."""
ATTEMPTS = 40
"""To find a view that lies inside of its photograph."""


class OverlapRoomsConfiguration(OverlapConfiguration, RenderedRooms):
    """Pairs of views of rendered rooms; each view is exposed once as a source, once as a target."""

    kind: Literal["overlap_rooms"] = "overlap_rooms"
    anywhere: bool = Field(True, description="As of rooms; the walks overlap more")
    mirrored: bool = Field(False, description="Each room once more as a mirror shows it")


class OverlapPhotographsConfiguration(OverlapConfiguration):
    """Pairs of views from one point: a photograph as a turning camera sees it."""

    kind: Literal["overlap_photographs"] = "overlap_photographs"
    folders: tuple[Path, ...] = Field((), description="Folders of photographs, with subfolders")
    pictures: tuple[str, ...] = Field((), description="Names of pictures in scikit-image")
    cache: Path = Field(description="Folder for what is computed of them; made on first use")
    views: int = Field(12, ge=2, description="Views of a photograph")


def overlap_source(
    configuration: OverlapRoomsConfiguration | OverlapPhotographsConfiguration,
    size: tuple[int, int],
    points: int,
    frozen: tuple[str, Frozen] | None = None,
) -> OverlapSource:
    """Pairs of `size` (height, width) with `points` points.

    What the part of a network gives that does not learn is kept in the cache instead of images;
    it comes after a name that changes with its weights.

    Raises:
        InputError: a cache that cannot be used, photographs that cannot be read, or no pair.
    """
    c = configuration
    of_exposure = hashlib.sha256(c.photometric.model_dump_json().encode()).hexdigest()[:8]
    kept, describe = frozen or ("images", None)
    name = f"views-{size[0]}x{size[1]}-{kept}-{of_exposure}"
    camera = RandomCamera(c.photometric)
    places: list[OverlapViews] = []
    if isinstance(c, OverlapRoomsConfiguration):
        for recording in tqdm(room_recordings(c), desc="rooms", disable=None):
            for mirrored in (False, True)[: 1 + c.mirrored]:
                places.append(_room(recording, name, camera, size, describe, mirrored))
    else:
        library = PhotographLibrary(c.folders, c.pictures)
        for index in tqdm(range(len(library)), desc="photographs", disable=None):
            places.append(_photograph(library, index, c, name, camera, size, describe))
    return OverlapSource(places, c, points)


def _room(
    recording: Recording,
    name: str,
    camera: RandomCamera,
    size: tuple[int, int],
    frozen: Frozen | None,
    mirrored: bool,
) -> OverlapViews:
    """A room's frames in good light as sources, and in its other light, badly exposed."""

    def exposures(image: RgbImage, index: int) -> list[RgbImage]:
        rng = np.random.default_rng([index, 8, mirrored])
        other = recording.relit[index].load_undistorted()
        other = other[:, ::-1] if mirrored else other
        other = np.asarray(cv2.resize(other, image.shape[1::-1], interpolation=cv2.INTER_AREA))
        return [camera.expose_source(image, rng), camera.expose_target(other, rng).image]

    def frames() -> list[DepthFrame]:
        loaded = [load_depth_frame(frame) for frame in recording.frames]
        return [mirror_image(frame) for frame in loaded] if mirrored else loaded

    folder = Path(recording.name) / (name + "-mirrored" * mirrored)
    return prepared_views(folder, frames, exposures, size, frozen)


def mirror_image(frame: DepthFrame) -> DepthFrame:
    """A frame of the world with its x axis reversed, by a camera with its own reversed as well."""
    camera = frame.camera
    flip = np.diag([-1.0, 1.0, 1.0, 1.0])
    return DepthFrame(
        np.ascontiguousarray(frame.image[:, ::-1]),
        np.ascontiguousarray(frame.depth[:, ::-1]),
        np.ascontiguousarray(frame.reliable[:, ::-1]),
        replace(camera, cx=camera.width - 1 - camera.cx),
        flip @ frame.T_map_camera @ flip,
    )


def _photograph(
    library: PhotographLibrary,
    index: int,
    configuration: OverlapPhotographsConfiguration,
    name: str,
    camera: RandomCamera,
    size: tuple[int, int],
    frozen: Frozen | None,
) -> OverlapViews:
    key = hashlib.sha256(library.name(index).encode()).hexdigest()[:16]
    folder = configuration.cache / f"photograph-{key}" / f"{name}-{configuration.views}"

    def exposures(image: RgbImage, number: int) -> list[RgbImage]:
        rng = np.random.default_rng([number, index, 8])
        return [camera.expose_source(image, rng), camera.expose_target(image, rng).image]

    def frames() -> list[DepthFrame]:
        rng = np.random.default_rng([index, 9])
        return turned_views(library.pyramid(index)[0], configuration.views, size, rng)

    return prepared_views(folder, frames, exposures, size, frozen)


def turned_views(
    photograph: RgbImage, count: int, size: tuple[int, int], rng: Generator
) -> list[DepthFrame]:
    """What a camera sees of a photograph that turns where it was taken; up to `count` views.

    Nothing is known of distances, which do not matter then: all are 1. Views that would show what
    lies beyond the photograph's borders are drawn again, and left out in the end.
    """
    height, width = photograph.shape[:2]
    focal = PHOTOGRAPH_FOCAL * max(height, width)
    whole = Camera(width, height, focal, focal, (width - 1) / 2, (height - 1) / 2)
    lens = np.tan(np.radians(rng.uniform(*VIEW_DEGREES)) / 2)
    view_focal = size[1] / 2 / lens
    view = Camera(size[1], size[0], view_focal, view_focal, (size[1] - 1) / 2, (size[0] - 1) / 2)
    reduced, scale = _reduced(photograph, view_focal / focal)
    shrink = np.array([[scale, 0, (scale - 1) / 2], [0, scale, (scale - 1) / 2], [0, 0, 1]])
    rays = np.stack(np.meshgrid(np.arange(size[1]), np.arange(size[0])), axis=-1)
    rays = (rays - (view.cx, view.cy)) / view_focal
    depth = (1 / np.sqrt(1 + (rays**2).sum(axis=-1))).astype(np.float32)
    frames: list[DepthFrame] = []
    for _ in range(count * ATTEMPTS):
        if len(frames) == count:
            break
        R = _random_turn(whole, rng)
        # From pixels of the view to those of the photograph.
        H = whole.matrix @ R @ np.linalg.inv(view.matrix)
        if not _inside(H, view, whole):
            continue
        image = cv2.warpPerspective(
            reduced, shrink @ H, size[::-1], flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        )
        pose = rigid(R, np.zeros(3))
        frames.append(DepthFrame(np.asarray(image, np.uint8), depth, depth > 0, view, pose))
    return frames


def _reduced(photograph: RgbImage, scale: float) -> tuple[RgbImage, float]:
    """A photograph made as much smaller as its views are, so that these do not alias."""
    scale = min(1.0, 1.3 * scale)
    width = round(scale * photograph.shape[1])
    scale = width / photograph.shape[1]
    reduced = cv2.resize(photograph, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.asarray(reduced, dtype=np.uint8), scale


def _random_turn(whole: Camera, rng: Generator) -> FloatArray:
    """A rotation (3, 3) of the view in the photograph's camera, towards one of its pixels."""
    x = (rng.uniform(0, whole.width) - whole.cx) / whole.fx
    y = (rng.uniform(0, whole.height) - whole.cy) / whole.fy
    yaw, pitch, roll = np.arctan(x), -np.arctan(y), np.radians(rng.normal(0, ROLL_DEGREES))
    return np.asarray(Rotation.from_euler("YXZ", [yaw, pitch, roll]).as_matrix())


def _inside(H: FloatArray, view: Camera, whole: Camera) -> bool:
    right, bottom = view.width - 1, view.height - 1
    corners = np.array([[0, 0, 1], [right, 0, 1], [0, bottom, 1], [right, bottom, 1]]) @ H.T
    if (corners[:, 2] <= 0).any():
        return False
    pixels = corners[:, :2] / corners[:, 2:]
    return bool((pixels >= 0).all() and (pixels <= (whole.width - 1, whole.height - 1)).all())
