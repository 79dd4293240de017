"""The pose by the points of some keyframes, in a query of which the right answer is known."""

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
from dense_reloc_ros.localization.coarse_pose import coarse_pose
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


@pytest.mark.parametrize("keyframes", [[0], [0, 1], [1, 0]])
def test_points_at_the_centres_of_their_cells_give_the_exact_pose(keyframes):
    found = coarse_pose(query(), CAMERA, known_map(), keyframes, TEMPERATURE)
    error = pose_error(found.T_map_view, truth())
    assert error.translation < 1e-4
    assert error.rotation < 1e-4
    assert set(range(SEEN)) <= set(found.supporting_points.tolist())
    assert found.keyframes == tuple(keyframes)


def test_many_points_in_one_cell_support_a_pose_once():
    found = coarse_pose(query(), CAMERA, known_map(), [0], TEMPERATURE)
    assert len(found.supporting_points) == SEEN + REPEATED
    assert found.support == SEEN


def test_keyframes_of_another_place_have_little_support():
    found = coarse_pose(query(), CAMERA, known_map(), [1], TEMPERATURE)
    assert found is None or found.support < SEEN / 3


def test_of_a_keyframe_with_many_observations_some_are_looked_at(monkeypatch):
    monkeypatch.setattr("dense_reloc_ros.localization.coarse_pose.PAIRS", ROWS * COLUMNS * 120)
    many = 600
    alike = query().levels[LEVEL].values[0].flatten(1).T
    rows = torch.arange(many) % (ROWS * COLUMNS)
    scene_map = tiny_map([list(range(many))], alike[rows])
    cells = OFFSET + STRIDE * np.stack([rows % COLUMNS, rows // COLUMNS], axis=1)
    in_view = CAMERA.lift(cells.astype(float), np.random.default_rng(0).uniform(1, 3, many))
    points = in_view @ truth()[:3, :3].T + truth()[:3, 3]
    scene_map = replace(scene_map, points=torch.from_numpy(points).float())
    found = coarse_pose(query(), CAMERA, scene_map, [0], TEMPERATURE)
    assert pose_error(found.T_map_view, truth()).translation < 1e-4
    assert 60 < found.support <= 120


@pytest.mark.parametrize("keyframes", [[], [0]])
def test_of_three_points_or_none_there_is_no_pose(keyframes):
    scene_map = tiny_map([[0, 1, 2]], torch.ones(3, 64))
    assert coarse_pose(query(), CAMERA, scene_map, keyframes, TEMPERATURE) is None
