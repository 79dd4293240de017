"""Points of a wall whose depth camera errs, moved back by features that tell every place apart."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pose.synthetic import position_code
from scipy.optimize import minimize
from scipy.spatial.transform import Rotation

from dense_reloc_ros.features.extractor import (
    DenseFeatures,
    FeatureLevel,
    FeatureSignature,
    LevelSignature,
)
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.geometry.se3 import rigid
from dense_reloc_ros.mapping import refinement
from dense_reloc_ros.mapping.assembly import DescribedKeyframe, MapParts, assemble_map
from dense_reloc_ros.mapping.describing import KeyframeDescription
from dense_reloc_ros.mapping.refinement import refine_points
from dense_reloc_ros.scene.scene_map import SceneMap

CAMERA = Camera(320, 240, 260.0, 262.0, 158.0, 121.0)
WALL_DEPTH = 2.0
CENTRES = np.array([[0.35 * k - 0.7, 0.05 * (-1) ** k, 0.1 * (k % 2)] for k in range(5)])
ROTATIONS = Rotation.from_euler(
    "yxz", [[12 - 6 * k, 3, 20 * k] for k in range(5)], True
).as_matrix()
"""Of cameras that look at the wall."""
POINTS_EACH = 30
STRIDE, CHANNELS = 4, 256
BIAS = 0.03
"""Share by which the depth camera sees the wall too far away."""
LIKENESS = 0.7 * STRIDE * WALL_DEPTH / CAMERA.fx / refinement.TEMPERATURE**0.5
"""Metres on the wall over which features change, so that a match is 0.7 cells wide."""


def on_wall(keyframe: int, pixels: np.ndarray) -> np.ndarray:
    """The points (..., 3) of the wall that a keyframe sees at pixels (..., 2)."""
    plane = (pixels - [CAMERA.cx, CAMERA.cy]) / [CAMERA.fx, CAMERA.fy]
    rays = np.concatenate([plane, np.ones_like(plane[..., :1])], axis=-1) @ ROTATIONS[keyframe].T
    return CENTRES[keyframe] + rays * ((WALL_DEPTH - CENTRES[keyframe, 2]) / rays[..., 2:])


def projected(keyframe: int, points: np.ndarray) -> np.ndarray:
    """Where a keyframe sees points (..., 3): pixels (..., 2)."""
    local = (points - CENTRES[keyframe]) @ ROTATIONS[keyframe]
    return local[..., :2] / local[..., 2:] * [CAMERA.fx, CAMERA.fy] + [CAMERA.cx, CAMERA.cy]


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


def map_of(
    points: np.ndarray,
    tracks: list[np.ndarray],
    pixels: list[np.ndarray],
    descriptors: list[torch.Tensor],
) -> SceneMap:
    """Points (P, 3); for each keyframe which of them it sees, where, and what they look like."""
    keyframes = [
        DescribedKeyframe(
            f"frame-{k:06d}",
            CAMERA,
            rigid(ROTATIONS[k], CENTRES[k]),
            KeyframeDescription(
                pixels[k].astype(np.float32), {"fine": descriptors[k]}, {"gem": torch.zeros(1)}
            ).stored(),
        )
        for k in range(len(CENTRES))
    ]
    levels = {"fine": LevelSignature(stride=STRIDE, channels=CHANNELS)}
    signature = FeatureSignature(method="nre", network="code", weights_sha256="", levels=levels)
    return assemble_map(MapParts(keyframes, points, tracks, {}, signature), "map", "")


def biased_map(is_seen_elsewhere: np.ndarray) -> SceneMap:
    """Every point with one observation and too deep; some look like nothing on the wall."""
    pixels, truth = true_points()
    centres = np.repeat(CENTRES, POINTS_EACH, axis=0)
    points = centres + (truth - centres) * (1 + BIAS)
    descriptors = code(truth).float() * torch.from_numpy(is_seen_elsewhere)[:, None]
    tracks = list(np.arange(len(truth)).reshape(len(CENTRES), POINTS_EACH))
    return map_of(points, tracks, list(pixels), list(descriptors.split(POINTS_EACH)))


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
    for keyframe, points in enumerate(after.points.numpy().reshape(len(CENTRES), -1, 3)):
        assert np.abs(projected(keyframe, points) - pixels[keyframe]).max() < 0.5


def robust_place(start: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """Minimizes Cauchy's loss of the pixels (K, 2) and the squared error of the first's depth."""
    ray = start - CENTRES[0]
    depth = np.linalg.norm(ray)

    def cost(point: np.ndarray) -> float:
        misses = [np.linalg.norm(projected(k, point) - p) for k, p in enumerate(pixels)]
        scaled = np.array(misses) / refinement.OWN_PIXEL_SIGMA / refinement.ROBUST_PIXELS
        robust = refinement.ROBUST_PIXELS**2 * np.log1p(scaled**2).sum()
        along = (point - start) @ ray / depth / (refinement.DEPTH_SIGMA_SHARE * depth)
        return robust + along**2

    return minimize(cost, start, method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-9}).x


@pytest.mark.parametrize("count", [2, 5])
def test_points_are_placed_where_pixels_and_depth_agree_best(count):
    """The keyframes have observations already, so that nothing is looked for; some are wrong."""
    rng = np.random.default_rng(1)
    _, truth = true_points()
    truth = truth[rng.permutation(len(truth))[:12]]
    pixels = np.stack([projected(k, truth) for k in range(count)])
    pixels += rng.normal(0, 0.3, pixels.shape)
    pixels[2:3, ::3] += 12.0
    points = CENTRES[0] + (truth - CENTRES[0]) * (1 + BIAS)
    unseen = len(CENTRES) - count
    scene_map = map_of(
        points,
        [np.arange(12)] * count + [np.arange(0)] * unseen,
        [*pixels, *np.empty((unseen, 0, 2))],
        [torch.zeros(12, CHANNELS)] * count + [torch.zeros(0, CHANNELS)] * unseen,
    )
    after = refine_points(scene_map, features_of).points.numpy()
    expected = [robust_place(point, pixels[:, i]) for i, point in enumerate(points)]
    assert np.linalg.norm(points - expected, axis=1).min() > 0.01
    np.testing.assert_allclose(after, expected, atol=2e-3)


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
