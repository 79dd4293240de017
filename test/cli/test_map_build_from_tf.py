"""Maps of a robot's bag: the camera's poses come from the transforms, or from the robot's base."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from cli.wall_recording import error_line
from mapping.consistency.room_frames import room_frames
from patterned_room import CAMERA

from dense_reloc_ros.bags.bag_writer import BagWriter
from dense_reloc_ros.bags.topics import BASE_FRAME, CAMERA_FRAME, DEPTH_TOPIC, T_BODY_OPTICAL
from dense_reloc_ros.cli.main import main
from dense_reloc_ros.geometry.se3 import inverse, rigid
from dense_reloc_ros.scene.reader import load_map

pytestmark = pytest.mark.usefixtures("pixel_describer")

T_BASE_CAMERA = rigid(T_BODY_OPTICAL[:3, :3], np.array([0.3, 0.0, 1.0]))
STEP = 10**8


@pytest.fixture
def bag(tmp_path: Path) -> Path:
    """Twelve frames at 10 Hz; /tf and /pose know where the base was until the tenth."""
    path = tmp_path / "bag"
    with BagWriter(path, CAMERA) as writer:
        writer.write_static_tf(STEP, BASE_FRAME, CAMERA_FRAME, T_BASE_CAMERA)
        for index, frame in enumerate(room_frames(), start=1):
            stamp = index * STEP
            base = frame.known_pose() @ inverse(T_BASE_CAMERA)
            if index <= 10:
                writer.write_tf(stamp, "map", BASE_FRAME, base)
                writer.write_ground_truth(stamp, base, "/slam/pose")
            writer.write_image(stamp, frame.load_image())
            writer.write_depth(stamp, frame.load_depth())
    return path


def build(bag: Path, *options: str) -> int:
    source = ["--bag", str(bag), "--depth-topic", DEPTH_TOPIC]
    return main(["map", "build", *source, "--output", str(bag.parent / "map"), *options])


@pytest.mark.parametrize(
    "options",
    [
        ["--pose-source", "tf"],
        ["--pose-topic", "/slam/pose"],
        ["--pose-topic", "/slam/pose", "--pose-frame", "base_link"],
    ],
    ids=["tf", "pose", "named"],
)
def test_poses_of_the_base_make_the_map_of_the_camera(bag, capsys, options):
    assert build(bag, *options) == 0
    scene_map = load_map(bag.parent / "map")
    true = np.stack([frame.known_pose() for frame in room_frames()[:10]])
    np.testing.assert_allclose(scene_map.keyframe_poses.numpy(), true, atol=1e-6)
    assert scene_map.information.verdict.state == "consistent"
    capsys.readouterr()
    assert main(["map", "info", str(bag.parent / "map")]) == 0
    (line,) = [o for o in capsys.readouterr().out.splitlines() if o.startswith("left out")]
    assert "2 of 12: no pose of /" in line


def test_the_base_taken_as_the_camera_is_refused_with_the_remedy(bag, capsys):
    assert build(bag, "--pose-topic", "/slam/pose", "--pose-frame", CAMERA_FRAME) == 2
    line = error_line(capsys.readouterr().err)
    assert "images and poses contradict each other" in line
    assert "such as the robot's base" in line
    assert "--pose-frame" in line
    assert not (bag.parent / "map").exists()


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ([], "--bag needs --pose-topic, or --pose-source tf"),
        (["--pose-source", "tf", "--pose-topic", "/slam/pose"], "leave out --pose-topic"),
        (["--pose-source", "tf", "--frame-id", "world"], "from frame 'world' to 'camera_optical"),
    ],
)
def test_sources_that_do_not_go_together_are_named(bag, capsys, options, reason):
    assert build(bag, *options) == 2
    assert reason in error_line(capsys.readouterr().err)
