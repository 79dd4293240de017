"""The 7-Scenes reader on small folders written here, and on the real kitchen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.spatial.transform import Rotation
from shared_data import KITCHEN

from dense_reloc_ros.errors import InputError
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.mapping.sources.camera_info_file import load_camera_info
from dense_reloc_ros.mapping.sources.seven_scenes import read_seven_scenes

CAMERA = Camera(8, 6, 10.0, 10.0, 3.5, 2.5)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Frames 7 (with pose and depth) and 30 (colour only), and files that are none of ours."""
    for number, value in ((30, 30), (7, 7)):
        image = np.full((6, 8, 3), value, np.uint8)
        Image.fromarray(image).save(tmp_path / f"frame-{number:06d}.color.png")
    Image.fromarray(np.full((6, 8), 2000, np.uint16)).save(tmp_path / "frame-000007.depth.png")
    np.savetxt(tmp_path / "frame-000007.pose.txt", pose())
    (tmp_path / "groundtruth.tum").write_text("not read")
    return tmp_path


def pose() -> np.ndarray:
    T_map_camera = np.eye(4)
    T_map_camera[:3, :3] = Rotation.from_rotvec([0.1, -0.4, 0.2]).as_matrix()
    T_map_camera[:3, 3] = [1.0, 2.0, 3.0]
    return T_map_camera


def test_frames_come_in_order_with_pose_depth_and_time(folder):
    first, second = read_seven_scenes(folder, CAMERA)
    assert (first.name, second.name) == ("frame-000007", "frame-000030")
    assert (first.timestamp, second.timestamp) == (pytest.approx(7 / 30), 1.0)
    np.testing.assert_allclose(first.T_map_camera, pose(), atol=1e-12)
    assert (first.load_image() == 7).all()
    np.testing.assert_array_equal(first.load_depth(), np.full((6, 8), 2.0))
    assert second.T_map_camera is None
    assert second.load_depth() is None


def test_png_is_taken_where_there_is_also_a_jpg(folder):
    Image.fromarray(np.full((6, 8, 3), 99, np.uint8)).save(folder / "frame-000007.color.jpg")
    frames = read_seven_scenes(folder, CAMERA)
    assert len(frames) == 2
    assert (frames[0].load_image() == 7).all()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("nan 0 0 0\n0 1 0 0\n0 0 1 0\n0 0 0 1", "not finite"),
        ("2 0 0 0\n0 1 0 0\n0 0 1 0\n0 0 0 1", "not a rigid motion"),
        ("1 0 0 0\n0 1 0 0\n0 0 1 0", "4x4 matrix, not (3, 4)"),
        ("1 0 0 0\n0 one 0 0", "not a pose"),
        ("1 0 0\n0 1", "not a pose"),
        ("", "not (0, 4)"),
    ],
)
def test_bad_poses_are_refused_by_file(folder, text, reason):
    path = folder / "frame-000030.pose.txt"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        read_seven_scenes(folder, CAMERA)
    assert str(caught.value).startswith(f"{path}: ")
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", ["-inf", "nan", "0"])
def test_a_bad_pose_among_good_ones_is_left_out_and_named(folder, value, caplog):
    for number in (40, 41):
        Image.fromarray(np.zeros((6, 8, 3), np.uint8)).save(
            folder / f"frame-{number:06d}.color.png"
        )
        np.savetxt(folder / f"frame-{number:06d}.pose.txt", pose())
    (folder / "frame-000040.pose.txt").write_text("\n".join([" ".join([value] * 4)] * 4))
    frames = read_seven_scenes(folder, CAMERA)
    assert [frame.T_map_camera is not None for frame in frames] == [True, False, False, True]
    assert "1 of 3 poses are left out" in caplog.text
    assert "frame-000040.pose.txt: not a pose" in caplog.text


def test_an_image_missing_beside_its_pose_is_told_when_it_is_loaded(folder):
    (folder / "frame-000007.color.png").unlink()
    (frame,) = (f for f in read_seven_scenes(folder, CAMERA) if f.name == "frame-000007")
    with pytest.raises(InputError, match=r"frame-000007.color.jpg: no such file"):
        frame.load_image()


def test_missing_folder_and_frames_are_refused(folder, tmp_path):
    with pytest.raises(InputError, match=r"absent: No such file"):
        read_seven_scenes(tmp_path / "absent", CAMERA)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"empty: no images"):
        read_seven_scenes(tmp_path / "empty", CAMERA)


def test_images_and_depth_of_another_size_are_refused(folder):
    frame = read_seven_scenes(folder, Camera(9, 6, 10.0, 10.0, 3.5, 2.5))[0]
    with pytest.raises(InputError, match=r"frame-000007: an image of 8x6 does not fit .* 9x6"):
        frame.load_image()
    with pytest.raises(InputError, match=r"frame-000007: depth of 8x6 does not fit .* 9x6"):
        frame.load_depth()


@pytest.mark.skipif(not KITCHEN.exists(), reason="the kitchen recording is not beside the checkout")
def test_kitchen():
    frames = read_seven_scenes(KITCHEN / "map", load_camera_info(KITCHEN / "camera_info.yaml"))
    assert [frame.timestamp for frame in frames] == [pytest.approx(5 * i / 30) for i in range(100)]
    assert frames[3].load_image().shape == (480, 640, 3)
    depth = frames[3].load_depth()
    assert 0.5 < np.median(depth[depth > 0]) < 5.0


def test_poses_with_the_marks_of_windows_and_commas_are_read(folder):
    path = folder / "frame-000007.pose.txt"
    text = path.read_text().replace(" ", ", ").replace("\n", "\r\n")
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    (frame,) = (f for f in read_seven_scenes(folder, CAMERA) if f.name == "frame-000007")
    np.testing.assert_allclose(frame.T_map_camera, pose(), atol=1e-9)
