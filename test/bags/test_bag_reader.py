from __future__ import annotations

from pathlib import Path

import pytest
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from dense_reloc_ros.bags.bag_reader import BagReader, stamp_of
from dense_reloc_ros.bags.create import create_bag
from dense_reloc_ros.errors import InputError


@pytest.fixture
def bag_path(tmp_path: Path, recording: Path, camera) -> Path:
    create_bag(recording, camera, tmp_path / "bag", compressed=True)
    return tmp_path / "bag"


@pytest.mark.parametrize("storage", list(StoragePlugin))
def test_both_storages_are_read(tmp_path: Path, storage: StoragePlugin):
    typestore = get_typestore(Stores.ROS2_JAZZY)
    header = typestore.types["std_msgs/msg/Header"]
    time = typestore.types["builtin_interfaces/msg/Time"]
    with Writer(tmp_path / "bag", version=9, storage_plugin=storage) as writer:
        connection = writer.add_connection("/h", "std_msgs/msg/Header", typestore=typestore)
        for second in (3, 1, 2):
            message = header(stamp=time(sec=second, nanosec=5), frame_id="f")
            data = typestore.serialize_cdr(message, "std_msgs/msg/Header")
            writer.write(connection, second * 10**9, data)
    with BagReader(tmp_path / "bag") as bag:
        messages = list(bag.messages(["/h"]))
        assert [message.time for message in messages] == [10**9, 2 * 10**9, 3 * 10**9]
        assert bag.decode(messages[0]).stamp.sec == 1
        later = list(bag.messages(["/h"], start=2 * 10**9, stop=3 * 10**9))
        assert [message.time for message in later] == [2 * 10**9]
        assert list(bag.messages(["/elsewhere"])) == []


def test_a_single_file_is_a_bag_too(bag_path: Path):
    with BagReader(bag_path / "bag.mcap") as bag:
        assert bag.count(["/ground_truth/pose"]) == 5


def test_messages_of_several_topics_come_in_the_order_of_time(bag_path: Path):
    topics = ["/camera/camera_info", "/camera/image_raw/compressed"]
    with BagReader(bag_path) as bag:
        messages = list(bag.messages(topics))
        assert {message.topic for message in messages} == set(topics)
        times = [message.time for message in messages]
        assert times == sorted(times)
        assert [stamp_of(bag.decode(message)) for message in messages] == times


def test_a_missing_topic_is_answered_with_those_that_fit(bag_path: Path):
    with BagReader(bag_path) as bag:
        with pytest.raises(InputError, match=r"/pose has no messages; .* fit: /ground_truth/pose"):
            bag.require("/pose", ["geometry_msgs/msg/PoseStamped"])
        with pytest.raises(InputError, match=r"/tf_static holds tf2_msgs/msg/TFMessage; .* fit"):
            bag.require("/tf_static", ["geometry_msgs/msg/PoseStamped"])
        with pytest.raises(InputError, match=r"no topic holds nav_msgs.*there are: /camera/cam"):
            bag.require("/odom", ["nav_msgs/msg/Odometry"])


def test_paths_that_are_no_bags_are_named(tmp_path: Path):
    with pytest.raises(InputError, match="missing: no such bag"), BagReader(tmp_path / "missing"):
        pass
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="empty: not a readable"), BagReader(tmp_path / "empty"):
        pass
    (tmp_path / "text.mcap").write_text("no bag")
    with pytest.raises(InputError, match=r"mcap: not a rea"), BagReader(tmp_path / "text.mcap"):
        pass
    with pytest.raises(InputError, match="ROS 1 bag"), BagReader(tmp_path / "old.bag"):
        pass


@pytest.mark.parametrize("keep", [0.0, 0.3, 0.9])
def test_a_truncated_bag_is_reported(bag_path: Path, keep: float):
    file = bag_path / "bag.mcap"
    content = file.read_bytes()
    file.write_bytes(content[: int(len(content) * keep)])
    with pytest.raises(InputError, match="bag: "), BagReader(bag_path) as bag:
        for message in bag.messages(["/camera/image_raw/compressed"]):
            bag.decode(message)
