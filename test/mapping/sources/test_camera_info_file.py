"""camera_info YAML files, good and bad."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from fuzzing import mangled
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

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


EXPECTED = Camera(
    640, 480, 525.5, 524.5, 320.0, 240.0, "plumb_bob", (0.1, -0.2, 0.001, 0.002, 0.05)
)
ECHOED = """
header:
  stamp: {sec: 5, nanosec: 1}
  frame_id: camera
height: 480
width: 640
distortion_model: plumb_bob
d: [0.1, -0.2, 0.001, 0.002, 0.05]
k: [525.5, 0.0, 320.0, 0.0, 524.5, 240.0, 0.0, 0.0, 1.0]
r: [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]
p: [500.0, 0.0, 321.0, 0.0, 0.0, 501.0, 241.0, 0.0, 0.0, 0.0, 1.0, 0.0]
binning_x: 0
binning_y: 0
roi: {x_offset: 0, y_offset: 0, height: 0, width: 0, do_rectify: false}
---
"""
OPENCV = """%YAML:1.0
---
calibration_time: "Thu Nov 26 20:00:00 2026"
image_width: 640
image_height: 480
flags: 0
camera_matrix: !!opencv-matrix
   rows: 3
   cols: 3
   dt: d
   data: [ 525.5, 0., 320., 0., 524.5, 240., 0., 0., 1. ]
distortion_coefficients: !!opencv-matrix
   rows: 5
   cols: 1
   dt: d
   data: [ 0.1, -0.2, 0.001, 0.002, 0.05 ]
"""
KALIBR = """
cam0:
  camera_model: pinhole
  distortion_coeffs: [0.1, -0.2, 0.001, 0.002]
  distortion_model: radtan
  intrinsics: [525.5, 524.5, 320.0, 240.0]
  resolution: [640, 480]
  rostopic: /cam0/image_raw
"""


@pytest.mark.parametrize(
    "text",
    [ECHOED, OPENCV, ECHOED.replace("\nd:", "\nD:").replace("\nk:", "\nK:")],
    ids=["ros2 topic echo", "OpenCV", "rostopic echo"],
)
def test_what_other_tools_write_is_read(tmp_path, text):
    assert load_camera_info(write(tmp_path, text)) == EXPECTED


def test_what_kalibr_writes_is_read(tmp_path):
    expected = replace(EXPECTED, distortion=(0.1, -0.2, 0.001, 0.002))
    assert load_camera_info(write(tmp_path, KALIBR)) == expected


def test_opencv_writes_what_is_read(tmp_path):
    path = tmp_path / "camera.yml"
    file = cv2.FileStorage(str(path), cv2.FILE_STORAGE_WRITE)
    file.write("image_width", 640)
    file.write("image_height", 480)
    file.write("camera_matrix", EXPECTED.matrix)
    file.write("dist_coeffs", np.array(EXPECTED.distortion))
    file.release()
    assert load_camera_info(path) == EXPECTED


def test_the_first_calibrated_message_counts(tmp_path):
    zeros = "k: [" + ", ".join(["0.0"] * 9) + "]"
    uncalibrated = "\n".join(zeros if x.startswith("k:") else x for x in ECHOED.splitlines())
    assert load_camera_info(write(tmp_path, uncalibrated + ECHOED)) == EXPECTED
    with pytest.raises(InputError, match="uncalibrated"):
        load_camera_info(write(tmp_path, uncalibrated))


def test_rectified_images_have_the_projection_of_the_file(tmp_path):
    path = write(tmp_path, ECHOED)
    assert load_camera_info(path, rectified=True) == Camera(640, 480, 500.0, 501.0, 321.0, 241.0)


@given(st.one_of(st.binary(max_size=200), st.text(max_size=200).map(str.encode), mangled(GOOD)))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_file_is_a_camera_or_one_line(tmp_path, content):
    path = tmp_path / "fuzzed.yaml"
    path.write_bytes(content)
    try:
        assert load_camera_info(path).width > 0
    except InputError as error:
        assert str(error).startswith(f"{path}: ") and "\n" not in str(error)


def test_nothing_in_a_file_is_executed(tmp_path):
    witness = tmp_path / "witness"
    call = f"image_width: !!python/object/apply:os.system ['touch {witness}']"
    with pytest.raises(InputError, match="not YAML"):
        load_camera_info(write(tmp_path, GOOD.replace("image_width: 640", call)))
    assert not witness.exists()


@pytest.mark.parametrize("content", ["", "- 1\n- 2\n", "just words", "---\n---\n"])
def test_files_without_named_values_are_said_to_be_no_camera_info(tmp_path, content):
    path = tmp_path / "camera.yaml"
    path.write_text(content)
    with pytest.raises(InputError, match=r"camera.yaml: not a camera_info file: there are no nam"):
        load_camera_info(path)
