"""The ten lines of the Python tutorial, run as a user would."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from gallery import CAMERA, Gallery, looking

from dense_reloc_ros.geometry.se3 import pose_error
from dense_reloc_ros.scene.scene_map import SceneMap
from dense_reloc_ros.scene.writer import write_map

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "localize_one_image.py"
TRUTH = looking(110, distance=0.3, height=1.3, pitch=2.0)


@pytest.fixture(scope="module")
def folder(
    gallery: Gallery, gallery_map: SceneMap, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A map, an image of the mapped room, a black one, and the intrinsics."""
    path = tmp_path_factory.mktemp("example")
    write_map(path / "map", gallery_map)
    image = gallery.render(TRUTH).image
    cv2.imwrite(str(path / "image.png"), image[..., ::-1])
    cv2.imwrite(str(path / "black.png"), np.zeros_like(image))
    intrinsics = {
        "image_width": CAMERA.width,
        "image_height": CAMERA.height,
        "camera_matrix": {"rows": 3, "cols": 3, "data": CAMERA.matrix.ravel().tolist()},
        "distortion_model": "plumb_bob",
        "distortion_coefficients": {"rows": 1, "cols": 5, "data": [0.0] * 5},
    }
    (path / "camera_info.yaml").write_text(yaml.safe_dump(intrinsics))
    return path


def run(folder: Path, image: str) -> str:
    arguments = [folder / "map", folder / image, folder / "camera_info.yaml"]
    done = subprocess.run(
        [sys.executable, EXAMPLE, *arguments], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_prints_the_pose_of_an_image(folder: Path) -> None:
    status, _, matrix = run(folder, "image.png").partition("\n")
    assert status.startswith("Status.LOCALIZED, score 0.")
    pose = np.array(matrix.replace("[", "").replace("]", "").split(), float).reshape(4, 4)
    error = pose_error(pose, TRUTH)
    assert error.translation < 0.06
    assert np.degrees(error.rotation) < 1.5


def test_it_prints_the_reason_for_an_image_without_a_pose(folder: Path) -> None:
    assert "LOCALIZED" not in run(folder, "black.png")


def test_the_tutorial_calls_it_ten_lines_rightly() -> None:
    body = EXAMPLE.read_text().rpartition("import load_camera_info\n")[2]
    assert len([line for line in body.splitlines() if line.strip()]) <= 10
