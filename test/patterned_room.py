"""A small room whose walls look different everywhere, and cameras in it."""

from __future__ import annotations

import cv2
import numpy as np

from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.rendering.raycaster import Raycaster
from dense_reloc_ros.rendering.room import Box, Room, Walkway

CAMERA = Camera(320, 240, 260.0, 260.0, 159.5, 119.5)
SIZE = (6.0, 5.0, 3.0)


def patterned_room() -> Raycaster:
    """Four walls with random squares of several sizes."""
    rng = np.random.default_rng(0)
    walls = []
    # The back of a box that stands outside is the wall as seen from inside.
    for face, x, y in (("left", 6, 0), ("right", -6, 0), ("front", 0, 5), ("back", 0, -5)):
        octaves = [rng.uniform(0, 255, (3 * n, 4 * n, 3)) for n in (4, 13, 30)]
        sized = [cv2.resize(o, (800, 600), interpolation=cv2.INTER_NEAREST) for o in octaves]
        T_map_box = np.eye(4)
        T_map_box[:2, 3] = x, y
        walls.append(Box(T_map_box, SIZE).face(face, np.mean(sized, axis=0).astype(np.uint8)))
    return Raycaster(Room(SIZE, tuple(walls), (), (), np.ones(3), Walkway((1, 1), (2, 2))))


def camera_pose(x: float, y: float, yaw: float) -> np.ndarray:
    """Level, 1.5 m above the floor, looking along `yaw` radians from x."""
    cos, sin = np.cos(yaw), np.sin(yaw)
    pose = np.eye(4)
    pose[:3, :3] = [[sin, 0, cos], [-cos, 0, sin], [0, -1, 0]]
    pose[:3, 3] = x, y, 1.5
    return pose
