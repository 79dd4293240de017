"""A small recording in the layout of 7-Scenes."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.geometry.se3 import rigid


@pytest.fixture
def camera() -> Camera:
    return Camera(64, 48, 50.0, 51.0, 31.5, 23.5, "plumb_bob", (0.1, -0.05, 0.001, 0.002, 0.0))


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Five frames, 30 a second, of 64x48 pixels."""
    folder = tmp_path / "recording"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for index in range(5):
        image = rng.integers(0, 255, (48, 64, 3), dtype=np.uint8)
        depth = rng.integers(0, 5000, (48, 64), dtype=np.uint16)
        pose = rigid(Rotation.random(random_state=index).as_matrix(), np.array([index, 2.0, 3.0]))
        cv2.imwrite(str(folder / f"frame-{index:06d}.color.jpg"), image)
        cv2.imwrite(str(folder / f"frame-{index:06d}.depth.png"), depth)
        np.savetxt(folder / f"frame-{index:06d}.pose.txt", pose)
    return folder
