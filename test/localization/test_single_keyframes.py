"""The pose by the points of one keyframe, in a query of which the right answer is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from retrieval.tiny_map import tiny_map
from torch.nn.functional import normalize

from dense_reloc_ros.features.extractor import DenseFeatures, FeatureLevel
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.geometry.se3 import pose_error
from dense_reloc_ros.localization.single_keyframes import pose_by_keyframe, poses_by_keyframes
from dense_reloc_ros.retrieval.index import LEVEL
from dense_reloc_ros.scene.scene_map import SceneMap

CAMERA = Camera(240, 160, 200.0, 200.0, 119.5, 79.5)
STRIDE, OFFSET = 8, 3.5
ROWS, COLUMNS = 20, 30
TEMPERATURE = 0.05
SEEN, REPEATED, HIDDEN = 60, 20, 40
"""Points in cells of their own, points that share the first one's cell, and points elsewhere."""


def truth() -> np.ndarray:
    """T_map_view."""
    pose = np.eye(4)
    pose[:3, :3] = [[0, 0, 1], [-1, 0, 0], [0, -1, 0]]
    pose[:3, 3] = 1.0, -2.0, 0.5
    return pose


def query() -> DenseFeatures:
    """A descriptor of its own in every cell."""
    generator = torch.Generator().manual_seed(0)
    values = normalize(torch.randn(1, 64, ROWS, COLUMNS, generator=generator), dim=1)
    return DenseFeatures({LEVEL: FeatureLevel(STRIDE, OFFSET, values)}, torch.zeros(1, 4))


def known_map() -> SceneMap:
    """Keyframe 0 sees the points that the query shows, keyframe 1 others."""
    numbers = np.random.default_rng(0)
    cells = numbers.choice(ROWS * COLUMNS, SEEN, replace=False)
    cells = np.concatenate([cells, np.full(REPEATED, cells[0])])
    pixels = OFFSET + STRIDE * np.stack([cells % COLUMNS, cells // COLUMNS], axis=1)
    in_view = CAMERA.lift(pixels.astype(float), numbers.uniform(1.0, 3.0, len(cells)))
    points = in_view @ truth()[:3, :3].T + truth()[:3, 3]
    points = np.concatenate([points, numbers.uniform(-3, 3, (HIDDEN, 3))])
    generator = torch.Generator().manual_seed(1)
    unlike = normalize(torch.randn(HIDDEN, 64, generator=generator), dim=1)
    alike = query().levels[LEVEL].values[0].flatten(1)[:, cells].T
    seen = [list(range(len(cells))), list(range(len(cells), len(points)))]
    scene_map = tiny_map(seen, torch.cat([alike, unlike]))
    return replace(scene_map, points=torch.from_numpy(points).float())


def test_points_at_the_centres_of_their_cells_give_the_exact_pose():
    found = pose_by_keyframe(query(), CAMERA, known_map(), 0, TEMPERATURE)
    error = pose_error(found.T_map_view, truth())
    assert error.translation < 1e-4
    assert error.rotation < 1e-4
    assert set(range(SEEN)) <= set(found.supporting_points.tolist())


def test_many_points_in_one_cell_support_a_pose_once():
    found = pose_by_keyframe(query(), CAMERA, known_map(), 0, TEMPERATURE)
    assert len(found.supporting_points) == SEEN + REPEATED
    assert found.support == SEEN


@pytest.mark.parametrize("keyframes", [[0, 1], [1, 0]])
def test_the_keyframe_that_shows_the_same_has_the_most_support(keyframes):
    poses = poses_by_keyframes(query(), CAMERA, known_map(), keyframes, TEMPERATURE)
    assert poses[0].keyframe == 0
    assert all(pose.support < SEEN / 3 for pose in poses[1:])


def test_a_keyframe_of_three_points_has_no_pose():
    scene_map = tiny_map([[0, 1, 2]], torch.ones(3, 64))
    assert pose_by_keyframe(query(), CAMERA, scene_map, 0, TEMPERATURE) is None
