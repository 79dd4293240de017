"""Cost volumes against loops over pixels, views and cells."""

from __future__ import annotations

import math

import pytest
import torch
from dsm.random_scene import random_level, random_previous
from torch.nn.functional import normalize

from dense_reloc_ros.dsm.cost_volume import (
    LevelViews,
    TemporalCorrelation,
    correlate_in_windows,
    correlate_with_all,
)

STRIDE, BEST = 4, 6


def scene_points(views: LevelViews, batch: int) -> list[tuple[int, int, int]]:
    count, _, height, width = views.coordinates[batch].shape
    return [(n, i, j) for n in range(count) for i in range(height) for j in range(width)]


def seen_before(previous: TemporalCorrelation, batch: int, point: torch.Tensor):
    """The descriptor that the previous frame shows at a point, bilinear by hand, or None."""
    pose = previous.T_camera_map[batch]
    x, y, z = (pose[:3, :3] @ point + pose[:3, 3]).tolist()
    if not z > 0:
        return None
    fx, fy, cx, cy = previous.intrinsics[batch].tolist()
    u = (fx * x / z + cx - (STRIDE - 1) / 2) / STRIDE
    v = (fy * y / z + cy - (STRIDE - 1) / 2) / STRIDE
    _, height, width = previous.features[batch].shape
    if not (-0.5 <= u <= width - 0.5 and -0.5 <= v <= height - 0.5):
        return None
    total = torch.zeros_like(previous.features[batch][:, 0, 0])
    for row in (math.floor(v), math.floor(v) + 1):
        for column in (math.floor(u), math.floor(u) + 1):
            weight = (1 - abs(v - row)) * (1 - abs(u - column))
            i, j = min(max(row, 0), height - 1), min(max(column, 0), width - 1)
            total = total + weight * previous.features[batch][:, i, j]
    return normalize(total, dim=0)


def fused(scene: float, pixel, point, batch: int, previous: TemporalCorrelation | None) -> float:
    if previous is None or (before := seen_before(previous, batch, point)) is None:
        return scene
    alpha = min(float(previous.confidence[batch]) + 0.4, 1.0)
    return alpha * scene + (1 - alpha) * float(before @ pixel)


def ranked(candidates):
    """Correlations and points of the best, filled up with (0, nan)."""
    candidates = sorted(candidates, key=lambda one: -one[0])[:BEST]
    nothing = (0.0, torch.full((3,), torch.nan, dtype=torch.float64))
    candidates += [nothing] * (BEST - len(candidates))
    values, points = zip(*candidates, strict=True)
    return torch.tensor(values, dtype=torch.float64), torch.stack(points)


@pytest.mark.parametrize("with_previous", [False, True])
@pytest.mark.parametrize("views", [1, 3])
def test_all_points_are_ranked_as_by_loops(views, with_previous):
    query, level = random_level(views, STRIDE)
    previous = random_previous(STRIDE) if with_previous else None
    volume = correlate_with_all(query, level, BEST, previous)
    for batch in range(2):
        for i in range(query.shape[2]):
            for j in range(query.shape[3]):
                pixel, candidates = query[batch, :, i, j], []
                for n, row, column in scene_points(level, batch):
                    point = level.coordinates[batch, n, :, row, column]
                    if point.isfinite().all():
                        scene = float(level.features[batch, n, :, row, column] @ pixel)
                        candidates.append((fused(scene, pixel, point, batch, previous), point))
                values, points = ranked(candidates)
                torch.testing.assert_close(volume.correlations[batch, :, i, j], values)
                torch.testing.assert_close(
                    volume.coordinates[batch, :, :, i, j], points, equal_nan=True
                )


@pytest.mark.parametrize("with_previous", [False, True])
@pytest.mark.parametrize("window", [3, 5])
def test_windows_are_ranked_as_by_loops(window, with_previous):
    query, level = random_level(2, STRIDE)
    previous = random_previous(STRIDE) if with_previous else None
    initial = initial_coordinates(level, query.shape[-2:])
    volume = correlate_in_windows(query, initial, level, window, BEST, previous)
    outside = 0
    for batch in range(2):
        for i in range(query.shape[2]):
            for j in range(query.shape[3]):
                candidates = windows_by_loops(
                    query, initial, level, window, previous, (batch, i, j)
                )
                outside += sum(point.isnan().all() for _, point in candidates)
                values, _ = ranked(candidates)
                torch.testing.assert_close(volume.correlations[batch, :, i, j], values)
                for value, point in zip(
                    volume.correlations[batch, :, i, j],
                    volume.coordinates[batch, :, :, i, j],
                    strict=True,
                ):
                    # Those of one correlation may come in any order.
                    assert any(
                        abs(float(value) - other) < 1e-9 and same(point, there)
                        for other, there in candidates
                    )
    assert outside > 0


