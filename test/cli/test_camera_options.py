"""How the images of a folder are understood, and what is said about it."""

from __future__ import annotations

import logging
from argparse import Namespace
from pathlib import Path

import pytest
import yaml

from dense_reloc_ros.cli import camera_options
from dense_reloc_ros.cli.camera_options import camera_of_folder

K = [540.0, 0.0, 318.0, 0.0, 538.0, 243.0, 0.0, 0.0, 1.0]
P = [525.5, 0.0, 320.0, 0.0, 0.0, 525.5, 240.0, 0.0, 0.0, 0.0, 1.0, 0.0]


@pytest.fixture
def info(tmp_path: Path) -> Path:
    content = {
        "image_width": 640,
        "image_height": 480,
        "camera_matrix": {"rows": 3, "cols": 3, "data": K},
        "distortion_model": "plumb_bob",
        "distortion_coefficients": {"rows": 1, "cols": 5, "data": [0.12, -0.25, 0.001, 0.0, 0.08]},
        "projection_matrix": {"rows": 3, "cols": 4, "data": P},
    }
    path = tmp_path / "camera.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.mark.parametrize(
    ("folder", "choice", "focal", "said"),
    [
        ("query", "auto", 540.0, "K and D are taken; rectified ones need --rectified true"),
        ("image_rect", "auto", 525.5, "rectified images (by the name of the folder): P is taken"),
        ("query", "true", 525.5, "rectified images (as asked for): P is taken"),
        ("image_rect", "false", 540.0, ""),
    ],
)
def test_what_was_taken_is_told(tmp_path, caplog, info, folder, choice, focal, said):
    arguments = Namespace(camera_info=info, rectified=choice)
    with caplog.at_level(logging.INFO, logger=camera_options.logger.name):
        camera = camera_of_folder(arguments, tmp_path / folder)
    assert camera is not None
    assert camera.fx == focal
    assert camera.is_distorted is (focal == 540.0)
    assert said in caplog.text
    assert bool(caplog.records) is bool(said)
