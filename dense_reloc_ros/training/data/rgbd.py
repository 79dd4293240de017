"""Training data of RGB-D recordings: the layouts of 7-Scenes and of slambook2."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from dense_reloc_ros.mapping.sources.camera_info_file import load_camera_info
from dense_reloc_ros.mapping.sources.seven_scenes import read_seven_scenes
from dense_reloc_ros.mapping.sources.source_frame import SourceFrame
from dense_reloc_ros.training.data.depth_source import DepthDataConfiguration, Recording
from dense_reloc_ros.training.data.slambook import INTRINSICS_FILE, read_slambook


class RgbdConfiguration(DepthDataConfiguration):
    """Recordings with depth and poses; a place is a folder."""

    kind: Literal["rgbd"] = "rgbd"
    folders: tuple[Path, ...] = Field(
        min_length=1, description="Folders laid out as those of 7-Scenes or of slambook2"
    )
    camera_info: Path | None = Field(
        None, description="Camera of 7-Scenes folders; unset: `camera_info.yaml` in each"
    )
    every: int = Field(1, ge=1, description="Every n-th frame is used")


def rgbd_recordings(configuration: RgbdConfiguration) -> list[Recording]:
    """The recordings, one of each folder.

    Raises:
        InputError: folders in neither layout.
    """
    return [
        Recording(str(folder), _read(folder, configuration.camera_info)[:: configuration.every])
        for folder in configuration.folders
    ]


def _read(folder: Path, camera_info: Path | None) -> list[SourceFrame]:
    if (folder / INTRINSICS_FILE).is_file():
        return read_slambook(folder)
    return read_seven_scenes(folder, load_camera_info(camera_info or folder / "camera_info.yaml"))
