"""Graduated non-convexity on a processor, compiled: the same as `gnc.refine`, in one call.

A step sums over thousands of small windows, which tensor operations do one small thing at a time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from dense_reloc_ros.compiled_code import compiled
from dense_reloc_ros.geometry.arrays import Float32Array, FloatArray
from dense_reloc_ros.geometry.camera import MINIMUM_DEPTH
from dense_reloc_ros.geometry.compiled_projection import (
    CAMERAS,
    CameraArrays,
    add_point,
    camera_arrays,
    projected,
)
from dense_reloc_ros.geometry.torch_operation import torch_operation
from dense_reloc_ros.pose.compiled_levenberg_marquardt import minimizer

LEAST_CURVATURE = 0.1
"""Of a point's cost, as a share of the curvature that a single cell right below it would give."""


@torch_operation(
    f"(Tensor T_camera_map, {CAMERAS}, Tensor gains, Tensor origins, float least_gain, "
    "float[] sigmas, float reach, int iterations, float damping, float tolerance) -> Tensor"
)
def refine_on_windows(
    T_camera_map: Tensor,
    points: Tensor,
    intrinsics: Tensor,
    mountings: Tensor | None,
    index: Tensor | None,
    stride: float,
    offset: float,
    gains: Tensor,
    origins: Tensor,
    least_gain: float,
    sigmas: Sequence[float],
    reach: float,
    iterations: int,
    damping: float,
    tolerance: float,
) -> Tensor:
    """Poses (B, 4, 4) at the end of the sequence of smoothed problems, each from its start.

    Args:
        T_camera_map: (B, 4, 4).
        points: (M, 3).
        intrinsics: (C, 4) of the cameras on the body.
        mountings: (C, 4, 4), T_camera_body of each; None for one that is the body.
        index: (M,) int64, which camera each point is seen by; None where there is one.
        stride: the size of a cell, in pixels.
        offset: the place of the centre of the grid's first cell, in pixels.
        gains: (M, h, w) of the points' windows.
        origins: (M, 2), the column and row of the first cell of each window.
        least_gain: cells that gain no more take no part.
        sigmas: of the smoothings, in cells.
        reach: how far cells take part, in σ; one cell more, as the projections move.
        iterations: steps of each smoothing at most.
        damping: of the first step of each.
        tolerance: share of the cost from which on a step is worth another one.
    """
    refined = _refine(
        T_camera_map.double().numpy(),
        camera_arrays(points, intrinsics, mountings, index, stride, offset),
        gains.float().contiguous().numpy(),
        origins.float().contiguous().numpy(),
        least_gain,
        np.array(sigmas, dtype=np.float64),
        reach,
        iterations,
        damping,
        tolerance,
    )
    return torch.from_numpy(refined).to(T_camera_map.dtype)


@torch_operation(
    f"(Tensor T_camera_map, {CAMERAS}, Tensor gains, Tensor origins, float sigma) -> Tensor"
)
def hessian_on_windows(
    T_camera_map: Tensor,
    points: Tensor,
    intrinsics: Tensor,
    mountings: Tensor | None,
    index: Tensor | None,
    stride: float,
    offset: float,
    gains: Tensor,
    origins: Tensor,
    sigma: float,
) -> Tensor:
    """The Hessian (6, 6) float64 of the smoothed cost at a pose (4, 4), by all cells.

    The arguments are those of `refine_on_windows`.
    """
    _, height, width = gains.shape
    problem = (
        camera_arrays(points, intrinsics, mountings, index, stride, offset),
        gains.float().contiguous().numpy(),
        origins.float().contiguous().numpy(),
        0.0,
        np.tile(np.array([0, width, 0, height]), (len(points), 1)),
        sigma,
    )
    lower = np.empty((6, 6))
    _smoothed_cost(T_camera_map.double().numpy(), problem, np.empty(6), lower)
    return torch.from_numpy(lower + np.tril(lower, -1).T)


@compiled
def _refine(
    T_camera_map: FloatArray,
    cameras: CameraArrays,
    gains: Float32Array,
    origins: Float32Array,
    least_gain: float,
    sigmas: FloatArray,
    reach: float,
    iterations: int,
    damping: float,
    tolerance: float,
) -> FloatArray:
    result = np.empty_like(T_camera_map)
    bounds = np.empty((len(gains), 4), np.int64)
    for b in range(len(T_camera_map)):
        pose = T_camera_map[b]
        for sigma in sigmas:
            problem = (cameras, gains, origins, least_gain, bounds, sigma)
            _bound(pose, problem, reach * sigma + 1)
            pose = _minimized(pose, problem, iterations, damping, tolerance)
        result[b] = pose
    return result


