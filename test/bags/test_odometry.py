"""Odometry in bags written here, whose poses are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from dense_reloc_ros.bags.bag_reader import BagReader
from dense_reloc_ros.bags.bag_writer import BagWriter
from dense_reloc_ros.bags.odometry import read_odometry
from dense_reloc_ros.bags.topics import BASE_FRAME, CAMERA_FRAME, ODOMETRY_FRAME
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.geometry.se3 import rigid
from dense_reloc_ros.geometry.trajectory import Trajectory

CAMERA = Camera(8, 6, 8.0, 8.0, 3.5, 2.5)
T_BASE_CAMERA = rigid(Rotation.random(random_state=1).as_matrix(), np.array([0.1, 0.2, 0.5]))
T_ODOM_BASE = [
    rigid(Rotation.random(random_state=k).as_matrix(), np.array([k, -k, 0.0])) for k in range(2, 5)
]


def record(path: Path, odom_frame: str | None = ODOMETRY_FRAME, mounted: bool = True) -> Path:
    """Three images and transforms at 1, 2 and 3 s."""
    with BagWriter(path, CAMERA) as bag:
        if mounted:
            bag.write_static_tf(0, BASE_FRAME, CAMERA_FRAME, T_BASE_CAMERA)
        for second, T_odom_base in enumerate(T_ODOM_BASE, start=1):
            bag.write_image(second * 10**9, np.zeros((6, 8, 3), np.uint8))
            if odom_frame:
                bag.write_tf(second * 10**9, odom_frame, BASE_FRAME, T_odom_base)
    return path


def read(path: Path) -> Trajectory | None:
    with BagReader(path) as bag:
        return read_odometry(bag)


def test_it_is_the_way_of_the_camera(tmp_path):
    odometry = read(record(tmp_path / "bag"))
    assert odometry.stamps.tolist() == [1_000_000_000, 2_000_000_000, 3_000_000_000]
    np.testing.assert_allclose(odometry.poses, T_ODOM_BASE @ T_BASE_CAMERA, atol=1e-12)


@pytest.mark.parametrize("odom_frame", [None, "map"])
def test_without_odometry_there_is_none(tmp_path, odom_frame):
    assert read(record(tmp_path / "bag", odom_frame)) is None


def test_odometry_of_a_body_elsewhere_is_not_used_and_that_is_logged(tmp_path, caplog):
    assert read(record(tmp_path / "bag", mounted=False)) is None
    assert "no static transforms lead from frame 'base_link'" in caplog.text
