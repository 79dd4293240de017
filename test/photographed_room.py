"""The patterned room as a multiview folder: images and a COLMAP model in any unit of length."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from patterned_room import CAMERA, camera_pose, patterned_room
from PIL import Image
from scipy.spatial.transform import Rotation

from dense_reloc_ros.geometry.se3 import inverse
from dense_reloc_ros.mapping.keypoints import detect_corners, lift

CORNERS = 120
"""Of each image, which become points of the model."""


def write_scenes(folder: Path, unit: float = 1.0, images: int = 9) -> None:
    """Writes the scenes `room` (test) and, without any files, `elsewhere` (train).

    Lengths are `unit` times those in metres.
    """
    scenes = [{"scene": "room", "split": "test"}, {"scene": "elsewhere", "split": "train"}]
    (folder / "room/images").mkdir(parents=True)
    (folder / "room/sparse").mkdir()
    (folder / "scenes.json").write_text(json.dumps(scenes))
    raycaster = patterned_room()
    poses = [
        camera_pose(-1 + 0.25 * k, -0.5 + 0.1 * (k % 3), 0.8 + 0.08 * k) for k in range(images)
    ]
    views = [raycaster.render(CAMERA, pose) for pose in poses]
    everywhere = np.ones((CAMERA.height, CAMERA.width), bool)
    points = []
    for index, (view, pose) in enumerate(zip(views, poses, strict=True)):
        Image.fromarray(view.image).save(folder / f"room/images/{index:02d}.png")
        corners = detect_corners(view.image, everywhere, CORNERS)
        points.append(lift(corners, view.depth, CAMERA) @ pose[:3, :3].T + pose[:3, 3])
    _write_model(folder / "room/sparse", np.concatenate(points), poses, views, unit)


def _write_model(folder: Path, points: np.ndarray, poses, views, unit: float) -> None:
    tracks: list[list[str]] = [[] for _ in points]
    lines = []
    for index, (pose, view) in enumerate(zip(poses, views, strict=True)):
        keypoints = []
        for number, pixel in _seen(points, pose, view.depth):
            tracks[number].append(f"{index + 1} {len(keypoints)}")
            keypoints.append(f"{pixel[0] + 0.5} {pixel[1] + 0.5} {number + 1}")
        T_camera_map = inverse(pose)
        x, y, z, w = Rotation.from_matrix(T_camera_map[:3, :3]).as_quat()
        numbers = " ".join(map(str, [w, x, y, z, *(unit * T_camera_map[:3, 3])]))
        lines += [f"{index + 1} {numbers} 1 {index:02d}.png", " ".join(keypoints)]
    (folder / "images.txt").write_text("\n".join(lines) + "\n")
    centre = f"{CAMERA.cx + 0.5} {CAMERA.cy + 0.5}"
    size = f"{CAMERA.width} {CAMERA.height}"
    (folder / "cameras.txt").write_text(f"1 PINHOLE {size} {CAMERA.fx} {CAMERA.fy} {centre}\n")
    rows = [
        f"{number + 1} {' '.join(map(str, unit * point))} 0 0 0 0.1 {' '.join(track)}"
        for number, (point, track) in enumerate(zip(points, tracks, strict=True))
    ]
    (folder / "points3D.txt").write_text("\n".join(rows) + "\n")


def _seen(points: np.ndarray, pose: np.ndarray, depth: np.ndarray):
    """The points that a camera sees, and where."""
    local = (points - pose[:3, 3]) @ pose[:3, :3]
    for number, (x, y, z) in enumerate(local):
        if z <= 0.1:
            continue
        pixel = np.array([CAMERA.fx * x / z + CAMERA.cx, CAMERA.fy * y / z + CAMERA.cy])
        column, row = np.rint(pixel).astype(int)
        if not (0 <= column < CAMERA.width and 0 <= row < CAMERA.height):
            continue
        if abs(depth[row, column] - z) < 0.02 * z:
            yield number, pixel
