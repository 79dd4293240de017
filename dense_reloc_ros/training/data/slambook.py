"""RGB-D folders as slambook2's, put into the project's conventions.

`color/N.png`, `depth/N.png` (16 bit) from N = 1 up, `pose.txt` (line N: tx ty tz qx qy qz qw,
camera to world) and `intrinsics.json` (fx, fy, cx, cy, width, height, depth_scale).
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ValidationError

from dense_reloc_ros.errors import InputError
from dense_reloc_ros.geometry.arrays import DepthImage, FloatArray
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.geometry.se3 import from_quaternion
from dense_reloc_ros.images.image_file import read_depth, read_rgb
from dense_reloc_ros.mapping.sources.source_frame import SourceFrame

INTRINSICS_FILE = "intrinsics.json"
Y_UP = np.diag([1.0, -1.0, 1.0, 1.0])


class _Intrinsics(BaseModel):
    fx: float
    fy: float
    cx: float
    cy: float
    width: int
    height: int
    depth_scale: float


def read_slambook(folder: Path) -> list[SourceFrame]:
    """The frames of a folder, in order.

    A negative fy says that y points up in the camera and in the world, which makes both
    left-handed: their y axes are turned down.

    Raises:
        InputError: files that are missing or not what they should be. Images are read, and
            complain, only when loaded.
    """
    path = folder / INTRINSICS_FILE
    try:
        values = _Intrinsics.model_validate_json(path.read_bytes())
        camera = Camera(
            values.width, values.height, values.fx, abs(values.fy), values.cx, values.cy
        )
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None
    except ValidationError as error:
        raise InputError(f"{path}: not intrinsics: {error.errors()[0]['msg']}") from None
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    poses = _read_poses(folder / "pose.txt")
    if values.fy < 0:
        poses = [Y_UP @ pose @ Y_UP for pose in poses]
    return [
        SourceFrame(
            name=f"{folder.name}/{number}",
            timestamp=float(number),
            camera=camera,
            T_map_camera=pose,
            read_image=partial(read_rgb, folder / "color" / f"{number}.png"),
            read_depth=partial(_read_depth, folder / "depth" / f"{number}.png", values.depth_scale),
        )
        for number, pose in enumerate(poses, start=1)
    ]


def _read_poses(path: Path) -> list[FloatArray]:
    try:
        lines = np.array(path.read_text().split(), dtype=np.float64).reshape(-1, 7)
        return [from_quaternion(line[:3], line[3:]) for line in lines]
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None
    except (ValueError, InputError) as error:
        raise InputError(f"{path}: not poses: {error}") from None


def _read_depth(path: Path, depth_scale: float) -> DepthImage:
    return read_depth(path, depth_scale)
