from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dense_reloc_ros.bags.bag_reader import BagReader
from dense_reloc_ros.bags.create import create_bag
from dense_reloc_ros.bags.frames import read_frames
from dense_reloc_ros.bags.recorded_poses import static_transform
from dense_reloc_ros.errors import InputError
from dense_reloc_ros.mapping.sources.seven_scenes import read_seven_scenes


@pytest.mark.parametrize("compressed", [False, True])
def test_what_was_recorded_comes_back(tmp_path: Path, recording: Path, camera, compressed):
    bag_path = tmp_path / "out" / "bag"
    assert create_bag(recording, camera, bag_path, compressed=compressed, depth=True) == 5
    expected = read_seven_scenes(recording, camera)
    with BagReader(bag_path) as bag:
        frames = read_frames(
            bag, pose_topic="/ground_truth/pose", depth_topic="/camera/depth/image_raw"
        )
        assert len(frames) == 5
        for frame, original in zip(frames, expected, strict=True):
            assert frame.timestamp == pytest.approx(original.timestamp, abs=1e-9)
            assert frame.camera == camera
            np.testing.assert_allclose(frame.T_map_camera, original.T_map_camera, atol=1e-9)
            # The decoders of the two readers may differ by rounding.
            difference = frame.load_image().astype(int) - original.load_image()
            assert np.abs(difference).max() <= (2 if compressed else 0)
            np.testing.assert_allclose(frame.load_depth(), original.load_depth(), atol=1e-6)


def test_compressed_images_are_the_files_themselves(tmp_path: Path, recording: Path, camera):
    create_bag(recording, camera, tmp_path / "bag", compressed=True)
    files = [path.read_bytes() for path in sorted(recording.glob("*.color.jpg"))]
    with BagReader(tmp_path / "bag") as bag:
        messages = [bag.decode(m) for m in bag.messages(["/camera/image_raw/compressed"])]
    assert [message.data.tobytes() for message in messages] == files
    assert {message.format for message in messages} == {"jpeg"}


def test_topics_and_frames_are_those_of_robots(tmp_path: Path, recording: Path, camera):
    create_bag(recording, camera, tmp_path / "bag")
    with BagReader(tmp_path / "bag") as bag:
        assert bag.topics == {
            "/camera/camera_info": "sensor_msgs/msg/CameraInfo",
            "/camera/image_raw": "sensor_msgs/msg/Image",
            "/ground_truth/pose": "geometry_msgs/msg/PoseStamped",
            "/tf_static": "tf2_msgs/msg/TFMessage",
        }
        image = bag.decode(next(bag.messages(["/camera/image_raw"])))
        pose = bag.decode(next(bag.messages(["/ground_truth/pose"])))
        assert pose.header.frame_id == "map"
        # REP 103: the optical frame's z axis looks along the body's x, its x axis to the right.
        T_base_camera = static_transform(bag, "base_link", image.header.frame_id)
    np.testing.assert_allclose(T_base_camera[:3, 2], [1, 0, 0], atol=1e-12)
    np.testing.assert_allclose(T_base_camera[:3, 0], [0, -1, 0], atol=1e-12)


def test_bags_are_not_overwritten(tmp_path: Path, recording: Path, camera):
    (tmp_path / "bag").mkdir()
    with pytest.raises(InputError, match="bag: exists already"):
        create_bag(recording, camera, tmp_path / "bag")
    assert list((tmp_path / "bag").iterdir()) == []


def test_a_damaged_image_leaves_no_half_written_bag(tmp_path: Path, recording: Path, camera):
    image = recording / "frame-000003.color.jpg"
    image.write_bytes(image.read_bytes()[:100])
    with pytest.raises(InputError, match=r"frame-000003\.color\.jpg"):
        create_bag(recording, camera, tmp_path / "out" / "bag", compressed=True)
    assert list((tmp_path / "out").iterdir()) == []


def test_missing_depth_is_named(tmp_path: Path, recording: Path, camera):
    (recording / "frame-000002.depth.png").unlink()
    with pytest.raises(InputError, match="frame-000002: there is no depth"):
        create_bag(recording, camera, tmp_path / "bag", depth=True)


def test_a_place_that_cannot_be_written_to_is_named(tmp_path: Path, recording: Path, camera):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="file/bag: the bag cannot be written"):
        create_bag(recording, camera, tmp_path / "file" / "bag")
