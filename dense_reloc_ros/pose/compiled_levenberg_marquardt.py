"""Levenberg-Marquardt on SE(3) on a processor, compiled: `minimize` for one pose."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numba import njit

from dense_reloc_ros.compiled_code import compiled
from dense_reloc_ros.geometry.arrays import FloatArray
from dense_reloc_ros.pose import levenberg_marquardt as plain


def minimizer(cost_at: Callable[..., float]) -> Callable[..., FloatArray]:
    """The function that makes a pose (4, 4) of lower cost of one nearby.

    `cost_at(pose, problem, gradient, hessian)` gives the cost and fills the gradient (6,) and the
    lower half of the Hessian (6, 6) by a twist on the left. It is no argument, as compiled
    functions with functions among their arguments cannot be kept in a file.
    """

    @njit(nogil=True)
    def minimized(pose, problem, iterations, damping, tolerance):  # type: ignore[no-untyped-def]
        gradient, hessian = np.empty(6), np.empty((6, 6))
        next_gradient, next_hessian = np.empty(6), np.empty((6, 6))
        cost = cost_at(pose, problem, gradient, hessian)
        for _ in range(iterations):
            trial = moved(pose, damped_step(gradient, hessian, damping))
            next_cost = cost_at(trial, problem, next_gradient, next_hessian)
            if not next_cost < cost:
                if damping >= plain.STUCK_DAMPING:
                    break
                damping *= plain.DAMPING_FACTOR
                continue
            decrease = (cost - next_cost) / max(abs(cost), 1e-12)
            pose, cost = trial, next_cost
            damping = max(damping / plain.DAMPING_FACTOR, plain.SMALLEST_DAMPING)
            gradient[:], hessian[:] = next_gradient, next_hessian
            if decrease < tolerance:
                break
        return pose

    return minimized


@compiled
def moved(T_camera_map: FloatArray, twist: FloatArray) -> FloatArray:
    """exp(twist) T_camera_map, (4, 4), of a twist (6,) = (translation part, rotation vector)."""
    x, y, z = twist[3], twist[4], twist[5]
    square = x * x + y * y + z * z
    angle = math.sqrt(square)
    if angle < 1e-4:
        a, b, c = 1 - square / 6, 0.5 - square / 24, 1 / 6 - square / 120
    else:
        a = math.sin(angle) / angle
        b = 2 * math.sin(angle / 2) ** 2 / square
        c = (angle - math.sin(angle)) / (square * angle)
    hat = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    hat_squared = np.array(
        [
            [-y * y - z * z, x * y, x * z],
            [x * y, -x * x - z * z, y * z],
            [x * z, y * z, -x * x - y * y],
        ]
    )
    result = np.zeros((4, 4))
    result[3, 3] = 1.0
    for row in range(3):
        shift = twist[row]
        for k in range(3):
            shift += (b * hat[row, k] + c * hat_squared[row, k]) * twist[k]
            turn = a * hat[row, k] + b * hat_squared[row, k] + (1.0 if row == k else 0.0)
            for column in range(4):
                result[row, column] += turn * T_camera_map[k, column]
        result[row, 3] += shift
    return result


@compiled
def damped_step(gradient: FloatArray, hessian: FloatArray, damping: float) -> FloatArray:
    """The twist (6,) of a step by a gradient (6,) and a Hessian (6, 6), its lower half.

    Solved by Cholesky's method with a Hessian of unit diagonal, so that the unit of length does not
    matter; zero where there is no curvature.
    """
    scale, lower, step = np.zeros(6), np.zeros((6, 6)), np.zeros(6)
    for i in range(6):
        scale[i] = 1 / math.sqrt(hessian[i, i]) if hessian[i, i] > 0 else 0.0
    for i in range(6):
        for j in range(i + 1):
            value = hessian[i, j] * scale[i] * scale[j] + (damping if i == j else 0.0)
            for k in range(j):
                value -= lower[i, k] * lower[j, k]
            if i > j:
                lower[i, j] = value / lower[j, j]
            elif value > 0:
                lower[i, i] = math.sqrt(value)
            else:
                return np.zeros(6)
    for i in range(6):
        value = -gradient[i] * scale[i]
        for k in range(i):
            value -= lower[i, k] * step[k]
        step[i] = value / lower[i, i]
    for i in range(5, -1, -1):
        value = step[i]
        for k in range(i + 1, 6):
            value -= lower[k, i] * step[k]
        step[i] = value / lower[i, i]
    return step * scale
