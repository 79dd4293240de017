"""Pixels of references become points where the network says so."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import nn
from torch.nn.functional import normalize

from dense_reloc_ros.deviloc.lifting import (
    DOUBT,
    GROUP,
    MATCH_PIXELS,
    Reference,
    inferred_in_groups,
    lifted_points,
)
from dense_reloc_ros.deviloc.point_inference import InferredDepth, MapImagePixels
from dense_reloc_ros.features.extractor import DenseFeatures, FeatureLevel
from dense_reloc_ros.geometry.camera import Camera
from dense_reloc_ros.geometry.se3 import inverse
from dense_reloc_ros.matching.semi_dense import SemiDenseMatches

CAMERA = Camera(320, 240, 250.0, 260.0, 159.5, 119.5)


class Sloped(nn.Module):
    """Knows that what is at (x, y) of the image plane is 3 + x - 2 y away."""

    def __init__(self) -> None:
        super().__init__()
        self.groups: list[tuple[int, int]] = []

    def forward(self, observed: MapImagePixels, unknown: MapImagePixels) -> InferredDepth:
        x, y = unknown.positions.unbind(-1)
        self.groups.append(tuple(x.shape))
        return InferredDepth(3 + x - 2 * y, 0.01 + x.square())


def observed() -> MapImagePixels:
    return MapImagePixels(torch.zeros(1, 5, 2), torch.zeros(1, 5, 192), torch.ones(1, 5))


def test_every_pixel_keeps_its_depth_however_many_there_are():
    for count in (1, 7, GROUP, GROUP + 1, 3 * GROUP - 2):
        network = Sloped()
        positions = torch.rand(count, 2, generator=torch.Generator().manual_seed(count)) - 0.5
        found = inferred_in_groups(
            network, observed(), MapImagePixels(positions, torch.zeros(count, 192))
        )
        torch.testing.assert_close(found.depths, 3 + positions[:, 0] - 2 * positions[:, 1])
        torch.testing.assert_close(found.scales, 0.01 + positions[:, 0].square())
        ((groups, members),) = network.groups
        assert members <= GROUP and groups == math.ceil(count / GROUP)


def test_points_lie_on_the_rays_of_the_reference():
    rng = np.random.default_rng(0)
    pose = np.eye(4)
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    pose[:3, :3] = turn * np.linalg.det(turn)
    pose[:3, 3] = 1.0, -2.0, 3.0
    pixels = torch.from_numpy(rng.uniform([0, 0], [319, 239], (50, 2))).float()
    levels = {
        name: FeatureLevel(stride, (stride - 1) / 2, normalize(torch.rand(1, c, 240 // stride, 20)))
        for name, stride, c in (("coarse", 16, 128), ("fine", 4, 64))
    }
    reference = Reference(
        DenseFeatures(levels, torch.zeros(1, 1)), observed(), CAMERA, torch.from_numpy(pose)
    )
    lifted = lifted_points(Sloped(), reference, SemiDenseMatches(pixels.flip(1), pixels))
    in_camera = lifted.points.numpy() @ inverse(pose)[:3, :3].T + inverse(pose)[:3, 3]
    np.testing.assert_allclose(CAMERA.project(in_camera), pixels.numpy(), atol=1e-3)
    x, y = (in_camera[:, :2] / in_camera[:, 2:]).T
    np.testing.assert_allclose(in_camera[:, 2], 3 + x - 2 * y, atol=1e-5)
    np.testing.assert_allclose(lifted.centres.numpy(), np.tile([1.0, -2.0, 3.0], (50, 1)))
    np.testing.assert_allclose(lifted.pixels.numpy(), pixels.flip(1).numpy())
    np.testing.assert_allclose(lifted.angles.numpy(), MATCH_PIXELS / math.sqrt(250 * 260))
    expected = DOUBT * math.sqrt(2) * (0.01 + x**2)
    np.testing.assert_allclose(lifted.deviations.numpy(), expected, rtol=1e-4)