@compiled
def _bound(pose, problem, radius):  # type: ignore[no-untyped-def]
    """The columns and rows (M, 4) of each window within some cells of the projection: from, to."""
    cameras, gains, origins, _, bounds, _ = problem
    _, height, width = gains.shape
    for n in range(len(bounds)):
        bounds[n] = 0
        _, _, depth, column, row = projected(pose, cameras, n)
        column, row = column - origins[n, 0], row - origins[n, 1]
        if depth > MINIMUM_DEPTH and abs(column) < 1e6 and abs(row) < 1e6:
            bounds[n, 0] = max(0, math.ceil(column - radius))
            bounds[n, 1] = min(width, math.floor(column + radius) + 1)
            bounds[n, 2] = max(0, math.ceil(row - radius))
            bounds[n, 3] = min(height, math.floor(row + radius) + 1)


@compiled
def _smoothed_cost(pose, problem, gradient, hessian):  # type: ignore[no-untyped-def]
    """`gnc.smoothed_cost` at one pose (4, 4); fills the gradient (6,) and the Hessian (6, 6).

    The kernel is a product of one of columns and one of rows, so that a window takes its moments
    with as few exponentials as it has columns and rows.
    """
    cameras, gains, origins, least_gain, bounds, sigma = problem
    kernel = np.empty((3, max(gains.shape[1], gains.shape[2])), np.float32)
    gradient[:], hessian[:] = 0.0, 0.0
    cost, scale = 0.0, 1 / (2 * math.pi * sigma**2)
    half = np.float32(-0.5 / sigma**2)
    for n in range(len(bounds)):
        left, right, top, bottom = bounds[n]
        if left >= right or top >= bottom:
            continue
        u, v, depth, column, row = projected(pose, cameras, n)
        if not depth > MINIMUM_DEPTH:
            continue
        column, row = column - origins[n, 0], row - origins[n, 1]
        for i in range(left, right):
            d = np.float32(i - column)
            kernel[0, i] = math.exp(half * d * d)
            kernel[1, i] = kernel[0, i] * d
            kernel[2, i] = kernel[1, i] * d
        m00 = m10 = m01 = m20 = m11 = m02 = np.float64(0.0)
        for j in range(top, bottom):
            r0 = r1 = r2 = np.float32(0.0)
            for i in range(left, right):
                gain = gains[n, j, i]
                gain = gain if gain > least_gain else np.float32(0.0)
                r0 += gain * kernel[0, i]
                r1 += gain * kernel[1, i]
                r2 += gain * kernel[2, i]
            if r0 > 0:
                d64 = j - row
                k = math.exp(half * d64 * d64)
                m00, m10, m20 = m00 + k * r0, m10 + k * r1, m20 + k * r2
                m01, m11, m02 = m01 + k * d64 * r0, m11 + k * d64 * r1, m02 + k * d64 * d64 * r0
        if not m00 > 0:
            continue
        cost -= scale * m00
        weight = scale * m00 / sigma**2
        slope = (-scale * m10 / sigma**2, -scale * m01 / sigma**2)
        spread = scale / sigma**4
        curvature = _curvature(weight, spread * m20, spread * m11, spread * m02)
        add_point(pose, cameras, n, (u, v, depth), slope, curvature, gradient, hessian)
    return cost


@compiled
def _curvature(weight, xx, xy, yy):  # type: ignore[no-untyped-def]
    """The weight on the diagonal less the spread, eigenvalues below LEAST_CURVATURE raised."""
    xx, xy, yy = weight - xx, -xy, weight - yy
    mean, radius = (xx + yy) / 2, math.hypot((xx - yy) / 2, xy)
    least = LEAST_CURVATURE * weight
    high, low = max(mean + radius, least), max(mean - radius, least)
    share = (high - low) / (2 * radius) if radius > 0 else 0.0
    centre = (high + low) / 2
    return centre + share * (xx - mean), share * xy, centre + share * (yy - mean)


_minimized = minimizer(_smoothed_cost)
