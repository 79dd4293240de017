from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from dense_reloc_ros.bags.bag_reader import BagReader
from dense_reloc_ros.bags.frames import read_frames
from dense_reloc_ros.cli import bag


@pytest.mark.parametrize(
    ("options", "topic"),
    [([], "/camera/image_raw"), (["--compressed"], "/camera/image_raw/compressed")],
)
def test_bag_create_makes_a_bag(tmp_path: Path, capsys, options, topic):
    cv2.imwrite(str(tmp_path / "frame-000030.color.jpg"), np.zeros((24, 32, 3), np.uint8))
    np.savetxt(tmp_path / "frame-000030.pose.txt", np.eye(4))
    matrix = {"rows": 3, "cols": 3, "data": [30.0, 0, 15.5, 0, 30, 11.5, 0, 0, 1]}
    info = {"image_width": 32, "image_height": 24, "camera_matrix": matrix}
    (tmp_path / "info.yaml").write_text(yaml.safe_dump(info))
    parser = argparse.ArgumentParser()
    bag.register(parser.add_subparsers())
    inputs = ["--seven-scenes", str(tmp_path), "--camera-info", str(tmp_path / "info.yaml")]
    arguments = parser.parse_args(
        ["bag", "create", *inputs, "--output", str(tmp_path / "bag"), *options]
    )
    assert arguments.run(arguments) == 0
    assert "1 frames" in capsys.readouterr().out
    with BagReader(tmp_path / "bag") as reader:
        assert topic in reader.topics
        (frame,) = read_frames(reader, pose_topic="/ground_truth/pose")
        assert frame.timestamp == 1.0
        assert frame.camera.fx == 30.0
        np.testing.assert_array_equal(frame.T_map_camera, np.eye(4))
