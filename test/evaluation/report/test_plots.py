from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from dense_reloc_ros.evaluation.metrics.frame_record import FrameRecord
from dense_reloc_ros.evaluation.report.plots import error_figure, trajectory_figure, vertical_axis
from dense_reloc_ros.geometry.se3 import rigid


@pytest.mark.parametrize(
    ("up", "expected"),
    [([0, 0, 1], (2, 1.0)), ([0, -1, 0], (1, -1.0)), ([0.3, 0.9, 0.2], (1, 1.0))],
)
def test_the_vertical_is_where_upright_cameras_say(up, expected):
    # A camera whose -y axis points up, turned about the vertical by any angle.
    y = -np.array(up) / np.linalg.norm(up)
    z = np.cross(y, [0.12, 0.34, 0.56])
    z /= np.linalg.norm(z)
    upright = np.stack([np.cross(y, z), y, z], axis=1)
    turns = Rotation.from_rotvec(np.linspace(0, 6, 20)[:, None] * y).as_matrix()
    poses = np.array([rigid(turn @ upright, np.zeros(3)) for turn in turns])
    assert vertical_axis(poses) == expected


def test_north_is_left_of_east_seen_from_above():
    """In a map with z up, x points right and y up in the drawing; with y down, x right and z up."""
    records = []
    for index, position in enumerate([[0, 0, 0], [1, 0, 0], [1, 2, 0]]):
        level = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
        pose = rigid(level, np.array(position, dtype=float))
        records.append(FrameRecord(index * 10**8, str(index), pose, ground_truth=pose))
    above = trajectory_figure(records).axes[0]
    assert (above.get_xlabel(), above.get_ylabel()) == ("x (m)", "y (m)")
    np.testing.assert_array_equal(above.lines[0].get_xydata(), [[0, 0], [1, 0], [1, 2]])
    flat = [replace(r, ground_truth=rigid(np.eye(3), r.ground_truth[:3, 3])) for r in records]
    above = trajectory_figure(flat).axes[0]
    assert (above.get_xlabel(), above.get_ylabel()) == ("x (m)", "z (m)")


def test_keyframes_are_drawn_from_above(make_record):
    poses = np.tile(np.eye(4), (2, 1, 1))
    poses[1, :3, 3] = [1.0, 2.0, 3.0]
    above = trajectory_figure([make_record(0)], poses).axes[0]
    names = [above.get_xlabel(), above.get_ylabel()]
    columns = ["xyz".index(name[0]) for name in names]
    drawn = {line.get_label(): line.get_xydata() for line in above.lines}["keyframe"]
    np.testing.assert_array_equal(drawn, poses[:, columns, 3])


def test_stray_poses_are_counted_and_do_not_shrink_the_drawing(make_record):
    records = [make_record(i, metres=0.01) for i in range(5)] + [make_record(5, metres=500.0)]
    above = trajectory_figure(records).axes[0]
    assert above.get_title() == "from above (1 poses lie outside)"
    assert above.get_xlim()[1] - above.get_xlim()[0] < 20


def test_errors_are_drawn_at_their_time_and_rejected_frames_marked(make_record):
    records = [
        make_record(2, metres=0.02, degrees=1.0),
        make_record(3, localized=False),
        make_record(4, metres=0.5, degrees=2.0),
        make_record(5, ground_truth=False),
    ]
    upper, lower = error_figure(records).axes
    lines = {line.get_label(): line.get_xydata() for line in upper.lines}
    localized = lines["localized"][np.isfinite(lines["localized"]).all(axis=1)]
    np.testing.assert_allclose(localized, [[0.0, 0.02]], atol=1e-9)
    np.testing.assert_allclose(lines["wrong"], [[0.2, 0.5]], atol=1e-9)
    np.testing.assert_allclose(lines["rejected"][:, 0], [0.1])
    degrees = {line.get_label(): line.get_xydata() for line in lower.lines}["wrong"]
    np.testing.assert_allclose(degrees, [[0.2, 2.0]], atol=1e-6)
    assert upper.get_yscale() == lower.get_yscale() == "log"