def windows_by_loops(query, initial, level, window, previous, where):
    batch, i, j = where
    pixel, candidates = query[batch, :, i, j], []
    _, _, _, height, width = level.features.shape
    for n in range(level.features.shape[1]):
        pose = level.T_camera_map[batch, n]
        x, y, z = (pose[:3, :3] @ initial[batch, :, i, j] + pose[:3, 3]).tolist()
        fx, fy, cx, cy = level.intrinsics[batch, n].tolist()
        centre = None
        if z > 1e-3:
            u, v = fx * x / z + cx, fy * y / z + cy
            centre = round((v - 1.5) / STRIDE), round((u - 1.5) / STRIDE)
        for down in range(-(window // 2), window // 2 + 1):
            for right in range(-(window // 2), window // 2 + 1):
                point = torch.full((3,), torch.nan, dtype=torch.float64)
                scene = 0.0
                if centre is not None:
                    row, column = centre[0] + down, centre[1] + right
                    if 0 <= row < height and 0 <= column < width:
                        point = level.coordinates[batch, n, :, row, column]
                        scene = float(level.features[batch, n, :, row, column] @ pixel)
                if point.isfinite().all():
                    candidates.append((fused(scene, pixel, point, batch, previous), point))
                else:
                    candidates.append((0.0, torch.full_like(point, torch.nan)))
    return candidates


def same(point: torch.Tensor, other: torch.Tensor) -> bool:
    return bool(torch.allclose(point, other, equal_nan=True))


def initial_coordinates(level: LevelViews, size) -> torch.Tensor:
    """Points that the views see, near them or far outside or behind, and some unknown."""
    generator = torch.Generator().manual_seed(5)
    known = level.coordinates.permute(0, 1, 3, 4, 2).flatten(1, 3).nan_to_num(1.0)
    chosen = torch.randint(known.shape[1], (2, size[0] * size[1]), generator=generator)
    points = known.gather(1, chosen[..., None].expand(-1, -1, 3)).mT.reshape(2, 3, *size)
    points = points + 0.3 * torch.randn(points.shape, generator=generator, dtype=points.dtype)
    points[0, :, 0, 0] = torch.tensor([0.0, 0.0, -50.0])
    points[1, :, 1, 1] = torch.nan
    return points


def test_more_candidates_than_points_are_filled_with_nothing():
    query, level = random_level(1, STRIDE)
    volume = correlate_with_all(query, level, 1000, None)
    known = int(level.coordinates[0, 0].isfinite().all(0).sum())
    assert volume.correlations.shape[1] == 1000
    assert volume.coordinates[0, :known].isfinite().all()
    assert volume.coordinates[0, known:].isnan().all()
    assert (volume.correlations[0, known:] == 0).all()


def test_full_confidence_leaves_the_previous_frame_out():
    query, level = random_level(2, STRIDE)
    previous = random_previous(STRIDE, confidence=0.6)
    alone = correlate_with_all(query, level, BEST)
    together = correlate_with_all(query, level, BEST, previous)
    torch.testing.assert_close(alone.correlations, together.correlations)


def test_gradients_pass_through_the_correlations():
    query, level = random_level(2, STRIDE)
    initial = initial_coordinates(level, query.shape[-2:])

    def correlations(query, features):
        views = LevelViews(
            features, level.coordinates, level.T_camera_map, level.intrinsics, STRIDE
        )
        everywhere = correlate_with_all(query, views, 3).correlations
        near = correlate_in_windows(query, initial, views, 3, 3).correlations
        return everywhere, near

    inputs = (query.requires_grad_(), level.features.clone().requires_grad_())
    assert torch.autograd.gradcheck(correlations, inputs, fast_mode=True)
