"""Feature-PnP on a processor, compiled: the same as `feature_metric.refine`, in one call."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from dense_reloc_ros.compiled_code import compiled
from dense_reloc_ros.geometry.camera import MINIMUM_DEPTH
from dense_reloc_ros.geometry.compiled_projection import (
    CAMERAS,
    add_point,
    camera_arrays,
    projected,
)
from dense_reloc_ros.geometry.torch_operation import torch_operation
from dense_reloc_ros.pose.compiled_levenberg_marquardt import minimizer

LOSSES = ("squared", "huber", "cauchy", "geman_mcclure")
KERNELS = ("central", "sobel_normalized", "sobel")


@torch_operation(
    f"(Tensor T_camera_map, {CAMERAS}, Tensor descriptors, Tensor features, Tensor sizes, "
    "str kernel, str loss, float scale, float unrelated, int iterations, float damping, "
    "float tolerance) -> Tensor"
)
def align_features(
    T_camera_map: Tensor,
    points: Tensor,
    intrinsics: Tensor,
    mountings: Tensor | None,
    index: Tensor | None,
    stride: float,
    offset: float,
    descriptors: Tensor,
    features: Tensor,
    sizes: Tensor,
    kernel: str,
    loss: str,
    scale: float,
    unrelated: float,
    iterations: int,
    damping: float,
    tolerance: float,
) -> Tensor:
    """Poses (B, 4, 4) that minimize the feature-metric cost, each from its start.

    Args:
        T_camera_map: (B, 4, 4).
        points: (M, 3).
        intrinsics: (C, 4) of the cameras on the body.
        mountings: (C, 4, 4), T_camera_body of each; None for one that is the body.
        index: (M,) int64, which camera each point is seen by; None where there is one.
        stride: the size of a cell, in pixels.
        offset: the place of the centre of the grid's first cell, in pixels.
        descriptors: (M, D), L2-normalized.
        features: (C, h, w, D) of the cameras' images.
        sizes: (C, 2) int64, columns and rows of these.
        kernel: of the gradient, one of `KERNELS`.
        loss: one of `LOSSES`.
        scale: distance of descriptors from which on the loss differs from squared.
        unrelated: the squared distance of points outside of the image.
        iterations: steps at most.
        damping: of the first step.
        tolerance: share of the cost from which on a step is worth another one.
    """
    problem = (
        camera_arrays(points, intrinsics, mountings, index, stride, offset),
        features.contiguous().numpy(),
        sizes.numpy(),
        descriptors.contiguous().numpy(),
        KERNELS.index(kernel),
        LOSSES.index(loss),
        scale,
        unrelated,
    )
    poses = T_camera_map.double().numpy()
    aligned = _align(poses, problem, iterations, damping, tolerance)
    return torch.from_numpy(aligned).to(T_camera_map.dtype)


@compiled
def _align(poses, problem, iterations, damping, tolerance):  # type: ignore[no-untyped-def]
    result = np.empty_like(poses)
    for b in range(len(poses)):
        result[b] = _minimized(poses[b], problem, iterations, damping, tolerance)
    return result


@compiled
def _cost(pose, problem, gradient, hessian):  # type: ignore[no-untyped-def]
    """`feature_metric_cost` at one pose (4, 4); fills gradient (6,) and Hessian (6, 6)."""
    cameras, features, sizes, descriptors, kernel, loss, scale, unrelated = problem
    index, channels = cameras[3], features.shape[3]
    sampled = np.empty((3, channels), np.float32)
    stencils = np.empty((3, 4, 4), np.float32)
    gradient[:], hessian[:] = 0.0, 0.0
    cost = 0.0
    for n in range(len(descriptors)):
        u, v, depth, column, row = projected(pose, cameras, n)
        width, height = sizes[index[n]]
        inside = 0 <= column <= width - 1 and 0 <= row <= height - 1
        if not (inside and depth > MINIMUM_DEPTH):
            cost += _robust(unrelated / scale**2, loss)[0]
            continue
        left, top = max(0, min(int(column), width - 2)), max(0, min(int(row), height - 2))
        _fill_stencils(stencils, column - left, row - top, kernel)
        _sample(features[index[n]], width, height, left, top, stencils, sampled)
        ff = gx_f = gy_f = fd = gx_d = gy_d = gxx = gxy = gyy = np.float32(0.0)
        descriptor = descriptors[n]
        for c in range(channels):
            f, gx, gy, d = sampled[0, c], sampled[1, c], sampled[2, c], descriptor[c]
            ff += f * f
            fd += f * d
            gx_f += gx * f
            gy_f += gy * f
            gx_d += gx * d
            gy_d += gy * d
            gxx += gx * gx
            gxy += gx * gy
            gyy += gy * gy
        length = max(math.sqrt(ff), 1e-6)
        likeness = fd / length
        along_x, along_y = gx_f / length, gy_f / length
        value, weight = _robust(max(0.0, 2 - 2 * likeness) / scale**2, loss)
        cost += value
        weight *= 2 / scale**2
        slope = weight / length
        by_cell = (slope * (likeness * along_x - gx_d), slope * (likeness * along_y - gy_d))
        bend = weight / length**2
        curvature = (
            bend * (gxx - along_x * along_x),
            bend * (gxy - along_x * along_y),
            bend * (gyy - along_y * along_y),
        )
        add_point(pose, cameras, n, (u, v, depth), by_cell, curvature, gradient, hessian)
    return cost


@compiled
def _robust(s, loss):  # type: ignore[no-untyped-def]
    """The loss and its derivative at s, as `robust_losses` has them."""
    if loss == 0:
        return s, 1.0
    if loss == 1:
        root = math.sqrt(max(s, 1.0))
        return (s if s <= 1 else 2 * root - 1), 1 / root
    inverse = 1 / (1 + s)
    if loss == 2:
        return math.log1p(s), inverse
    return s * inverse, inverse * inverse


@compiled
def _fill_stencils(stencils, right, down, kernel):  # type: ignore[no-untyped-def]
    """Weights of 4x4 cells (row, column) in the value and both derivatives, by cells, as in
    `FeatureGradients`."""
    value, slope, across = np.zeros((2, 4)), np.zeros((2, 4)), np.zeros((2, 4))
    for axis, far in enumerate((right, down)):
        near = 1 - far
        value[axis, 1], value[axis, 2] = near, far
        size = 4.0 if kernel == 2 else 0.5
        slope[axis, 0], slope[axis, 1] = -near * size, -far * size
        slope[axis, 2], slope[axis, 3] = near * size, far * size
        across[axis] = value[axis]
        if kernel != 0:
            across[axis, 0], across[axis, 1] = near / 4, (2 * near + far) / 4
            across[axis, 2], across[axis, 3] = (near + 2 * far) / 4, far / 4
    for j in range(4):
        for i in range(4):
            stencils[0, j, i] = value[1, j] * value[0, i]
            stencils[1, j, i] = across[1, j] * slope[0, i]
            stencils[2, j, i] = slope[1, j] * across[0, i]


@compiled
def _sample(features, width, height, left, top, stencils, sampled):  # type: ignore[no-untyped-def]
    """The sums (3, C) of the cells around a place; beyond the border the outermost are repeated."""
    channels = features.shape[2]
    sampled[:] = 0
    for j in range(4):
        for i in range(4):
            value, by_x, by_y = stencils[0, j, i], stencils[1, j, i], stencils[2, j, i]
            if value == 0 and by_x == 0 and by_y == 0:
                continue
            row = max(0, min(top + j - 1, height - 1))
            cell = features[row, max(0, min(left + i - 1, width - 1))]
            for c in range(channels):
                sampled[0, c] += value * cell[c]
                sampled[1, c] += by_x * cell[c]
                sampled[2, c] += by_y * cell[c]


_minimized = minimizer(_cost)
