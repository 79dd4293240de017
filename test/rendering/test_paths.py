import numpy as np
import pytest

from dense_reloc_ros.geometry.se3 import pose_error
from dense_reloc_ros.rendering.paths import (
    VIDEO_RATE,
    Motion,
    mapping_motion,
    mounted_camera,
    query_motion,
)
from dense_reloc_ros.rendering.room import Walkway

WALKWAY = Walkway((1.0, 0.8), (2.0, 1.6))


@pytest.mark.parametrize("make", [mapping_motion, query_motion])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_paths_stay_in_the_walkway_at_a_persons_height(make, seed):
    positions = make(WALKWAY, 80, seed).T_map_base[:, :3, 3]
    assert (np.linalg.norm(positions[:, :2] / WALKWAY.inner, axis=1) >= 1 - 1e-9).all()
    assert (np.linalg.norm(positions[:, :2] / WALKWAY.outer, axis=1) <= 1 + 1e-9).all()
    assert (positions[:, 2] > 1.0).all() and (positions[:, 2] < 1.7).all()


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_query_is_a_smooth_video(seed):
    motion = query_motion(WALKWAY, 120, seed)
    assert np.diff(motion.times) == pytest.approx(1 / VIDEO_RATE)
    steps = [
        pose_error(a, b) for a, b in zip(motion.T_map_base, motion.T_map_base[1:], strict=False)
    ]
    assert max(step.translation for step in steps) * VIDEO_RATE < 1.5
    assert np.rad2deg(max(step.rotation for step in steps)) * VIDEO_RATE < 100
    velocity = np.diff(motion.T_map_base[:, :3, 3], axis=0) * VIDEO_RATE
    assert np.linalg.norm(np.diff(velocity, axis=0), axis=1).max() < 0.15


def test_the_query_does_not_repeat_the_mapping():
    mapped = mapping_motion(WALKWAY, 60, 0).T_map_camera
    for pose in query_motion(WALKWAY, 40, 0).T_map_camera:
        errors = [pose_error(pose, other) for other in mapped]
        assert not any(e.translation < 0.02 and np.rad2deg(e.rotation) < 1 for e in errors)


def test_the_mapping_looks_in_all_directions():
    gaze = mapping_motion(WALKWAY, 60, 0).T_map_camera[:, :2, 2]
    headings = np.sort(np.arctan2(gaze[:, 1], gaze[:, 0]))
    gaps = np.diff(np.concatenate([headings, headings[:1] + 2 * np.pi]))
    assert np.rad2deg(gaps.max()) < 45


def test_the_camera_looks_ahead_and_slightly_down_and_stands_upright():
    T_base_camera = mounted_camera()
    assert T_base_camera[:3, :3] @ T_base_camera[:3, :3].T == pytest.approx(np.eye(3))
    assert np.linalg.det(T_base_camera[:3, :3]) == pytest.approx(1)
    right, down, forward = T_base_camera[:3, :3].T
    assert forward[0] > 0.98 and forward[2] < 0
    assert right == pytest.approx([0, -1, 0])
    assert down[2] < -0.98


def test_camera_poses_are_the_bases_with_the_mount():
    motion = query_motion(WALKWAY, 5, 0)
    assert isinstance(motion, Motion)
    for camera, base in zip(motion.T_map_camera, motion.T_map_base, strict=True):
        assert camera == pytest.approx(base @ motion.T_base_camera)
