from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dense_reloc_ros.bags.bag_reader import BagReader, stamp_of
from dense_reloc_ros.bags.bag_writer import BagWriter
from dense_reloc_ros.bags.topics import CAMERA_INFO_TOPIC, IMAGE_TOPIC
from dense_reloc_ros.evaluation.replay.replay_steps import played_topic, steps, with_stamp
from dense_reloc_ros.geometry.camera import Camera

CAMERA = Camera(4, 4, 5.0, 5.0, 1.5, 1.5)
IMAGE = np.zeros((4, 4, 3), np.uint8)


def test_an_image_goes_out_with_all_that_was_recorded_before_the_next(tmp_path: Path):
    with BagWriter(tmp_path / "bag", CAMERA) as writer:
        writer.write_static_tf(5)
        for stamp in (10, 20):
            writer.write_tf(stamp - 1, "odom", "base_link", np.eye(4))
            writer.write_ground_truth(stamp, np.eye(4))
            writer.write_image(stamp, IMAGE)
            writer.write_tf(stamp + 1, "odom", "base_link", np.eye(4))
    with BagReader(tmp_path / "bag") as bag:
        first, second = steps(bag, IMAGE_TOPIC, CAMERA_INFO_TOPIC)
    assert (first.stamp, second.stamp) == (10, 20)
    assert [(message.topic, message.time) for message in first.others] == [
        ("/tf_static", 5),
        ("/tf", 9),
        (CAMERA_INFO_TOPIC, 10),
        ("/tf", 11),
        ("/tf", 19),
    ]
    assert [(message.topic, message.time) for message in second.others] == [
        (CAMERA_INFO_TOPIC, 20),
        ("/tf", 21),
    ]


def test_what_further_cameras_took_goes_out_with_the_image(tmp_path: Path):
    with BagWriter(tmp_path / "bag", CAMERA, {"rear": CAMERA}) as writer:
        for stamp in (10, 20):
            writer.write_image(stamp, IMAGE)
            writer.write_image(stamp + 2, IMAGE, "rear")
    others = ["/rear/image_raw", "/rear/camera_info"]
    with BagReader(tmp_path / "bag") as bag:
        with_others = list(steps(bag, IMAGE_TOPIC, CAMERA_INFO_TOPIC, others))
        alone = list(steps(bag, IMAGE_TOPIC, CAMERA_INFO_TOPIC))
    for step, stamp in zip(with_others, (10, 20), strict=True):
        sent = {(message.topic, message.time) for message in step.others}
        assert sent == {(CAMERA_INFO_TOPIC, stamp), *((topic, stamp + 2) for topic in others)}
    assert [len(step.others) for step in alone] == [1, 1]


def test_images_without_stamps_get_the_time_of_their_recording(tmp_path: Path):
    with BagWriter(tmp_path / "bag", CAMERA) as writer:
        writer.write_image(0, IMAGE)
    recorded = 7_000_000_009
    with BagReader(tmp_path / "bag") as bag:
        message = next(bag.messages([IMAGE_TOPIC]))
        decoded = bag.decode(message)
        stamped = bag.decode(replace(message, data=with_stamp(message.data, recorded)))
        (step,) = steps(bag, IMAGE_TOPIC, CAMERA_INFO_TOPIC)
    assert stamp_of(stamped) == recorded
    assert stamped.header.frame_id == decoded.header.frame_id
    assert (stamped.data == decoded.data).all()
    assert step.stamp == step.image.time


@pytest.mark.parametrize(("encoding", "order"), [(1, "<"), (0, ">")])
def test_a_stamp_is_written_in_the_order_of_the_message(encoding: int, order: str):
    data = bytes([0, encoding, 0, 0]) + struct.pack(order + "iI", 0, 0) + b"rest"
    found = with_stamp(data, 3_000_000_007)
    assert found[:4] == data[:4]
    assert struct.unpack(order + "iI4s", found[4:]) == (3, 7, b"rest")


def test_compressed_images_are_played_where_nodes_expect_them():
    compressed = "sensor_msgs/msg/CompressedImage"
    assert played_topic("/cam/image/compressed", compressed) == "/cam/image/compressed"
    assert played_topic("/cam/jpeg", compressed) == "/cam/jpeg/compressed"
    assert played_topic("/cam/image", "sensor_msgs/msg/Image") == "/cam/image"
