from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from fuzzing import mangled
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from dense_reloc_ros.errors import InputError
from dense_reloc_ros.geometry.se3 import rigid
from dense_reloc_ros.geometry.trajectory import (
    Trajectory,
    format_stamp,
    parse_stamp,
    read_tum,
    write_tum,
)


def trajectory(stamps: list[int]) -> Trajectory:
    poses = [
        rigid(Rotation.random(random_state=i).as_matrix(), np.array([i, -i, 0.5]))
        for i in range(len(stamps))
    ]
    return Trajectory.from_poses(stamps, poses)


def test_what_is_written_is_read(tmp_path: Path):
    written = trajectory([5, 1_700_000_000_123_456_789, 1_700_000_001_000_000_001])
    write_tum(tmp_path / "poses.tum", written)
    read = read_tum(tmp_path / "poses.tum")
    np.testing.assert_array_equal(read.stamps, written.stamps)
    np.testing.assert_allclose(read.poses, written.poses, atol=1e-8)


def test_a_line_means_camera_to_map(tmp_path: Path):
    # A quarter turn about z: the camera's x axis points along the map's y axis.
    path = tmp_path / "poses.tum"
    path.write_text("# comment\n\n1.5 1 2 3 0 0 0.7071067811865476 0.7071067811865476 # end\n")
    read = read_tum(path)
    assert read.stamps.tolist() == [1_500_000_000]
    np.testing.assert_allclose(read.poses[0] @ [1, 0, 0, 1], [1, 3, 3, 1], atol=1e-12)


def test_lines_are_put_in_the_order_of_time(tmp_path: Path):
    path = tmp_path / "poses.tum"
    path.write_text("2 2 0 0 0 0 0 1\n1 1 0 0 0 0 0 1\n")
    read = read_tum(path)
    assert read.poses[:, 0, 3].tolist() == [1, 2]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "no poses"),
        ("# only a comment\n", "no poses"),
        ("1 0 0 0 0 0 0 1\n2 0 0 0 0 0 1\n", "line 2: 7 numbers"),
        ("1 0 zero 0 0 0 0 1\n", "line 1: .*'zero'"),
        ("1 0 nan 0 0 0 0 1\n", "line 1: .*not finite"),
        ("1 0 0 0 0 0 0 0\n", "line 1: .*non-zero quaternion"),
        ("nan 0 0 0 0 0 0 1\n", "line 1: 'nan' is not a time"),
        ("inf 0 0 0 0 0 0 1\n", "line 1: 'inf' is not a time"),
        ("1 0 0 0 0 0 0 1\n1 2 0 0 0 0 0 1\n", "line 2: an earlier line has another pose"),
    ],
)
def test_what_is_no_trajectory_is_refused_with_the_place(tmp_path: Path, content, message):
    path = tmp_path / "poses.tum"
    path.write_text(content)
    with pytest.raises(InputError, match=message) as caught:
        read_tum(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("make", [Path.mkdir, lambda p: p.write_bytes(b"\xff\xfe\x00"), None])
def test_files_that_cannot_be_read_are_named(tmp_path: Path, make):
    path = tmp_path / "poses.tum"
    if make:
        make(path)
    with pytest.raises(InputError, match=r"poses\.tum: cannot be read"):
        read_tum(path)


@pytest.mark.parametrize("stamp", [0, 1, 999_999_999, 1_700_000_000_000_000_001])
def test_stamps_keep_every_nanosecond(stamp: int):
    assert parse_stamp(format_stamp(stamp)) == stamp


def test_nearest_pose_within_tolerance_agrees_with_a_search_of_all():
    rng = np.random.default_rng(0)
    path = trajectory(sorted(rng.choice(10_000, 50, replace=False).tolist()))
    stamps = rng.integers(-500, 10_500, 300)
    found = path.nearest(stamps, tolerance=60)
    distances = np.abs(path.stamps[None] - stamps[:, None])
    is_near = distances.min(axis=1) <= 60
    assert 0 < is_near.sum() < len(stamps)
    np.testing.assert_array_equal(found >= 0, is_near)
    rows = np.flatnonzero(is_near)
    np.testing.assert_array_equal(distances[rows, found[rows]], distances[rows].min(axis=1))


def test_at_gives_the_pose_or_none():
    path = trajectory([0, 1000])
    np.testing.assert_array_equal(path.at(990, tolerance=10), path.poses[1])
    assert path.at(500, tolerance=10) is None
    assert Trajectory.from_poses([], []).at(0) is None


def test_between_two_poses_it_moves_straight_and_turns_evenly():
    turned = rigid(Rotation.from_euler("y", 80, degrees=True).as_matrix(), np.array([4.0, 0, 2.0]))
    way = Trajectory.from_poses([10, 20], [np.eye(4), turned])
    expected = rigid(Rotation.from_euler("y", 20, degrees=True).as_matrix(), np.array([1, 0, 0.5]))
    assert way.between(10) == pytest.approx(np.eye(4))
    assert way.between(20) == pytest.approx(turned)
    quarter = Trajectory.from_poses([0, 400], [np.eye(4), turned]).between(100)
    assert quarter == pytest.approx(expected)


def test_beyond_its_ends_a_trajectory_has_the_last_pose_for_a_moment():
    way = trajectory([0, 1_000_000_000])
    np.testing.assert_array_equal(way.between(1_000_000_200), way.poses[1])
    assert way.between(1_100_000_000) is None
    assert way.between(-100_000_000) is None


def test_lines_that_are_no_pose_are_left_out_and_named(tmp_path: Path, caplog):
    path = tmp_path / "poses.tum"
    positions = [
        "0 0 0 0 0 0 1",
        "nan 0 0 0 0 0 1",
        "0 0 1 0 0 0 0",
        "1 0 0 0 0 0 1",
        "2 0 0 0 0 0 1",
    ]
    path.write_text("".join(f"{i} {text}\n" for i, text in enumerate(positions, start=1)))
    assert read_tum(path).stamps.tolist() == [10**9, 4 * 10**9, 5 * 10**9]
    assert "2 of 5 poses are left out" in caplog.text
    assert "line 2: " in caplog.text and "line 3: " in caplog.text


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("1403636579.763555584", 1403636579763555584),
        ("1403636579763555584", 1403636579763555584),
        ("1403636579763555", 1403636579763555000),
        ("1403636579763", 1403636579763000000),
        ("12.5", 12500000000),
    ],
)
def test_times_in_other_units_are_told_by_their_size(text, nanoseconds):
    assert parse_stamp(text) == nanoseconds


