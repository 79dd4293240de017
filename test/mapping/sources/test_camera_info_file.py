"""camera_info YAML files, good and bad."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dense_reloc_ros.errors import InputError
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.mapping.sources.camera_info_file import load_camera_info

GOOD = """
image_width: 640
image_height: 480
camera_name: kinect_rgb
camera_matrix: {rows: 3, cols: 3, data: [525.5, 0, 320, 0, 524.5, 240, 0, 0, 1]}
distortion_model: plumb_bob
distortion_coefficients: {rows: 1, cols: 5, data: [0.1, -0.2, 0.001, 0.002, 0.05]}
rectification_matrix: {rows: 3, cols: 3, data: [1, 0, 0, 0, 1, 0, 0, 0, 1]}
"""


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "camera.yaml"
    path.write_text(text)
    return path


def test_reads_matrix_and_distortion(tmp_path):
    camera = load_camera_info(write(tmp_path, GOOD))
    assert camera == Camera(
        640, 480, 525.5, 524.5, 320.0, 240.0, "plumb_bob", (0.1, -0.2, 0.001, 0.002, 0.05)
    )


def test_reads_what_camera_calibration_writes(tmp_path):
    # camera_calibration writes block style and, for a perfect lens, zeros.
    text = """
image_width: 4
image_height: 3
camera_name: narrow_stereo
camera_matrix:
  rows: 3
  cols: 3
  data: [ 5.,    0., 2.,
          0.,    5., 1.,
          0.,    0., 1.]
distortion_model: rational_polynomial
distortion_coefficients:
  rows: 1
  cols: 8
  data: [0, 0, 0, 0, 0, 0, 0, 0]
"""
    camera = load_camera_info(write(tmp_path, text))
    np.testing.assert_array_equal(camera.matrix, [[5, 0, 2], [0, 5, 1], [0, 0, 1]])
    assert not camera.is_distorted


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (GOOD.replace("image_width: 640", ""), "image_width: Field required"),
        (GOOD.replace("640", "0"), "0x480 is not positive"),
        (GOOD.replace("[525.5, 0, 320, 0, 524.5, 240, 0, 0, 1]", "[1, 2]"), "9 numbers, not 2"),
        (GOOD.replace("525.5", ".nan"), "not finite"),
        (GOOD.replace("plumb_bob", "magic"), "unknown distortion model 'magic'"),
        (GOOD.replace("[0.1, -0.2, 0.001, 0.002, 0.05]", "[1, 2]"), "2 coefficients"),
        ("a: [", "not YAML"),
        ("", "not a camera_info file"),
        ("- 1", "not a camera_info file"),
    ],
)
def test_bad_files_are_named_with_the_reason_on_one_line(tmp_path, text, reason):
    path = write(tmp_path, text)
    with pytest.raises(InputError) as caught:
        load_camera_info(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_and_binary_files_are_named(tmp_path):
    with pytest.raises(InputError, match=r"absent.yaml: No such file"):
        load_camera_info(tmp_path / "absent.yaml")
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(InputError, match=r"binary.yaml: not YAML"):
        load_camera_info(binary)
