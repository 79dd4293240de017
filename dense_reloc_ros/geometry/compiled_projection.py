"""Projections of points by the cameras of a body, and their derivatives, compiled.

`cameras` are the points (M, 3) in the map frame, the intrinsics (C, 4) in cells of a grid,
T_camera_body (C, 4, 4), and (M,) which camera each point is seen by.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from dense_reloc_ros.compiled_code import compiled
from dense_reloc_ros.geometry.arrays import FloatArray

CameraArrays = tuple[FloatArray, FloatArray, FloatArray, NDArray[np.int64]]

CAMERAS = (
    "Tensor points, Tensor intrinsics, Tensor? mountings, Tensor? index, float stride, float offset"
)
"""The arguments of `camera_arrays`, as an operation of torch declares them."""


def camera_arrays(
    points: Tensor,
    intrinsics: Tensor,
    mountings: Tensor | None,
    index: Tensor | None,
    stride: float,
    offset: float,
) -> CameraArrays:
    """`cameras` of points (M, 3) and of what `rig.cameras_by_point` gives.

    The centre of the grid's cell c is at pixel stride * c + offset.
    """
    return (
        points.double().numpy(),
        (intrinsics.double().numpy() - np.array([0, 0, offset, offset])) / stride,
        np.eye(4)[None] if mountings is None else mountings.double().numpy(),
        np.zeros(len(points), np.int64) if index is None else index.numpy(),
    )


@compiled
def projected(pose, cameras, n):  # type: ignore[no-untyped-def]
    """Where point n is seen from a pose T_body_map (4, 4): u, v, depth, column, row.

    u and v are x / depth and y / depth in the camera; what is behind it is nowhere.
    """
    points, intrinsics, mountings, index = cameras
    x, y, z = transformed(pose, points[n, 0], points[n, 1], points[n, 2])
    x, y, z = transformed(mountings[index[n]], x, y, z)
    fx, fy, cx, cy = intrinsics[index[n]]
    u, v = (x / z, y / z) if z != 0 else (0.0, 0.0)
    return u, v, z, fx * u + cx, fy * v + cy


@compiled
def transformed(T, x, y, z):  # type: ignore[no-untyped-def]
    """A point by a rigid motion (4, 4)."""
    return (
        T[0, 0] * x + T[0, 1] * y + T[0, 2] * z + T[0, 3],
        T[1, 0] * x + T[1, 1] * y + T[1, 2] * z + T[1, 3],
        T[2, 0] * x + T[2, 1] * y + T[2, 2] * z + T[2, 3],
    )


@compiled
def add_point(pose, cameras, n, ray, slope, curvature, gradient, hessian):  # type: ignore[no-untyped-def]
    """Adds a point's cost, known by its cell, to the gradient and Hessian by the body's twist.

    `ray` is u, v and depth; the slope is (x, y), the curvature (xx, xy, yy). Of the Hessian the
    lower half is filled.
    """
    points, intrinsics, mountings, index = cameras
    u, v, depth = ray
    x, y, z = transformed(pose, points[n, 0], points[n, 1], points[n, 2])
    mounting = mountings[index[n]]
    fx, fy = intrinsics[index[n], 0] / depth, intrinsics[index[n], 1] / depth
    # The rows of the derivative by a motion of the point in the body's frame.
    a = fx * (mounting[0, 0] - u * mounting[2, 0])
    b = fx * (mounting[0, 1] - u * mounting[2, 1])
    c = fx * (mounting[0, 2] - u * mounting[2, 2])
    first = (a, b, c, y * c - z * b, z * a - x * c, x * b - y * a)
    a = fy * (mounting[1, 0] - v * mounting[2, 0])
    b = fy * (mounting[1, 1] - v * mounting[2, 1])
    c = fy * (mounting[1, 2] - v * mounting[2, 2])
    second = (a, b, c, y * c - z * b, z * a - x * c, x * b - y * a)
    xx, xy, yy = curvature
    for i in range(6):
        gradient[i] += slope[0] * first[i] + slope[1] * second[i]
        p, q = xx * first[i] + xy * second[i], xy * first[i] + yy * second[i]
        for j in range(i + 1):
            hessian[i, j] += p * first[j] + q * second[j]
