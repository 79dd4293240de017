"""The example makes frames of what rtabmap-export writes (by its source at 5fad2d29)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
from scipy.spatial.transform import Rotation

from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.mapping.sources.seven_scenes import read_seven_scenes

EXAMPLE = Path(__file__).parents[2] / "examples" / "frames_of_rtabmap.py"
CAMERA = Camera(64, 48, 50.0, 50.0, 31.5, 23.5)
POSES = {12: (0.5, -1.0, 0.25, 30.0), 3: (1.0, 2.0, 3.0, -120.0)}
"""By the node: x, y, z and degrees about z."""


def write_export(folder: Path) -> None:
    lines = ["#timestamp x y z qx qy qz qw id"]
    for node, (x, y, z, degrees) in POSES.items():
        q = Rotation.from_euler("z", degrees, degrees=True).as_quat()
        lines.append(f"1700000000.25 {x} {y} {z} {q[0]} {q[1]} {q[2]} {q[3]} {node}")
        for kind, image in (
            ("rgb", np.full((48, 64, 3), node, np.uint8)),
            ("depth", np.full((48, 64), 1500, np.uint16)),
        ):
            file = folder / f"office_{kind}" / f"{node}.{'jpg' if kind == 'rgb' else 'png'}"
            file.parent.mkdir(exist_ok=True)
            cv2.imwrite(str(file), image)
    lines.append("1700000001.0 0 0 0 0 0 0 1 -7")  # a landmark
    (folder / "office_camera_poses.txt").write_text("\n".join(lines) + "\n")


def test_images_poses_and_depth_come_over_by_the_node(tmp_path):
    write_export(tmp_path)
    command = [sys.executable, str(EXAMPLE), str(tmp_path / "office"), str(tmp_path / "frames")]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert ": 2 frames" in said
    frames = {
        int(frame.name.split("-")[1]): frame
        for frame in read_seven_scenes(tmp_path / "frames", CAMERA, None)
    }
    assert set(frames) == set(POSES)
    for node, (x, y, z, degrees) in POSES.items():
        pose = frames[node].known_pose()
        np.testing.assert_allclose(pose[:3, 3], [x, y, z])
        turned = Rotation.from_matrix(pose[:3, :3]).as_euler("xyz", degrees=True)
        np.testing.assert_allclose(turned, [0.0, 0.0, degrees], atol=1e-9)
        assert abs(int(frames[node].load_image()[20, 20, 0]) - node) <= 2
        assert np.allclose(frames[node].known_depth(), 1.5)
