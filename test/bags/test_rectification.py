"""Raw and rectified images of one camera, told apart by names and by what they show."""

from __future__ import annotations

import logging
from pathlib import Path

import cv2
import numpy as np
import pytest
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from dense_reloc_ros.bags.bag_reader import BagReader
from dense_reloc_ros.bags.frames import read_camera, read_frames
from dense_reloc_ros.bags.rectification import is_rectified

TYPES = get_typestore(Stores.ROS2_JAZZY)
SIZE = (64, 48)
K = np.array([[50.0, 0, 31], [0, 51, 24], [0, 0, 1]])
D = np.array([-0.3, 0.1, 0.01, -0.02, 0.0])
P = np.array([[40.0, 0, 33], [0, 41, 22], [0, 0, 1]])


def make(name: str, **fields: object) -> object:
    return TYPES.types[name](**fields)


def header(stamp: int) -> object:
    time = make("builtin_interfaces/msg/Time", sec=stamp, nanosec=0)
    return make("std_msgs/msg/Header", stamp=time, frame_id="camera")


def image_message(pixels: np.ndarray, stamp: int = 1) -> object:
    return make(
        "sensor_msgs/msg/Image",
        header=header(stamp),
        height=SIZE[1],
        width=SIZE[0],
        encoding="mono8",
        is_bigendian=0,
        step=SIZE[0],
        data=pixels.ravel(),
    )


def info_message(k: np.ndarray = K, stamp: int = 1) -> object:
    region = dict.fromkeys(("x_offset", "y_offset", "height", "width"), 0)
    return make(
        "sensor_msgs/msg/CameraInfo",
        header=header(stamp),
        height=SIZE[1],
        width=SIZE[0],
        distortion_model="plumb_bob",
        d=D,
        k=k.ravel(),
        r=np.eye(3).ravel(),
        p=np.hstack([P, np.zeros((3, 1))]).ravel(),
        binning_x=0,
        binning_y=0,
        roi=make("sensor_msgs/msg/RegionOfInterest", do_rectify=False, **region),
    )


@pytest.fixture(scope="module")
def raw() -> np.ndarray:
    noise = np.random.default_rng(0).integers(0, 256, (48, 64), dtype=np.uint8)
    return cv2.GaussianBlur(noise, (0, 0), 1.5)


@pytest.fixture(scope="module")
def rectified(raw: np.ndarray) -> np.ndarray:
    return cv2.remap(
        raw, *cv2.initUndistortRectifyMap(K, D, np.eye(3), P, SIZE, cv2.CV_32FC1), cv2.INTER_LINEAR
    )


@pytest.fixture
def write(tmp_path: Path):
    def write(*messages: tuple[str, object]) -> Path:
        path, connections = tmp_path / "bag", {}
        with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
            for index, (topic, message) in enumerate(messages):
                kind = message.__msgtype__
                if topic not in connections:
                    connections[topic] = writer.add_connection(topic, kind, typestore=TYPES)
                writer.write(connections[topic], index + 1, TYPES.serialize_cdr(message, kind))
        return path

    return write


def camera_of(path: Path, topic: str, given: bool | None = None) -> tuple[float, bool]:
    """The focal length and whether there is distortion."""
    with BagReader(path) as bag:
        camera = read_camera(bag, topic, given)
        assert read_frames(bag, topic, rectified=given)[0].camera == camera
    return camera.fx, camera.is_distorted


def test_names_say_which_images_are_rectified(write, rectified, caplog):
    path = write(("/c/image_rect", image_message(rectified)), ("/c/camera_info", info_message()))
    with caplog.at_level(logging.INFO):
        assert camera_of(path, "/c/image_rect") == (40.0, False)
    assert "/c/image_rect: rectified images (by the name of the topic): P is taken" in caplog.text


def test_the_user_has_the_last_word(write, rectified, caplog):
    path = write(("/c/image_rect", image_message(rectified)), ("/c/camera_info", info_message()))
    with caplog.at_level(logging.INFO):
        assert camera_of(path, "/c/image_rect", False) == (50.0, True)
    assert "raw images (as asked for): K and D are taken" in caplog.text


@pytest.mark.parametrize("twin", ["image_raw", "image_rect"])
@pytest.mark.parametrize("is_rect", [True, False])
def test_a_twin_topic_tells_what_a_name_does_not(write, raw, rectified, twin, is_rect, caplog):
    path = write(
        ("/c/camera_info", info_message()),
        ("/c/image", image_message(rectified if is_rect else raw, stamp=1)),
        ("/c/image", image_message(rectified if is_rect else raw, stamp=2)),
        (f"/c/{twin}", image_message(raw if twin == "image_raw" else rectified, stamp=2)),
    )
    with caplog.at_level(logging.INFO), BagReader(path) as bag:
        assert is_rectified(bag, "/c/image") is is_rect
    assert f"by comparison with /c/{twin}" in caplog.text


def test_without_a_twin_images_are_raw(write, rectified):
    path = write(("/c/image", image_message(rectified)), ("/c/camera_info", info_message()))
    assert camera_of(path, "/c/image") == (50.0, True)


def test_the_first_calibrated_camera_info_is_taken(write, raw):
    path = write(
        ("/c/camera_info", info_message(np.zeros((3, 3)))),
        ("/c/image_raw", image_message(raw)),
        ("/c/camera_info", info_message()),
    )
    assert camera_of(path, "/c/image_raw") == (50.0, True)
