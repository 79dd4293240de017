"""Points of a wall whose depth camera errs, moved back by features that tell every place apart."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pose.synthetic import position_code

from dense_reloc_ros.features.extractor import (
    DenseFeatures,
    FeatureLevel,
    FeatureSignature,
    LevelSignature,
)
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.geometry.se3 import rigid
from dense_reloc_ros.scene import refinement
from dense_reloc_ros.scene.assembly import DescribedKeyframe, MapParts, assemble_map
from dense_reloc_ros.scene.describing import KeyframeDescription
from dense_reloc_ros.scene.refinement import refine_points
from dense_reloc_ros.scene.scene_map import SceneMap

CAMERA = Camera(320, 240, 260.0, 262.0, 158.0, 121.0)
WALL_DEPTH = 2.0
CENTRES = np.array([[0.35 * k - 0.7, 0.05 * (-1) ** k, 0.1 * (k % 2)] for k in range(5)])
"""Of cameras that look straight at the wall."""
POINTS_EACH = 30
STRIDE, CHANNELS = 4, 256
BIAS = 0.03
"""Share by which the depth camera sees the wall too far away."""
LIKENESS = 0.7 * STRIDE * WALL_DEPTH / CAMERA.fx / refinement.TEMPERATURE**0.5
"""Metres on the wall over which features change, so that a match is 0.7 cells wide."""


def on_wall(keyframe: int, pixels: np.ndarray) -> np.ndarray:
    """The points (..., 3) of the wall that a keyframe sees at pixels (..., 2)."""
    plane = (pixels - [CAMERA.cx, CAMERA.cy]) / [CAMERA.fx, CAMERA.fy]
    rays = np.concatenate([plane, np.ones_like(plane[..., :1])], axis=-1)
    return CENTRES[keyframe] + rays * (WALL_DEPTH - CENTRES[keyframe, 2])


def code(points: np.ndarray) -> torch.Tensor:
    return position_code(torch.from_numpy(points), LIKENESS, CHANNELS)


def features_of(keyframe: int) -> DenseFeatures:
    offset = (STRIDE - 1) / 2
    rows, columns = np.mgrid[: CAMERA.height // STRIDE, : CAMERA.width // STRIDE]
    centres = np.stack([columns, rows], axis=-1) * STRIDE + offset
    values = code(on_wall(keyframe, centres)).float().permute(2, 0, 1)[None]
    return DenseFeatures({"fine": FeatureLevel(STRIDE, offset, values)}, torch.zeros(1, 1))


def true_points() -> tuple[np.ndarray, np.ndarray]:
    """Pixels (K, N, 2) of each keyframe's own points, and the points (K * N, 3)."""
    rng = np.random.default_rng(0)
    low, high = [20, 20], [CAMERA.width - 21, CAMERA.height - 21]
    pixels = rng.uniform(low, high, (len(CENTRES), POINTS_EACH, 2))
    return pixels, np.concatenate([on_wall(k, pixels[k]) for k in range(len(CENTRES))])


def biased_map(is_seen_elsewhere: np.ndarray) -> SceneMap:
    """Every point with one observation and too deep; some look like nothing on the wall."""
    pixels, truth = true_points()
    centres = np.repeat(CENTRES, POINTS_EACH, axis=0)
    points = centres + (truth - centres) * (1 + BIAS)
    descriptors = code(truth).float() * torch.from_numpy(is_seen_elsewhere)[:, None]
    keyframes = [
        DescribedKeyframe(
            f"frame-{k:06d}",
            CAMERA,
            rigid(np.eye(3), CENTRES[k]),
            KeyframeDescription(
                pixels[k].astype(np.float32),
                {"fine": descriptors[k * POINTS_EACH : (k + 1) * POINTS_EACH]},
                {"gem": torch.zeros(1)},
            ).stored(),
        )
        for k in range(len(CENTRES))
    ]
    tracks = list(np.arange(len(truth)).reshape(len(CENTRES), POINTS_EACH))
    levels = {"fine": LevelSignature(stride=STRIDE, channels=CHANNELS)}
    signature = FeatureSignature(method="nre", network="code", weights_sha256="", levels=levels)
    return assemble_map(MapParts(keyframes, points, tracks, {}, signature), "map", "")


@pytest.fixture(scope="module")
def refined() -> tuple[SceneMap, SceneMap, np.ndarray]:
    """The map before and after, and which points (P,) other keyframes recognize."""
    is_seen_elsewhere = np.arange(len(CENTRES) * POINTS_EACH) % 3 > 0
    before = biased_map(is_seen_elsewhere)
    return before, refine_points(before, features_of), is_seen_elsewhere


def test_points_that_others_see_move_to_the_truth(refined):
    before, after, is_seen_elsewhere = refined
    _, truth = true_points()
    was = np.linalg.norm(before.points.numpy() - truth, axis=1)[is_seen_elsewhere]
    now = np.linalg.norm(after.points.numpy() - truth, axis=1)[is_seen_elsewhere]
    assert was.min() > 0.05
    assert np.median(now) < 0.25 * np.median(was)
    assert (now < was).mean() > 0.95


def test_points_without_matches_stay(refined):
    before, after, is_seen_elsewhere = refined
    moved = (after.points - before.points).norm(dim=1).numpy()
    assert moved[~is_seen_elsewhere].max() < 1e-4
    assert np.median(moved[is_seen_elsewhere]) > 1e-2


def test_points_stay_on_the_ray_of_their_own_pixel(refined):
    _, after, _ = refined
    pixels, _ = true_points()
    centres = np.repeat(CENTRES, POINTS_EACH, axis=0)
    local = after.points.numpy() - centres
    projected = local[:, :2] / local[:, 2:] * [CAMERA.fx, CAMERA.fy] + [CAMERA.cx, CAMERA.cy]
    assert np.abs(projected - pixels.reshape(-1, 2)).max() < 0.5


def test_only_the_points_change(refined):
    before, after, _ = refined
    assert after.points.dtype == torch.float32
    low, high = after.points.aminmax(dim=0)
    assert after.information.bounding_box == (tuple(low.tolist()), tuple(high.tolist()))
    torch.testing.assert_close(after.keyframe_poses, before.keyframe_poses, rtol=0, atol=0)
    torch.testing.assert_close(after.observation_pixels, before.observation_pixels)
    assert after.descriptors is before.descriptors


def test_keyframes_that_look_elsewhere_do_not_matter():
    """A keyframe with the back to the wall, whatever its features are."""
    everything = np.ones(len(CENTRES) * POINTS_EACH, dtype=bool)
    scene_map = biased_map(everything)
    scene_map.keyframe_poses[4, :3, :3] = torch.diag(torch.tensor([-1.0, 1.0, -1.0]))
    after = refine_points(scene_map, features_of)
    assert torch.isfinite(after.points).all()
    _, truth = true_points()
    now = np.linalg.norm(after.points.numpy() - truth, axis=1)
    assert np.median(now[: 4 * POINTS_EACH]) < 0.5 * BIAS * WALL_DEPTH
