"""Training data of rendered rooms, each in its own light and in another, kept on disk."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field
from tqdm import tqdm

from dense_reloc_ros.errors import InputError
from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.mapping.sources.camera_info_file import load_camera_info
from dense_reloc_ros.mapping.sources.seven_scenes import read_seven_scenes
from dense_reloc_ros.mapping.sources.source_frame import SourceFrame
from dense_reloc_ros.parameter_blocks import Block
from dense_reloc_ros.rendering.lighting import COARSE_LIGHT, FINE_LIGHT
from dense_reloc_ros.rendering.paths import mapping_motion, query_motion
from dense_reloc_ros.rendering.random_room import random_room, relit
from dense_reloc_ros.rendering.raycaster import Raycaster
from dense_reloc_ros.rendering.recording import CAMERA_INFO_FILE, write_mapping
from dense_reloc_ros.rendering.room import Walkway
from dense_reloc_ros.rendering.standpoints import random_lens, standpoints
from dense_reloc_ros.training.data.depth_source import DepthDataConfiguration, Recording

logger = logging.getLogger(__name__)

FOCAL_LENGTH = 0.82
"""Of the rendered cameras, relative to the image width: 63 degrees wide."""
QUERY_STEP = 6
"""Frames of the rendered walk at 15 Hz from one that is kept to the next."""
OWN_LIGHT, OTHER_LIGHT = "own", "other"
"""Folders in that of a room."""


class RenderedRooms(Block):
    """Which rooms are rendered, how, and where the frames are kept."""

    cache: Path = Field(description="Folder for the rendered frames; made on first use")
    rooms: int = Field(6, ge=1, description="Number of rooms")
    first_seed: int = Field(1000, ge=0, description="Seed of the first room; those after it follow")
    frames: int = Field(60, ge=4, description="Frames of a room")
    width: int = Field(640, ge=32, description="Width of the rendered frames in pixels")
    height: int = Field(480, ge=32, description="Height of the rendered frames in pixels")
    quick: bool = Field(
        False,
        description="In one light only, coarsely computed, which takes a third of the time; its "
        "frames stand for those in other light as well",
    )
    anywhere: bool = Field(
        False,
        description="Cameras stand and look anywhere, each room's with another lens, instead of "
        "walking around",
    )


class RoomsConfiguration(RenderedRooms, DepthDataConfiguration):
    """Rooms that the project renders itself; a place is a room."""

    kind: Literal["rooms"] = "rooms"
    tolerance: float = Field(
        0.01, gt=0, lt=1, description="Share by which depths of one point may differ"
    )


def room_recordings(configuration: RenderedRooms) -> list[Recording]:
    """The rooms, the mapping walk's frames before the visitor's; renders what is not there yet.

    Raises:
        InputError: a folder that cannot be written to, or files in it that are damaged.
    """
    seeds = range(configuration.first_seed, configuration.first_seed + configuration.rooms)
    return [_recording(configuration, seed) for seed in seeds]


def _recording(configuration: RenderedRooms, seed: int) -> Recording:
    c = configuration
    kind = "-anywhere" * c.anywhere + "-quick" * c.quick
    folder = c.cache / f"room-{seed:06d}-{c.frames}x{c.width}x{c.height}{kind}"
    if not folder.is_dir():
        _render(c, seed, folder)
    own = _read(folder / OWN_LIGHT)
    return Recording(str(folder), own, own if c.quick else _read(folder / OTHER_LIGHT))


def _read(folder: Path) -> list[SourceFrame]:
    return read_seven_scenes(folder, load_camera_info(folder / CAMERA_INFO_FILE))


def _render(configuration: RenderedRooms, seed: int, folder: Path) -> None:
    """Renders a room to a folder whose name appears only once it is whole."""
    logger.info("rendering %s", folder)
    c = configuration
    width, height = c.width, c.height
    room = random_room(seed)
    if c.anywhere:
        camera = random_lens(width, height, np.random.default_rng([seed, 7]))
        poses = standpoints(room.walkway, c.frames, seed)
    else:
        focal = FOCAL_LENGTH * width
        camera = Camera(width, height, focal, focal, (width - 1) / 2, (height - 1) / 2)
        poses = _poses(room.walkway, c.frames, seed)
    try:
        c.cache.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=".room-", dir=c.cache))
    except OSError as error:
        raise InputError(f"{c.cache}: cannot be written: {error}") from None
    try:
        rooms = {OWN_LIGHT: room} if c.quick else {OWN_LIGHT: room, OTHER_LIGHT: relit(room, seed)}
        light = COARSE_LIGHT if c.quick else FINE_LIGHT
        for name, lit in rooms.items():
            progress = tqdm(poses, desc=f"room {seed}, {name} light", disable=None)
            write_mapping(part / name, Raycaster(lit, light=light), camera, progress, seed)
        os.rename(part, folder)  # noqa: PTH104
    except OSError as error:
        # Another run may have rendered it meanwhile.
        if not folder.is_dir():
            raise InputError(f"{folder}: cannot be written: {error}") from None
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _poses(walkway: Walkway, count: int, seed: int) -> FloatArray:
    """T_map_camera (N, 4, 4): half of them from the mapping walk, half from the queries' way."""
    mapped = mapping_motion(walkway, count - count // 2, seed).T_map_camera
    visited = query_motion(walkway, QUERY_STEP * (count // 2), seed).T_map_camera[::QUERY_STEP]
    return np.concatenate([mapped, visited])
