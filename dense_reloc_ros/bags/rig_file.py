"""The further cameras on a robot beside the main one: a YAML file that `bag create` takes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field, StringConstraints, field_validator

from dense_reloc_ros.bags.topics import MAIN_CAMERA
from dense_reloc_ros.errors import ConfigurationError, InputError
from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.geometry.se3 import from_quaternion
from dense_reloc_ros.mapping.sources.camera_info_file import load_camera_info
from dense_reloc_ros.parameter_blocks import Block, load_block

CameraName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]
"""As a part of a topic's name."""


class MountedCamera(Block):
    """Where a camera's images are, and how it is mounted."""

    folder: Path
    """In the layout of 7-Scenes; relative paths begin beside the file."""
    camera_info: Path
    translation: tuple[float, float, float]
    """Metres, of its optical frame in that of the main camera."""
    rotation: tuple[float, float, float, float]
    """Quaternion x, y, z, w, likewise."""


class RigFile(Block):
    """The content of the file."""

    cameras: dict[CameraName, MountedCamera] = Field(min_length=1, max_length=5)

    @field_validator("cameras")
    @classmethod
    def _others(cls, cameras: dict[str, MountedCamera]) -> dict[str, MountedCamera]:
        if MAIN_CAMERA in cameras:
            raise ValueError(f"'{MAIN_CAMERA}' is the name of the main camera")
        return cameras


@dataclass(frozen=True)
class OtherCamera:
    """A further camera of a recording."""

    name: str
    folder: Path
    """Of its images, in the layout of 7-Scenes, numbered as those of the main camera."""
    camera: Camera
    T_main_camera: FloatArray
    """(4, 4) of its optical frame in that of the main camera."""


def load_rig(path: Path) -> list[OtherCamera]:
    """The cameras in a file, with their intrinsics.

    Raises:
        ConfigurationError: a file that cannot be read or is not valid, or a mount that is none.
        InputError: intrinsics that cannot be used.
    """
    others = []
    for name, one in load_block(RigFile, path).cameras.items():
        try:
            mount = from_quaternion(np.array(one.translation), np.array(one.rotation))
        except InputError as error:
            raise ConfigurationError(f"{path}: cameras.{name}: {error}") from None
        camera = load_camera_info(path.parent / one.camera_info)
        others.append(OtherCamera(name, path.parent / one.folder, camera, mount))
    return others
