"""Fine matches that hallucinated maps choose among cells that look alike."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from dense_reloc_ros.features.extractor import DenseFeatures, FeatureLevel
from dense_reloc_ros.geometry.se3 import inverse, pose_error, rigid
from dense_reloc_ros.localization.likely_matches import pose_by_likely_matches
from dense_reloc_ros.neurhal.hallucinator import HallucinatedMaps
from dense_reloc_ros.neurhal.padding import CorrespondencePlane
from dense_reloc_ros.neurhal.plane_problem import PlaneProblem

PLANE = CorrespondencePlane.around((12, 16), 16, 7.5, 0.5)
PLANE_INTRINSICS = torch.tensor([210.0, 210.0, 127.5, 95.5])
SCALE = 2.5
INTRINSICS = torch.tensor([525.0, 525.0, 319.5, 239.5])
"""Of the same camera with an image of 640x480."""
POINTS = 60
T_CAMERA_MAP = rigid(np.eye(3), np.array([0.2, -0.1, 0.4]))


@pytest.fixture
def scene() -> tuple[torch.Tensor, DenseFeatures, torch.Tensor, torch.Tensor]:
    """Points that are each seen in one fine cell, and look the same in one elsewhere."""
    rng = np.random.default_rng(0)
    cells = torch.from_numpy(rng.choice(160 * 120, 2 * POINTS, replace=False))
    grid = torch.stack([cells % 160, cells // 160], 1).float()
    descriptors = torch.from_numpy(rng.normal(size=(POINTS, 64))).float()
    descriptors = torch.nn.functional.normalize(descriptors, dim=1)
    values = torch.zeros(64, 160 * 120)
    values[:, cells[:POINTS]] = 0.9 * descriptors.T
    values[:, cells[POINTS:]] = descriptors.T
    level = FeatureLevel(4, 1.5, values.reshape(1, 64, 120, 160))
    pixels = level.cells_to_pixels(grid[:POINTS])
    depth = torch.from_numpy(rng.uniform(1.5, 4.0, (POINTS, 1))).float()
    rays = torch.cat([(pixels - INTRINSICS[2:]) / INTRINSICS[:2], torch.ones(POINTS, 1)], 1)
    T = torch.from_numpy(inverse(T_CAMERA_MAP)).float()
    points = (rays * depth) @ T[:3, :3].T + T[:3, 3]
    return (
        points,
        DenseFeatures({"fine": level}, torch.zeros(1, 1)),
        descriptors,
        (pixels + 0.5) / SCALE - 0.5,
    )


def plane_with(points: torch.Tensor, pixels: torch.Tensor) -> PlaneProblem:
    """Maps that are flat within 20 pixels of the network's image and next to nothing elsewhere."""
    off = (PLANE.centres() - pixels[:, None, None]).norm(dim=-1)
    log_maps = torch.where(off < 20, 0.0, -20.0).flatten(1).log_softmax(1).reshape(off.shape)
    maps = HallucinatedMaps(log_maps[None], PLANE)
    return PlaneProblem.joined([maps], [points], PLANE_INTRINSICS)


def test_the_right_ones_of_equal_cells_are_those_that_are_likely(scene):
    points, features, descriptors, there = scene
    plane = plane_with(points, there)
    found = pose_by_likely_matches(features, INTRINSICS, plane, descriptors)
    error = pose_error(inverse(T_CAMERA_MAP), inverse(found.double().numpy()))
    assert error.translation < 0.01
    assert math.degrees(error.rotation) < 0.2


def test_points_that_are_likely_outside_of_the_image_match_nothing(scene):
    points, features, descriptors, there = scene
    plane = plane_with(points, there - torch.tensor([1000.0, 0.0]))
    assert pose_by_likely_matches(features, INTRINSICS, plane, descriptors) is None
