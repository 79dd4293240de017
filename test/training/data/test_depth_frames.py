"""Visibility in a scene made by hand: a wall 2 m away, the target behind a board 1 m away."""

import numpy as np
import pytest
from training.data.clean_pairs import blobs

from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.training.data.depth_frames import (
    DepthFrame,
    DepthViews,
    check_depth,
    overlapping_pairs,
    thinned,
)

CAMERA = Camera(160, 120, 150.0, 150.0, 79.5, 59.5)
WALL, BOARD = 2.0, 1.0
BASELINE = 0.2


def frame(depth: np.ndarray, x: float = 0.0) -> DepthFrame:
    pose = np.eye(4)
    pose[0, 3] = x
    reliable = depth > 0
    return DepthFrame(blobs(120, 160, 0), depth.astype(np.float32), reliable, CAMERA, pose)


@pytest.fixture
def wall() -> DepthFrame:
    return frame(np.full((120, 160), WALL))


@pytest.fixture
def target() -> DepthFrame:
    """Moved to the right: a board hides columns 40 to 59; nothing is known from 100 to 119."""
    depth = np.full((120, 160), WALL)
    depth[:, 40:60] = BOARD
    depth[:, 100:120] = 0
    return frame(depth, BASELINE)


def wall_point(column: float) -> list[float]:
    """What a camera sees on the wall, in its own frame."""
    return [(column - 79.5) / 150 * WALL, 0.1, WALL]


def test_points_behind_something_are_hidden_and_those_without_depth_undecided(target):
    columns = (20.0, 50.0, 110.0, 140.0, 170.0)
    points = np.array([wall_point(column) for column in columns])
    seen, usable = check_depth(points, target, 0.02)
    assert seen.tolist() == [True, False, False, True, False]
    assert usable.tolist() == [True, True, False, True, True]


def test_a_point_in_front_of_what_is_seen_is_undecided(target):
    points = np.array([[0.0, 0.0, WALL * 0.9], [0.0, 0.0, WALL * 0.985]])
    seen, usable = check_depth(points, target, 0.02)
    assert seen.tolist() == usable.tolist() == [False, True]


def test_pairs_follow_the_depth(wall, target):
    views = DepthViews((120, 160), 300, zoom=1.0, tolerance=0.02)
    pair = views.make(wall, target, 3, np.random.default_rng(0))
    assert pair.place == 3
    x = pair.target_pixels[:, 0]
    # The wall moves by f * baseline / depth to the left.
    shift = 150 * BASELINE / WALL
    assert pair.target_pixels == pytest.approx(pair.source_pixels - (shift, 0))
    known = np.abs(x[:, None] - (39.5, 59.5, 99.5, 119.5)).min(axis=1) > 1
    expected = (x >= 0) & ~((x > 39.5) & (x < 59.5))
    assert (pair.visible == expected)[known].all()
    assert not ((x > 100.5) & (x < 118.5)).any()
    assert pair.visible.sum() > 100 and (~pair.visible).sum() > 30
    rays = (pair.source_pixels - (79.5, 59.5)) / 150
    assert pair.pose is not None
    assert pair.pose.points == pytest.approx(np.column_stack([rays * WALL, np.full(len(x), WALL)]))
    assert pair.pose.T_target_source[:3, 3] == pytest.approx([-BASELINE, 0, 0])


def test_crops_move_pixels_and_intrinsics_alike(wall, target):
    views = DepthViews((90, 120), 200, zoom=2.0, tolerance=0.02)
    for number in range(10):
        pair = views.make(wall, target, 0, np.random.default_rng(number))
        assert pair.source_image.shape == (90, 120, 3) and pair.pose is not None
        for pixels, k, points in (
            (pair.source_pixels, pair.pose.source_intrinsics, pair.pose.points),
            (
                pair.target_pixels,
                pair.pose.target_intrinsics,
                pair.pose.points - [BASELINE, 0, 0],
            ),
        ):
            projected = points[:, :2] / points[:, 2:] * k[:2] + k[2:]
            assert projected == pytest.approx(pixels, abs=1e-6)
        x, y = pair.target_pixels.T
        inside = (x >= 0) & (x <= 119) & (y >= 0) & (y <= 89)
        assert not (pair.visible & ~inside).any()


def test_thinned_frame_sees_the_same_points_at_the_same_depth(target):
    coarse = thinned(target, 4)
    assert coarse.image.shape == (30, 40, 3) and coarse.depth.shape == (30, 40)
    # Columns 40, 44 ... of the target are columns 10, 11 ... of it.
    assert (coarse.depth[:, 10:15] == BOARD).all() and (coarse.depth[:, :10] == WALL).all()
    points = np.array([wall_point(column) for column in (20.0, 50.0, 108.0, 140.0, 170.0)])
    for fine, thin in zip(
        check_depth(points, target, 0.02), check_depth(points, coarse, 0.02), strict=True
    ):
        assert fine.tolist() == thin.tolist()


def test_only_frames_that_see_the_same_are_paired(wall, target):
    turned = frame(np.full((120, 160), WALL))
    turned.T_map_camera[:3, :3] = np.diag([-1.0, 1.0, -1.0])
    pairs = overlapping_pairs([wall, target, turned], 0.3, 0.1)
    assert sorted(map(tuple, pairs.tolist())) == [(0, 1), (1, 0)]
    assert overlapping_pairs([wall, target], 0.95, 0.1).shape == (0, 2)
