"""A robot whose front camera is covered, started by the launch file: the rear one localizes it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gallery import CAMERA, Gallery, looking
from launching import launch_command
from scipy.spatial.transform import Rotation

from dense_reloc_ros.geometry.se3 import pose_error, rigid
from dense_reloc_ros.scene.scene_map import SceneMap
from dense_reloc_ros.scene.writer import write_map

pytest.importorskip("dense_reloc_ros.msg", reason="not built: source install/setup.bash")
from geometry_msgs.msg import TransformStamped
from nodes.observer import Observer, wait_for
from rclpy.context import Context
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import CameraInfo, Image
from tf2_msgs.msg import TFMessage

from dense_reloc_ros.msg import RelocResult
from dense_reloc_ros.nodes.conversions import (
    image_to_message,
    pose_from_message,
    time_message,
    transform_to_message,
)

pytestmark = pytest.mark.ros
LAUNCH_FILE = Path(__file__).parents[2] / "launch" / "reloc.launch.py"
FRONT, REAR = "front_optical_frame", "rear_optical_frame"
T_FRONT_REAR = rigid(Rotation.from_euler("y", 180, degrees=True).as_matrix(), [0.0, 0.0, -0.2])
T_MAP_FRONT = looking(60, distance=0.3)
PARAMETERS = """
/**/relocalizer:
  ros__parameters:
    odom_frame: ""
    base_frame: front_optical_frame
    other_cameras: [/rear/image]
    camera_tolerance: 0.5
    max_frame_seconds: 0.0
"""
TIMEOUT = 180.0
PATIENCE = 2.0
"""Seconds after which images are sent again."""


@pytest.fixture
def launched(ros_domain: int, gallery_map: SceneMap, tmp_path: Path) -> Iterator[None]:
    """The launch file on a map of the gallery, told of the rear camera."""
    pytest.importorskip("launch_ros", reason="launch_ros is not on PyPI")
    write_map(tmp_path / "map", gallery_map)
    parameters = tmp_path / "parameters.yaml"
    parameters.write_text(PARAMETERS)
    given = {
        "map": tmp_path / "map",
        "image": "/front/image",
        "camera_info": "/front/camera_info",
        "params_file": parameters,
    }
    command = launch_command(LAUNCH_FILE, *(f"{name}:={value}" for name, value in given.items()))
    environment = os.environ | {"ROS_LOG_DIR": str(tmp_path)}
    process = subprocess.Popen(command, env=environment, start_new_session=True)
    yield
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)


class TwoCameras:
    """Sends what the cameras of a robot see, and hears where that is."""

    def __init__(self, observer: Observer) -> None:
        node = observer.node
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self.results: list[RelocResult] = []
        node.create_subscription(RelocResult, "/relocalizer/result", self.results.append, 10)
        self._publishers = {
            FRONT: self._publishers_of(node, "/front"),
            REAR: self._publishers_of(node, "/rear"),
        }
        self._tf = node.create_publisher(TFMessage, "/tf_static", latched)
        mount = TransformStamped(child_frame_id=REAR, transform=transform_to_message(T_FRONT_REAR))
        mount.header.frame_id = FRONT
        self._tf.publish(TFMessage(transforms=[mount]))

    @staticmethod
    def _publishers_of(node: Any, camera: str) -> tuple[Any, Any]:
        info = node.create_publisher(CameraInfo, f"{camera}/camera_info", 10)
        return info, node.create_publisher(Image, f"{camera}/image", 10)

    @property
    def are_heard(self) -> bool:
        return all(one.get_subscription_count() for two in self._publishers.values() for one in two)

    def show(self, frame: str, image: np.ndarray, stamp: int) -> None:
        """Publishes an image of a camera with its camera_info."""
        info = CameraInfo(width=CAMERA.width, height=CAMERA.height, k=CAMERA.matrix.ravel())
        info.distortion_model = "plumb_bob"
        message = image_to_message(image)
        for one in (info, message):
            one.header.frame_id, one.header.stamp = frame, time_message(stamp)
        of_info, of_image = self._publishers[frame]
        of_info.publish(info)
        of_image.publish(message)


def test_the_rear_camera_localizes_where_the_front_one_is_covered(
    launched: None, ros_domain: int, gallery: Gallery
) -> None:
    context = Context()
    context.init(domain_id=ros_domain)
    observer = Observer(context)
    cameras = TwoCameras(observer)
    black = np.zeros((CAMERA.height, CAMERA.width, 3), np.uint8)
    behind = gallery.render(T_MAP_FRONT @ T_FRONT_REAR).image
    wait_for(lambda: cameras.are_heard, "the relocalizer", TIMEOUT)

    def answer() -> RelocResult | None:
        """Of images that came together; the first ones may be lost."""
        stamp = time.monotonic_ns()
        cameras.show(REAR, behind, stamp)
        cameras.show(FRONT, black, stamp)
        time.sleep(PATIENCE)
        found = (one for one in cameras.results if one.status == RelocResult.LOCALIZED)
        return next((one for one in found if one.camera_frame_id == FRONT), None)

    result = wait_for(answer, "a pose of the front camera", TIMEOUT)
    observer.close()
    context.try_shutdown()
    error = pose_error(pose_from_message(result.camera_pose.pose), T_MAP_FRONT)
    assert error.translation < 0.06
    assert np.degrees(error.rotation) < 1.5
