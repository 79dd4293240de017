from __future__ import annotations

import math

import pytest
import torch
from dsm.random_scene import random_coordinates, rigid_pose

from dense_reloc_ros.dsm.coordinate_pyramid import (
    LocalFrame,
    cell_centres,
    coordinate_pyramid,
    coordinates_of_depth,
)
from dense_reloc_ros.geometry.projection import project

INTRINSICS = torch.tensor([[30.0, 34.0, 15.2, 11.7], [41.0, 39.0, 16.0, 12.4]]).double()


@pytest.mark.parametrize("stride", [1, 4, 8])
def test_coordinates_project_to_the_centres_of_their_cells_at_their_depth(stride):
    generator = torch.Generator().manual_seed(0)
    depth = 1 + torch.rand(2, 24, 32, generator=generator, dtype=torch.float64)
    poses = torch.stack([rigid_pose(0), rigid_pose(1)])
    maps = coordinates_of_depth(depth, torch.linalg.inv(poses), INTRINSICS, stride)
    assert maps.shape == (2, 3, 24 // stride, 32 // stride)
    for view in range(2):
        for row in range(maps.shape[2]):
            for column in range(maps.shape[3]):
                point = poses[view, :3, :3] @ maps[view, :, row, column] + poses[view, :3, 3]
                fx, fy, cx, cy = INTRINSICS[view]
                x = stride * column + (stride - 1) / 2
                y = stride * row + (stride - 1) / 2
                assert float(fx * point[0] / point[2] + cx) == pytest.approx(x)
                assert float(fy * point[1] / point[2] + cy) == pytest.approx(y)
                near = depth[view, math.floor(y) : math.ceil(y) + 1]
                near = near[:, math.floor(x) : math.ceil(x) + 1]
                assert (near - point[2]).abs().min() < 1e-9


@pytest.mark.parametrize("unknown", [0.0, math.nan])
def test_unknown_depth_gives_unknown_coordinates(unknown):
    depth = torch.ones(24, 32).double()
    depth[2, 6] = unknown
    maps = coordinates_of_depth(depth, torch.eye(4).double(), INTRINSICS[0], 4)
    assert maps[:, 0, 1].isnan().all()
    assert maps.isnan().sum() == 3


def test_coarser_cells_are_means_of_the_known_ones():
    finest = random_coordinates(2, seed=3)
    finest[0, :, :2, :2] = torch.nan
    coarsest, middle, same = coordinate_pyramid(finest, 3)
    assert same is finest
    assert middle.shape == (2, 3, 2, 3)
    assert coarsest.shape == (2, 3, 1, 1)
    assert middle[0, :, 0, 0].isnan().all()
    for row in range(2):
        for column in range(3):
            block = finest[1, :, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2].flatten(1)
            known = block[:, block.isfinite().all(0)]
            torch.testing.assert_close(middle[1, :, row, column], known.mean(1), equal_nan=True)


def test_points_that_are_not_in_front_project_nowhere():
    poses = torch.stack([rigid_pose(0), rigid_pose(1)])[None]
    points = torch.tensor([[[0.1, 0.2, 0.3], [0.0, 0.0, -30.0], [math.nan, 0, 0]]]).double()
    pixels, _ = project(poses, points[:, None], INTRINSICS[None, :, None])
    assert pixels[0, :, 0].isfinite().all()
    assert pixels[0, :, 1:].isnan().all()


def test_cell_centres():
    centres = cell_centres(2, 3, 4, torch.zeros(0))
    assert centres[1, 2].tolist() == [9.5, 5.5]
    assert centres[0, 0].tolist() == [1.5, 1.5]


def test_local_coordinates_have_zero_mean_and_unit_deviation():
    coordinates = 3 * random_coordinates(2, 3, seed=4) + 7
    poses = torch.stack([torch.stack([rigid_pose(10 * b + n) for n in range(3)]) for b in (0, 1)])
    frame = LocalFrame.of_views(coordinates, poses)
    local = frame.normalized(coordinates)
    for batch in range(2):
        for axis in range(3):
            values = local[batch, :, axis]
            values = values[values.isfinite()]
            assert float(values.mean()) == pytest.approx(0, abs=1e-9)
            assert float(values.std(correction=0)) == pytest.approx(1, abs=2e-3)


@pytest.mark.parametrize("shape", [(2,), (2, 3), (2, 3, 4)])
def test_normalization_can_be_undone(shape):
    views = random_coordinates(2, 3, seed=4)
    poses = torch.stack([torch.stack([rigid_pose(10 * b + n) for n in range(3)]) for b in (0, 1)])
    frame = LocalFrame.of_views(views, poses)
    some = random_coordinates(*shape, seed=5)
    torch.testing.assert_close(frame.restored(frame.normalized(some)), some, equal_nan=True)


def test_local_coordinates_do_not_depend_on_the_map_frame():
    coordinates = random_coordinates(1, 2, seed=6)
    poses = torch.stack([rigid_pose(0), rigid_pose(1)])[None]
    T_other_map = rigid_pose(7)
    moved = torch.einsum("ij,bnjhw->bnihw", T_other_map[:3, :3], coordinates)
    moved = moved + T_other_map[:3, 3, None, None]
    there = LocalFrame.of_views(moved, poses @ torch.linalg.inv(T_other_map))
    here = LocalFrame.of_views(coordinates, poses)
    torch.testing.assert_close(
        there.normalized(moved), here.normalized(coordinates), equal_nan=True
    )


def test_scene_without_coordinates_spreads_no_nan():
    nothing = torch.full((1, 2, 3, 4, 6), torch.nan)
    frame = LocalFrame.of_views(nothing, torch.eye(4).expand(1, 2, 4, 4))
    assert frame.normalized(torch.ones(1, 3, 4, 6)).isfinite().all()
