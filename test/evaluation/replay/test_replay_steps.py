from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dense_reloc_ros.bags.bag_reader import BagReader
from dense_reloc_ros.bags.bag_writer import BagWriter
from dense_reloc_ros.bags.topics import CAMERA_INFO_TOPIC, IMAGE_TOPIC
from dense_reloc_ros.errors import InputError
from dense_reloc_ros.evaluation.replay.replay_steps import played_topic, steps
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


def test_images_without_stamps_are_refused(tmp_path: Path):
    with BagWriter(tmp_path / "bag", CAMERA) as writer:
        writer.write_image(0, IMAGE)
    with BagReader(tmp_path / "bag") as bag, pytest.raises(InputError, match="no stamps"):
        list(steps(bag, IMAGE_TOPIC, CAMERA_INFO_TOPIC))


def test_compressed_images_are_played_where_nodes_expect_them():
    compressed = "sensor_msgs/msg/CompressedImage"
    assert played_topic("/cam/image/compressed", compressed) == "/cam/image/compressed"
    assert played_topic("/cam/jpeg", compressed) == "/cam/jpeg/compressed"
    assert played_topic("/cam/image", "sensor_msgs/msg/Image") == "/cam/image"
