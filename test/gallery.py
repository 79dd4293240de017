"""A small rendered room with photographs on its walls, and a map of it that is made in seconds."""

from __future__ import annotations

import cv2
import numpy as np
from rendered_frames import rendered_frame
from scipy.spatial.transform import Rotation

from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.geometry.se3 import rigid
from dense_reloc_ros.mapping.sources.source_frame import SourceFrame
from dense_reloc_ros.rendering.photographs import photograph
from dense_reloc_ros.rendering.raycaster import Raycaster, Rendering
from dense_reloc_ros.rendering.room import Box, Room, Surface, Walkway

CAMERA = Camera(320, 240, 260.0, 260.0, 159.5, 119.5)
LENGTH, WIDTH, HEIGHT = 4.4, 4.0, 2.4
TEXELS_PER_METRE = 220
KEYFRAME_YAWS = range(0, 360, 30)
OPTICAL = np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
"""Rotation of the optical frame in a body with x forward, y left, z up."""


def looking(
    yaw: float, distance: float = 0.5, height: float = 1.2, pitch: float = 5.0
) -> np.ndarray:
    """T_map_camera (4, 4) of a camera that stands `distance` metres behind the room's middle.

    Angles are in degrees.
    """
    direction = np.array([np.cos(np.radians(yaw)), np.sin(np.radians(yaw))])
    body = Rotation.from_euler("ZY", [yaw, pitch], degrees=True).as_matrix()
    return rigid(body @ OPTICAL, np.array([*(-distance * direction), height]))


def rolled(degrees: float, T_map_camera: np.ndarray) -> np.ndarray:
    """The pose (4, 4) of a camera turned about its optical axis."""
    turn = Rotation.from_euler("z", degrees, degrees=True).as_matrix()
    return T_map_camera @ rigid(turn, np.zeros(3))


class Gallery:
    """The room; renders what cameras see of it."""

    def __init__(self) -> None:
        walls = (
            _wall("left", LENGTH, 0, ("astronaut", "coffee"), WIDTH),
            _wall("right", -LENGTH, 0, ("motorcycle", "chelsea"), WIDTH),
            _wall("front", 0, WIDTH, ("rocket", "immunohistochemistry"), LENGTH),
            _wall("back", 0, -WIDTH, ("coins", "camera"), LENGTH),
        )
        floor = Box(np.eye(4), (LENGTH, WIDTH, 0)).face("top", _texture(("brick",), LENGTH, WIDTH))
        size = (LENGTH, WIDTH, HEIGHT)
        room = Room(size, (*walls, floor), (), (), np.ones(3), Walkway((1, 1), (2, 2)))
        self._raycaster = Raycaster(room)

    def render(self, T_map_camera: np.ndarray) -> Rendering:
        return self.render_with(CAMERA, T_map_camera)

    def render_with(self, camera: Camera, T_map_camera: np.ndarray) -> Rendering:
        return self._raycaster.render(camera, T_map_camera)

    def keyframes(self) -> list[SourceFrame]:
        """Once around."""
        return [rendered_frame(self._raycaster, CAMERA, yaw, looking(yaw)) for yaw in KEYFRAME_YAWS]


def _wall(face: str, x: float, y: float, pictures: tuple[str, ...], length: float) -> Surface:
    """A wall as seen from inside: the side of a box of the room's size that stands beside it."""
    beside = rigid(np.eye(3), np.array([x, y, 0.0]))
    return Box(beside, (LENGTH, WIDTH, HEIGHT)).face(face, _texture(pictures, length, HEIGHT))


def _texture(pictures: tuple[str, ...], width: float, height: float) -> np.ndarray:
    size = (int(width * TEXELS_PER_METRE / len(pictures)), int(height * TEXELS_PER_METRE))
    return np.hstack(
        [cv2.resize(photograph(name), size, interpolation=cv2.INTER_AREA) for name in pictures]
    )