def test_names_stand_above_their_poses(tmp_path: Path):
    path = tmp_path / "poses.tum"
    write_tum(path, trajectory([2, 1]), ["a b.jpg", "c.jpg"])
    lines = path.read_text().splitlines()
    assert [lines[1], lines[3]] == ["# a b.jpg", "# c.jpg"]
    assert read_tum(path).stamps.tolist() == [1, 2]


@given(st.one_of(st.binary(max_size=150), mangled("1 0 0 0 0 0 0 1\n2 1 0 0 0 0 0 1\n")))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_file_is_a_trajectory_or_one_line(tmp_path: Path, content):
    path = tmp_path / "fuzzed.tum"
    path.write_bytes(content)
    try:
        assert np.isfinite(read_tum(path).poses).all()
    except InputError as error:
        assert str(error).startswith(f"{path}: ") and "\n" not in str(error)


LINE = "1 0 0 0 0 0 0 1\n"


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf" + LINE.encode(),
        b"\xef\xbb\xbf# of Windows\r\n1 0 0 0 0 0 0 1\r\n",
        ("timestamp tx ty tz qx qy qz qw\n" + LINE).encode(),
        ("timestamp,tx,ty,tz,qx,qy,qz,qw\n" + LINE.replace(" ", ",")).encode(),
        (3 * LINE).encode(),
        LINE.replace("0 1\n", "0 -1\n").encode() + LINE.encode(),
    ],
)
def test_marks_headers_and_repeated_lines_are_understood(tmp_path: Path, content):
    path = tmp_path / "poses.tum"
    path.write_bytes(content)
    read = read_tum(path)
    assert read.stamps.tolist() == [1_000_000_000]
    np.testing.assert_array_equal(read.poses, [np.eye(4)])


def test_another_pose_at_the_same_time_is_left_out(tmp_path: Path, caplog):
    path = tmp_path / "poses.tum"
    path.write_text("2 0 0 0 0 0 0 1\n" + LINE + "1 5 0 0 0 0 0 1\n")
    assert read_tum(path).poses[:, 0, 3].tolist() == [0, 0]
    assert "line 3: an earlier line has another pose at the same time" in caplog.text
