from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml

from dense_reloc_ros.bags.bag_reader import BagReader
from dense_reloc_ros.bags.create import create_bag
from dense_reloc_ros.bags.frames import read_frames
from dense_reloc_ros.bags.recorded_poses import static_transform
from dense_reloc_ros.bags.rig_file import load_rig
from dense_reloc_ros.errors import ConfigurationError, InputError
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
            # The first image has number 0, and a stamp of 0 would be none.
            assert frame.timestamp == pytest.approx(original.timestamp + 1, abs=1e-9)
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


@pytest.fixture
def rig_file(tmp_path: Path, recording: Path) -> Path:
    """A rear camera beside the recording's, without its last two images."""
    rear = tmp_path / "rear"
    shutil.copytree(recording, rear)
    for number in (3, 4):
        (rear / f"frame-{number:06d}.color.jpg").unlink()
        (rear / f"frame-{number:06d}.pose.txt").unlink()
        (rear / f"frame-{number:06d}.depth.png").unlink()
    info = {"image_width": 64, "image_height": 48, "camera_matrix": [60, 0, 30, 0, 60, 20, 0, 0, 1]}
    (tmp_path / "rear.yaml").write_text(yaml.safe_dump(info))
    mounted = {
        "folder": "rear",
        "camera_info": "rear.yaml",
        "translation": [0.0, 0.0, -0.5],
        "rotation": [0.0, 1.0, 0.0, 0.0],
    }
    (tmp_path / "rig.yaml").write_text(yaml.safe_dump({"cameras": {"rear": mounted}}))
    return tmp_path / "rig.yaml"


@pytest.mark.parametrize("compressed", [False, True])
def test_further_cameras_lie_beside_the_first(
    tmp_path: Path, recording: Path, camera, rig_file: Path, compressed: bool
):
    others = load_rig(rig_file)
    assert (
        create_bag(recording, camera, tmp_path / "bag", others=others, compressed=compressed) == 5
    )
    topic = "/rear/image_raw/compressed" if compressed else "/rear/image_raw"
    with BagReader(tmp_path / "bag") as bag:
        images = [bag.decode(message) for message in bag.messages([topic])]
        infos = [info for _, info in bag.decoded(["/rear/camera_info"])]
        T_base_camera = static_transform(bag, "base_link", "camera_optical_frame")
        T_base_rear = static_transform(bag, "base_link", "rear_optical_frame")
        assert bag.count(["/tf_static"]) == 1
    assert {image.header.stamp.sec for image in images} == {1}
    assert [image.header.stamp.nanosec for image in images] == [0, 33333333, 66666667]
    assert {image.header.frame_id for image in images} == {"rear_optical_frame"}
    assert [info.k[0] for info in infos] == [60.0] * 3
    # Half a metre behind the main camera, and looking back.
    np.testing.assert_allclose(T_base_camera[:3, 2], [1, 0, 0], atol=1e-12)
    np.testing.assert_allclose(T_base_rear[:3, 2], [-1, 0, 0], atol=1e-12)
    np.testing.assert_allclose(T_base_rear[:3, 3], [-0.5, 0, 0], atol=1e-12)


def test_a_camera_without_common_images_is_named(tmp_path: Path, recording: Path, camera, rig_file):
    for file in (tmp_path / "rear").glob("frame-*"):
        file.rename(file.with_name(file.name.replace("frame-0", "frame-1")))
    with pytest.raises(InputError, match=r"rear: no image has the number of one of the main"):
        create_bag(recording, camera, tmp_path / "bag", others=load_rig(rig_file))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rear": {"rotation": [0, 0, 0, 0]}}, "cameras.rear"),
        ({"rear": {"translation": [0, 0]}}, "cameras.rear.translation"),
        ({"camera": {}}, "name of the main camera"),
    ],
)
def test_mounts_that_are_none_are_refused(rig_file: Path, change: dict, said: str):
    content = yaml.safe_load(rig_file.read_text())
    rear = content["cameras"]["rear"]
    content["cameras"] = {name: {**rear, **values} for name, values in change.items()}
    rig_file.write_text(yaml.safe_dump(content))
    with pytest.raises(ConfigurationError, match=said):
        load_rig(rig_file)
