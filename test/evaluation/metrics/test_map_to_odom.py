"""Errors of map -> odom where they follow from how the poses were made."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from dense_reloc_ros.evaluation.metrics.frame_record import FrameRecord
from dense_reloc_ros.evaluation.metrics.map_to_odom import corrections, map_to_odom, with_odometry
from dense_reloc_ros.evaluation.report.map_to_odom_plot import map_to_odom_figure
from dense_reloc_ros.geometry.se3 import rigid
from dense_reloc_ros.geometry.trajectory import Trajectory


def shift(x: float, degrees: float = 0.0) -> np.ndarray:
    turn = Rotation.from_euler("z", degrees, degrees=True).as_matrix()
    return rigid(turn, np.array([x, 0.0, 0.0]))


def drive(errors: list[float | None], drift: float = 0.0) -> list[FrameRecord]:
    """One metre a frame along x; poses are off by `errors` along x, None is no pose.

    Odometry begins where the map does and is `drift` metres short of each metre.
    """
    return [
        FrameRecord(
            stamp=k,
            name=str(k),
            T_map_camera=None if error is None else shift(k + error),
            ground_truth=shift(k),
            T_odom_camera=shift(k * (1 - drift)),
        )
        for k, error in enumerate(errors)
    ]


def test_perfect_poses_correct_any_drift():
    result = map_to_odom(drive([0.0, 0.0, 0.0, 0.0], drift=0.02))
    assert result.frames == 4
    assert result.worst_translation_m == pytest.approx(0, abs=1e-12)
    assert result.within == 1.0
    assert result.drift_translation_m == pytest.approx(0.06)


def test_frames_without_a_pose_keep_the_transform_while_the_odometry_drifts():
    records = drive([None, 0.01, None, None, 0.03, 0.06], drift=0.02)
    errors = [correction.error.translation for correction in corrections(records)]
    # From the first pose on; then 2 cm of drift a frame, of which the pose was 1 cm ahead.
    assert errors == pytest.approx([0.01, 0.01, 0.03, 0.03, 0.06])
    result = map_to_odom(records)
    assert (result.frames, result.within) == (5, 0.8)
    assert result.worst_translation_m == pytest.approx(0.06)
    assert result.median_translation_m == pytest.approx(0.03)
    assert result.drift_translation_m == pytest.approx(0.08)


def test_an_error_of_the_heading_counts_by_the_distance_from_the_odometrys_origin():
    record = replace(drive([0.0] * 4)[3], T_map_camera=shift(3.0, degrees=0.5))
    result = map_to_odom([record])
    assert result.worst_rotation_deg == pytest.approx(0.5)
    assert result.worst_translation_m == pytest.approx(2 * 3.0 * np.sin(np.radians(0.25)))
    assert result.within == 1.0


def test_without_odometry_or_truth_or_poses_there_is_nothing_to_say():
    good = drive([0.0])[0]
    for record in (
        replace(good, T_odom_camera=None),
        replace(good, ground_truth=None),
        replace(good, T_map_camera=None),
    ):
        assert map_to_odom([record]) is None


def test_odometry_goes_to_the_records_of_its_time():
    records = [replace(record, T_odom_camera=None) for record in drive([0.0, 0.0, 0.0])]
    odometry = Trajectory.from_poses([0, 2], [shift(0.0), shift(3.0, 90.0)])
    assert with_odometry(records, None) == records
    poses = [record.T_odom_camera for record in with_odometry(records, odometry)]
    np.testing.assert_allclose(poses, [shift(0.0), shift(1.5, 45.0), shift(3.0, 90.0)], atol=1e-12)


def test_the_plot_shows_both_errors_in_centimetres_and_degrees():
    figure = map_to_odom_figure(corrections(drive([0.01, 0.03], drift=0.02)))
    left, right = figure.axes
    lines = {line.get_label(): line.get_ydata() for line in left.lines}
    assert lines["published"] == pytest.approx([1.0, 3.0])
    assert lines["odometry alone"] == pytest.approx([0.0, 2.0])
    assert [max(line.get_ydata()) for line in right.lines[:2]] == pytest.approx([0.0, 0.0])
