"""What DSM's training data is made of: rendered rooms and RGB-D recordings."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from dense_reloc_ros.training.data.rgbd import RgbdConfiguration, rgbd_recordings
from dense_reloc_ros.training.data.rooms import RoomsConfiguration, room_recordings
from dense_reloc_ros.training.data.scene_source import (
    SceneImagesConfiguration,
    SceneRecording,
    SceneSource,
)


class RoomScenesConfiguration(RoomsConfiguration, SceneImagesConfiguration):
    """Queries and scene images from rooms that the project renders itself."""

    kind: Literal["room_scenes"] = "room_scenes"  # type: ignore[assignment]
    apart: bool = Field(
        False, description="Queries from the walk of a visitor, scene images from the mapping one"
    )


class RgbdScenesConfiguration(RgbdConfiguration, SceneImagesConfiguration):
    """Queries and scene images from the frames of RGB-D recordings."""

    kind: Literal["rgbd_scenes"] = "rgbd_scenes"  # type: ignore[assignment]


def create_scene_source(
    configuration: RoomScenesConfiguration | RgbdScenesConfiguration, size: tuple[int, int]
) -> SceneSource:
    """Queries and scene images of `size` (height, width).

    Raises:
        InputError: as `SceneSource`, or what the recordings raise.
    """
    c = configuration
    if isinstance(c, RoomScenesConfiguration):
        mapped = c.frames - c.frames // 2
        parts = (range(mapped, c.frames), range(mapped)) if c.apart else (range(c.frames),) * 2
        scenes = [SceneRecording(recording, *parts) for recording in room_recordings(c)]
    else:
        scenes = [
            SceneRecording(recording, *(range(len(recording.frames)),) * 2)
            for recording in rgbd_recordings(c)
        ]
    return SceneSource(scenes, c, size)
