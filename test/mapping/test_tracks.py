"""Points merged across keyframes, against a world whose points are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.geometry.se3 import rigid
from dense_reloc_ros.mapping.tracks import LiftedKeyframe, merge_points

CAMERA = Camera(640, 480, 525.0, 525.0, 320.0, 240.0)


def world(rng: np.random.Generator) -> np.ndarray:
    """Points on a grid at varied depth, at least 25 pixels apart in every view below."""
    columns, rows = np.meshgrid(np.linspace(-1.0, 1.0, 12), np.linspace(-0.7, 0.7, 9))
    return np.column_stack([columns.ravel(), rows.ravel(), rng.uniform(2.6, 3.0, columns.size)])


def look(
    points: np.ndarray,
    position: tuple[float, float, float],
    turn_degrees: float,
    rng: np.random.Generator,
    pixel_noise: float = 0.0,
    depth_noise: float = 0.0,
) -> tuple[LiftedKeyframe, np.ndarray]:
    """What a camera sees of the points: its keypoints, and which points they are."""
    rotation = Rotation.from_euler("y", turn_degrees, degrees=True).as_matrix()
    local = (points - position) @ rotation
    pixels = local[:, :2] / local[:, 2:] * 525.0 + [320.0, 240.0]
    pixels += rng.normal(0, pixel_noise, pixels.shape) if pixel_noise else 0.0
    seen = np.flatnonzero((pixels > 0).all(1) & (pixels < [640, 480]).all(1))
    seen = rng.permutation(seen)
    z = local[seen, 2] * (1 + rng.normal(0, depth_noise or 1e-12, len(seen)))
    rays = np.column_stack([(pixels[seen] - [320.0, 240.0]) / 525.0, np.ones(len(seen))])
    lifted = (rays * z[:, None]) @ rotation.T + position
    pose = rigid(rotation, np.array(position))
    return LiftedKeyframe(CAMERA, pose, pixels[seen].astype(np.float32), lifted), seen


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(3)


def test_each_point_is_made_once_however_many_keyframes_see_it(rng):
    points = world(rng)
    views = [look(points, (0.1 * k, 0.02 * k, 0.0), -2.0 * k, rng) for k in range(6)]
    placed, tracks = merge_points([keyframe for keyframe, _ in views])
    seen_by_any = np.unique(np.concatenate([seen for _, seen in views]))
    assert len(placed) == len(seen_by_any)
    for (_, seen), track in zip(views, tracks, strict=True):
        np.testing.assert_allclose(placed[track], points[seen], atol=1e-4)


def test_a_keyframe_sees_a_point_at_most_once(rng):
    keyframe, _ = look(world(rng), (0, 0, 0), 0.0, rng)
    doubled = replace(
        keyframe,
        pixels=np.concatenate([keyframe.pixels, keyframe.pixels + np.float32(0.8)]),
        points=np.concatenate([keyframe.points, keyframe.points + 0.004]),
    )
    _, tracks = merge_points([keyframe, doubled])
    assert len(np.unique(tracks[1])) == len(tracks[1])
    np.testing.assert_array_equal(tracks[1][: len(tracks[0])], tracks[0])


def test_merging_places_noisy_points_better_than_one_view_does(rng):
    points = world(rng)
    views = [
        look(points, (0.15 * k, 0.0, 0.0), -3.0 * k, rng, pixel_noise=0.3, depth_noise=0.01)
        for k in range(6)
    ]
    placed, tracks = merge_points([keyframe for keyframe, _ in views])
    lengths = np.bincount(np.concatenate(tracks))
    truth = np.zeros_like(placed)
    for (_, seen), track in zip(views, tracks, strict=True):
        truth[track] = points[seen]
    long = lengths >= 4
    assert long.sum() > 60
    single = np.concatenate([k.points - points[seen] for k, seen in views])
    merged = np.linalg.norm(placed - truth, axis=1)[long]
    assert np.median(merged) < 0.6 * np.median(np.linalg.norm(single, axis=1))


def test_surfaces_behind_each_other_stay_apart(rng):
    points = world(rng)
    first, _ = look(points, (0, 0, 0), 0.0, rng)
    # The same pixels, but everything is 20 % farther away.
    second = replace(first, points=first.points * 1.2)
    placed, tracks = merge_points([first, second])
    assert len(placed) == 2 * len(first.points)
    assert not set(tracks[0]) & set(tracks[1])


def test_one_wrong_depth_does_not_pull_the_point(rng):
    points = world(rng)
    views = [look(points, (0.05 * k, 0.0, 0.0), 0.0, rng) for k in range(6)]
    keyframe, seen = views[3]
    wrong = keyframe.points.copy()
    centre = keyframe.T_map_camera[:3, 3]
    wrong[0] = centre + (wrong[0] - centre) * 1.028  # Just within what is merged.
    keyframes = [k for k, _ in views]
    keyframes[3] = replace(keyframe, points=wrong)
    placed, tracks = merge_points(keyframes)
    assert tracks[3][0] in tracks[0]
    # The plain mean of the six would be off by 13 mm.
    assert np.linalg.norm(placed[tracks[3][0]] - points[seen[0]]) < 0.009


def test_an_observation_that_its_point_misses_becomes_its_own_point(rng):
    points = world(rng)
    views = [look(points, (0.0, 0.0, 0.0), 0.0, rng) for _ in range(3)]
    far, seen = look(points, (1.2, 0.0, 0.8), -20.0, rng)
    # Displaced along the first cameras' rays: the same pixel there, another one here.
    moved = far.points * 1.02
    placed, tracks = merge_points([*(k for k, _ in views), replace(far, points=moved)])
    reprojected = far.project(placed[tracks[3]])
    assert np.linalg.norm(reprojected - far.pixels, axis=1).max() < 10.0
    attached = np.isin(tracks[3], tracks[0])
    misses = np.linalg.norm(far.project(points[seen]) - far.project(moved), axis=1)
    assert not attached[misses > 6.0].any()
    assert (misses > 6.0).any()


def test_keyframes_without_keypoints_are_no_problem(rng):
    keyframe, seen = look(world(rng), (0, 0, 0), 0.0, rng)
    empty = replace(keyframe, pixels=keyframe.pixels[:0], points=keyframe.points[:0])
    placed, tracks = merge_points([empty, keyframe, empty, keyframe])
    assert len(placed) == len(seen)
    assert [len(track) for track in tracks] == [0, len(seen), 0, len(seen)]
    assert merge_points([empty])[0].shape == (0, 3)


def test_keyframes_that_look_the_other_way_share_nothing(rng):
    points = world(rng)
    keyframe, _ = look(points, (0, 0, 0), 0.0, rng)
    behind, _ = look(points * [1, 1, -1], (0, 0, 0), 180.0, rng)
    placed, _ = merge_points([keyframe, behind])
    assert len(placed) == len(keyframe.points) + len(behind.points)
