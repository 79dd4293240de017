from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from dense_reloc_ros.bags.bag_reader import BagReader
from dense_reloc_ros.bags.frames import find_image_topic, read_camera, read_frames
from dense_reloc_ros.errors import InputError

TYPES = get_typestore(Stores.ROS2_JAZZY)


def make(type_name: str, **fields: Any) -> Any:
    return TYPES.types[type_name](**fields)


def header(stamp: int = 1, frame: str = "camera") -> Any:
    time = make("builtin_interfaces/msg/Time", sec=stamp, nanosec=0)
    return make("std_msgs/msg/Header", stamp=time, frame_id=frame)


def image(stamp: int = 1, encoding: str = "mono8", value: int = 7, size: int = 4) -> Any:
    depth = 2 if encoding == "16UC1" else 1
    return make(
        "sensor_msgs/msg/Image",
        header=header(stamp),
        height=size,
        width=size,
        encoding=encoding,
        is_bigendian=0,
        step=size * depth,
        data=np.full(size * size * depth, value, np.uint8),
    )


def camera_info(focal: float = 5.0) -> Any:
    region = make(
        "sensor_msgs/msg/RegionOfInterest",
        x_offset=0,
        y_offset=0,
        height=0,
        width=0,
        do_rectify=False,
    )
    return make(
        "sensor_msgs/msg/CameraInfo",
        header=header(),
        height=4,
        width=4,
        distortion_model="plumb_bob",
        d=np.zeros(5),
        k=np.array([focal, 0, 1.5, 0, focal, 1.5, 0, 0, 1]) * (focal > 0),
        r=np.eye(3).ravel(),
        p=np.zeros(12),
        binning_x=0,
        binning_y=0,
        roi=region,
    )


@pytest.fixture
def write(tmp_path: Path):
    """Writes (topic, message) pairs, one a second, as a bag; `damaged` ones are cut short."""

    def write(*messages: tuple[str, Any], damaged: Sequence[int] = ()) -> Path:
        connections = {}
        path = tmp_path / "bag"
        with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
            for index, (topic, message) in enumerate(messages):
                kind = message.__msgtype__
                if topic not in connections:
                    connections[topic] = writer.add_connection(topic, kind, typestore=TYPES)
                data = bytes(TYPES.serialize_cdr(message, kind))
                if index in damaged:
                    data = data[:9]
                writer.write(connections[topic], (index + 100) * 10**9, data)
        return path

    return write


def test_the_only_camera_is_found_among_depth_and_compressed_copies(write):
    compressed = make(
        "sensor_msgs/msg/CompressedImage", header=header(), format="jpeg", data=np.zeros(3, "u1")
    )
    path = write(
        ("/cam/color/compressed", compressed),
        ("/cam/color", image()),
        ("/cam/depth", image(encoding="16UC1")),
    )
    with BagReader(path) as bag:
        assert find_image_topic(bag) == "/cam/color"


def test_several_cameras_have_to_be_chosen_from(write):
    path = write(("/left/image", image()), ("/right/image", image()))
    with BagReader(path) as bag, pytest.raises(InputError, match="/left/image, /right/image"):
        find_image_topic(bag)


def test_a_bag_without_images_says_what_it_has(write):
    path = write(("/left/camera_info", camera_info()))
    with BagReader(path) as bag, pytest.raises(InputError, match=r"no images.*/left/camera_info"):
        find_image_topic(bag)


def test_the_camera_info_beside_the_images_is_taken(write):
    path = write(
        ("/left/image", image()),
        ("/left/camera_info", camera_info(5.0)),
        ("/right/camera_info", camera_info(6.0)),
    )
    with BagReader(path) as bag:
        assert read_camera(bag, "/left/image").fx == 5.0
        assert read_camera(bag, "/right/image/compressed").fx == 6.0
        with pytest.raises(InputError, match="none of /left/camera_info, /right/camera_info"):
            read_camera(bag, "/top/image")


def test_an_uncalibrated_camera_is_refused_with_its_topic(write):
    path = write(("/left/image", image()), ("/left/camera_info", camera_info(0.0)))
    with (
        BagReader(path) as bag,
        pytest.raises(InputError, match=r"/left/camera_info: .*K is zero"),
    ):
        read_frames(bag)


def test_frames_come_in_the_order_of_their_stamps(write):
    path = write(
        ("/c/camera_info", camera_info()),
        ("/c/image", image(stamp=9, value=90)),
        ("/c/image", image(stamp=8, value=80)),
    )
    with BagReader(path) as bag:
        frames = read_frames(bag)
        assert [frame.timestamp for frame in frames] == [8.0, 9.0]
        assert [int(frame.load_image()[0, 0, 0]) for frame in frames] == [80, 90]
        assert len({frame.name for frame in frames}) == 2


def test_images_without_stamps_have_the_time_of_recording(write):
    path = write(("/c/camera_info", camera_info()), ("/c/image", image(stamp=0, value=80)))
    with BagReader(path) as bag:
        (frame,) = read_frames(bag)
        assert frame.timestamp == 101.0
        assert frame.load_image()[0, 0, 0] == 80


def test_an_image_that_cannot_be_decoded_is_named_by_its_time(write):
    path = write(("/c/camera_info", camera_info()), ("/c/image", image(stamp=7, encoding="odd")))
    with BagReader(path) as bag:
        (frame,) = read_frames(bag)
        with pytest.raises(InputError, match=r"/c/image at 7\.0+ s: unknown image encoding 'odd'"):
            frame.load_image()


def test_damaged_messages_among_good_ones_are_left_out_and_named(write, caplog):
    infos = [("/camera_info", camera_info())] * 3
    images = [("/image", image(stamp)) for stamp in (1, 2, 3)]
    path = write(*infos, *images, damaged=(0, 4))
    with BagReader(path) as bag:
        frames = read_frames(bag)
    assert [frame.stamp for frame in frames] == [10**9, 3 * 10**9]
    assert frames[0].camera.fx == 5.0
    assert "/image: 1 of 3 messages are left out: /image at 104.000 s: " in caplog.text


def test_messages_that_are_mostly_damaged_are_refused(write):
    infos = [("/camera_info", camera_info())]
    images = [("/image", image(stamp)) for stamp in (1, 2)]
    reason = r"/image at 101.000 s: .*1 of 2 messages are bad"
    path = write(*infos, *images, damaged=(1,))
    with BagReader(path) as bag, pytest.raises(InputError, match=reason):
        read_frames(bag)


def test_depth_belongs_to_the_image_of_its_time(write):
    path = write(
        ("/c/camera_info", camera_info()),
        ("/c/image", image(stamp=1)),
        ("/c/image", image(stamp=2)),
        ("/c/depth", image(stamp=2, encoding="16UC1", value=1)),
    )
    with BagReader(path) as bag:
        frames = read_frames(bag, depth_topic="/c/depth")
        assert frames[0].load_depth() is None
        np.testing.assert_allclose(frames[1].load_depth(), np.full((4, 4), 0.257), rtol=1e-6)
