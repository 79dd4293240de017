"""Messages and what the library makes of them."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from dense_reloc_ros.errors import InputError
from dense_reloc_ros.geometry.camera_info import camera_from_info
from dense_reloc_ros.geometry.se3 import rigid

pytest.importorskip("dense_reloc_ros.msg", reason="not built: source install/setup.bash")
from geometry_msgs.msg import Pose
from sensor_msgs.msg import CameraInfo, CompressedImage, RegionOfInterest

from dense_reloc_ros.nodes import conversions

pytestmark = pytest.mark.ros
K = [500.0, 0.0, 320.0, 0.0, 510.0, 240.0, 0.0, 0.0, 1.0]
POINTS = np.array([[0.3, -0.2, 1.5], [-0.4, 0.3, 2.0], [0.0, 0.0, 1.0]])


def info(**fields: Any) -> CameraInfo:
    return CameraInfo(**({"width": 640, "height": 480, "k": K} | fields))


@given(stamp=st.integers(0, (2**31) * 10**9 - 1))
def test_stamps_go_there_and_back(stamp: int) -> None:
    message = conversions.time_message(stamp)
    assert 0 <= message.nanosec < 10**9
    assert conversions.nanoseconds(message) == stamp


@given(
    rotation=st.lists(st.floats(-3, 3), min_size=3, max_size=3),
    translation=st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=3),
)
def test_poses_go_there_and_back(rotation: list[float], translation: list[float]) -> None:
    pose = rigid(Rotation.from_rotvec(rotation).as_matrix(), np.array(translation))
    message = conversions.pose_to_message(pose, np.eye(6))
    np.testing.assert_allclose(conversions.pose_from_message(message.pose), pose, atol=1e-9)
    transform = conversions.transform_to_message(pose)
    np.testing.assert_allclose(conversions.pose_from_transform(transform), pose, atol=1e-9)


def test_covariance_is_row_major() -> None:
    covariance = np.arange(36.0).reshape(6, 6)
    message = conversions.pose_to_message(np.eye(4), covariance)
    assert message.covariance[6 * 1 + 5] == covariance[1, 5]


def test_a_message_that_was_never_filled_is_no_pose() -> None:
    message = Pose()
    message.orientation.w = 0.0
    with pytest.raises(InputError, match="non-zero quaternion"):
        conversions.pose_from_message(message)


def test_images_go_there_and_back() -> None:
    image = np.random.default_rng(1).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    message = conversions.image_to_message(image)
    found = conversions.image_from_message(message)
    np.testing.assert_array_equal(found, image)
    assert found.flags.writeable
    encoded = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1].tobytes()
    compressed = CompressedImage(format="png", data=encoded)
    np.testing.assert_array_equal(conversions.image_from_message(compressed), image)


@pytest.mark.parametrize(
    ("model", "coefficients"),
    [
        ("plumb_bob", [0.1, -0.05, 0.001, -0.002, 0.01]),
        ("rational_polynomial", [0.1, -0.05, 0.001, -0.002, 0.01, 0.02, -0.01, 0.005]),
        ("equidistant", [0.05, -0.01, 0.003, -0.001]),
        ("", []),
    ],
)
def test_cameras_of_all_models(model: str, coefficients: list[float]) -> None:
    camera = camera_from_info(info(distortion_model=model, d=coefficients))
    assert (camera.width, camera.height) == (640, 480)
    np.testing.assert_array_equal(camera.matrix.ravel(), K)
    assert camera.distortion == tuple(coefficients)
    assert camera.distortion_model == (model or "plumb_bob")


def test_region_of_interest_shows_the_same_pixels() -> None:
    """A point lies where it lay in the whole image, less the corner of the region."""
    whole = camera_from_info(info())
    roi = RegionOfInterest(x_offset=100, y_offset=50, width=300, height=200)
    part = camera_from_info(info(roi=roi))
    assert (part.width, part.height) == (300, 200)
    np.testing.assert_allclose(project(part), project(whole) - [100, 50])


def test_binning_shows_the_same_scene() -> None:
    """Two by three pixels become one whose centre is the centre of the six."""
    whole = camera_from_info(info())
    binned = camera_from_info(info(binning_x=2, binning_y=3))
    assert (binned.width, binned.height) == (320, 160)
    np.testing.assert_allclose(project(binned), (project(whole) - [0.5, 1.0]) / [2, 3])


def test_an_uncalibrated_camera_is_called_so() -> None:
    with pytest.raises(InputError, match="uncalibrated"):
        camera_from_info(info(k=[0.0] * 9))


def project(camera: Any) -> Any:
    """OpenCV's pixels of three points."""
    pixels, _ = cv2.projectPoints(POINTS, np.zeros(3), np.zeros(3), camera.matrix, None)
    return pixels[:, 0]
