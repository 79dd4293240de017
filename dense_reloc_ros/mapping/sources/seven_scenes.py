"""Frames in the layout of the 7-Scenes dataset (Shotton et al., CVPR 2013)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from dense_reloc_ros.errors import InputError
from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.geometry.se3 import checked_rigid
from dense_reloc_ros.images.image_file import MILLIMETRES, depth_scale_of_file, read_depth, read_rgb
from dense_reloc_ros.mapping.sources.source_frame import SourceFrame
from dense_reloc_ros.sieve import Sieve

FRAMES_PER_SECOND = 30.0
_FILE = re.compile(r"(frame-(\d{6}))\.(color\.jpg|color\.png|depth\.tiff?|depth\.png|pose\.txt)")


def read_seven_scenes(
    folder: Path, camera: Camera, depth_scale: float | None = None
) -> list[SourceFrame]:
    """The frames of a folder in the order of their numbers; frame i was taken at i / 30 s.

    A frame is `frame-XXXXXX.color.jpg` or `.png` (the PNG where both exist), optionally with
    `.pose.txt` (4x4, camera to map) and `.depth.png` or `.tif` (registered to the colour image; 16
    bit with `depth_scale` values per metre, None: millimetres, 0 or 65535 = unknown; or 32 bit
    floating point, None: metres).

    Poses that are no rigid motions are left out with a warning.

    Raises:
        InputError: no such folder, no images in it, or most poses cannot be used. Images are read,
            and complain, only when loaded, also where they are missing beside a pose.
    """
    try:
        names = sorted(entry.name for entry in folder.iterdir())
    except OSError as error:
        raise InputError(f"{folder}: {error.strerror}") from None
    files: dict[str, dict[str, Path]] = {}
    for match in filter(None, map(_FILE.fullmatch, names)):
        kind = match[3].split(".")[0]
        files.setdefault(match[1], {})[kind] = folder / match[0]
    if not any("color" in kinds for kinds in files.values()):
        raise InputError(f"{folder}: no images frame-XXXXXX.color.jpg or .png")
    sieve = Sieve(str(folder))
    frames = [
        _frame(name, folder, files[name], camera, sieve, depth_scale) for name in sorted(files)
    ]
    sieve.close()
    return frames


def default_depth_scale(frames: Sequence[SourceFrame]) -> float:
    """Values per metre that the first depth image of frames is taken to have."""
    readers = [frame.read_depth for frame in frames if isinstance(frame.read_depth, partial)]
    return depth_scale_of_file(readers[0].args[0]) if readers else MILLIMETRES


def _frame(
    name: str,
    folder: Path,
    files: dict[str, Path],
    camera: Camera,
    sieve: Sieve,
    depth_scale: float | None,
) -> SourceFrame:
    pose = files.get("pose")
    return SourceFrame(
        name=name,
        timestamp=int(name.removeprefix("frame-")) / FRAMES_PER_SECOND,
        camera=camera,
        T_map_camera=sieve.take(str(pose), partial(_read_pose, pose)) if pose else None,
        read_image=partial(read_rgb, files.get("color", folder / f"{name}.color.jpg")),
        read_depth=partial(read_depth, files["depth"], depth_scale) if "depth" in files else None,
    )


def _read_pose(path: Path) -> FloatArray:
    try:
        text = path.read_text(encoding="utf-8-sig").replace(",", " ")
        numbers = np.array(text.split(), dtype=np.float64)
        return checked_rigid(numbers.reshape(-1, 4))
    except OSError as error:
        raise InputError(f"not a pose: {error.strerror}") from None
    except (ValueError, InputError) as error:
        raise InputError(f"not a pose: {error}") from None
