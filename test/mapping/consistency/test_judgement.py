"""Recordings that cannot be maps are refused with their cause; good ones never are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from mapping.consistency.room_frames import room_frames
from scipy.spatial.transform import Rotation

from dense_reloc_ros.errors import InputError
from dense_reloc_ros.geometry.se3 import inverse, rigid
from dense_reloc_ros.mapping.consistency.judgement import judge_frames, judge_pairs
from dense_reloc_ros.mapping.consistency.view_pairs import ViewPair, view_pairs
from dense_reloc_ros.mapping.sources.pose_convention import (
    AS_USUAL,
    T_GIVEN_OPTICAL,
    PoseConvention,
)
from dense_reloc_ros.scene.progress import silent
from dense_reloc_ros.scene.verdict import MapVerdict

BASE = rigid(
    Rotation.from_euler("xyz", [10, 20, -15], degrees=True).as_matrix()
    @ T_GIVEN_OPTICAL["ros"][:3, :3],
    np.array([0.3, 0.05, 0.4]),
)
"""T_base_camera of a camera that looks down and aside."""


@pytest.fixture(scope="module")
def pairs() -> list[ViewPair]:
    return view_pairs(room_frames(), silent)


@pytest.fixture(scope="module")
def poses() -> np.ndarray:
    return np.stack([frame.known_pose() for frame in room_frames()])


def judge(pairs, poses, has_depth=True, convention=AS_USUAL, scale=1000.0) -> MapVerdict:
    return judge_pairs(pairs, poses, has_depth, convention, scale)


def with_depth(pairs: list[ViewPair], factor: float) -> list[ViewPair]:
    return [replace(p, depths=(p.depths[0] * factor, p.depths[1] * factor)) for p in pairs]


def without_depth(pairs: list[ViewPair]) -> list[ViewPair]:
    return with_depth(pairs, np.nan)


def in_unit(poses: np.ndarray, per_metre: float) -> np.ndarray:
    scaled = poses.copy()
    scaled[:, :3, 3] *= per_metre
    return scaled


def test_a_good_recording_is_consistent(pairs, poses):
    verdict = judge(pairs, poses)
    assert (verdict.state, verdict.agreeing) == ("consistent", verdict.pairs)
    assert verdict.pairs >= 6
    assert verdict.error_degrees < 0.1
    assert verdict.depth_factor == pytest.approx(1.0, abs=0.01)


def test_a_good_recording_without_depth_is_consistent(pairs, poses):
    verdict = judge(without_depth(pairs), poses, has_depth=False)
    assert (verdict.state, verdict.depth_factor) == ("consistent", None)


def test_far_away_from_the_origin_nothing_changes(pairs, poses):
    shifted = poses.copy()
    shifted[:, :3, 3] += [500_000, 4_500_000, 100]
    assert judge(pairs, shifted).state == "consistent"


WRONG_POSES: dict[str, tuple[Callable[[np.ndarray], np.ndarray], str]] = {
    "inverted": (inverse, "the poses look inverted: try --poses world-to-camera"),
    "OpenGL": (
        lambda poses: poses @ T_GIVEN_OPTICAL["opengl"],
        "the axes look like OpenGL's: try --axes opengl",
    ),
    "inverted OpenGL": (
        lambda poses: inverse(poses @ T_GIVEN_OPTICAL["opengl"]),
        "try --poses world-to-camera --axes opengl",
    ),
    "body axes": (
        lambda poses: poses @ inverse(T_GIVEN_OPTICAL["ros"]),
        "such as the robot's base: try --axes ros (in bags --pose-frame base_link)",
    ),
    "robot's base": (lambda poses: poses @ inverse(BASE), "another body than the camera's optical"),
    "of other images": (lambda poses: np.roll(poses, 4, axis=0), "do not belong to these images"),
}


@pytest.mark.parametrize("has_depth", [True, False])
@pytest.mark.parametrize("wrong", WRONG_POSES)
def test_wrong_poses_are_refused_with_their_cause(pairs, poses, wrong, has_depth):
    change, cause = WRONG_POSES[wrong]
    seen = pairs if has_depth else without_depth(pairs)
    with pytest.raises(InputError, match="contradict each other") as error:
        judge(seen, change(poses), has_depth)
    assert cause in str(error.value)


@pytest.mark.parametrize(
    ("factor", "taken", "cause"),
    [
        (5.0, 1000.0, "depth looks 5 times too large: try --depth-scale 5000"),
        (0.2, 5000.0, "depth looks 5 times too small: try --depth-scale 1000"),
        (0.001, 1000.0, "1000 times too small: try --depth-scale 1"),
        (1000.0, 1.0, "1000 times too large: try --depth-scale 1000"),
        (3.90625, 1000.0, "try --depth-scale 4000"),
        (0.256, 1000.0, "try --depth-scale 256"),
    ],
)
def test_depth_of_another_unit_is_refused_with_its_scale(pairs, poses, factor, taken, cause):
    with pytest.raises(InputError, match="contradict each other") as error:
        judge(with_depth(pairs, factor), poses, scale=taken)
    assert cause in str(error.value)


@pytest.mark.parametrize("per_metre", [1000, 100])
def test_positions_of_another_unit_are_refused_with_their_scale(pairs, poses, per_metre):
    with pytest.raises(InputError, match=f"--pose-scale {per_metre} \\("):
        judge(pairs, in_unit(poses, per_metre))


def test_several_wrongs_are_named_together(pairs, poses):
    wrong = inverse(in_unit(poses, 1000) @ T_GIVEN_OPTICAL["opengl"])
    with pytest.raises(InputError) as error:
        judge(pairs, wrong)
    assert "--poses world-to-camera --axes opengl --pose-scale 1000" in str(error.value)


@pytest.mark.parametrize(
    "convention",
    [
        PoseConvention("world-to-camera"),
        PoseConvention("camera-to-world", "opengl"),
        PoseConvention("world-to-camera", "ros", 1000.0),
    ],
)
def test_the_named_options_make_it_right(pairs, poses, convention):
    given = convention.given(poses)
    understood = convention.T_map_camera(given)
    np.testing.assert_allclose(understood, poses, atol=1e-12)
    assert judge(pairs, understood, convention=convention).state == "consistent"


def test_an_option_that_is_wrong_is_taken_back(pairs, poses):
    convention = PoseConvention("world-to-camera")
    with pytest.raises(InputError, match="try --poses camera-to-world"):
        judge(pairs, convention.T_map_camera(poses), convention=convention)


def test_depth_that_is_a_little_off_is_doubtful(pairs, poses):
    verdict = judge(with_depth(pairs, 1.12), poses)
    assert verdict.state == "doubtful"
    assert verdict.depth_factor == pytest.approx(1.12, rel=0.01)
    assert "1.12 times too large" in verdict.reason


def test_noisy_poses_are_not_refused(pairs, poses):
    rng = np.random.default_rng(0)
    noisy = poses.copy()
    turns = Rotation.from_rotvec(rng.normal(0, np.deg2rad(0.5), (len(poses), 3))).as_matrix()
    noisy[:, :3, :3] @= turns
    noisy[:, :3, 3] += rng.normal(0, 0.01, (len(poses), 3))
    assert judge(pairs, noisy).state in ("consistent", "doubtful")
    assert judge(without_depth(pairs), noisy, has_depth=False).state in ("consistent", "doubtful")


def test_a_camera_that_only_turns_is_judged_by_its_rotation():
    frames = room_frames(turning_only=True)
    assert judge_frames(frames, has_depth=True).state == "consistent"
    inverted = [replace(f, T_map_camera=inverse(f.known_pose())) for f in frames]
    with pytest.raises(InputError, match="--poses world-to-camera"):
        judge_frames(inverted, has_depth=True)


def test_five_keyframes_are_judged_by_what_they_share():
    assert judge_frames(room_frames()[:10:2], has_depth=True).state == "consistent"


def test_frames_that_share_nothing_are_not_judged():
    verdict = judge_frames(room_frames()[::8], has_depth=True)
    assert (verdict.state, verdict.error_degrees) == ("unknown", None)
