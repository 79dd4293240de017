"""Rigid motions as 4x4 matrices `T_a_b` ("coordinates of b expressed in a"), in numpy and torch."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor

from dense_reloc_ros.errors import InputError
from dense_reloc_ros.geometry.arrays import FloatArray


class PoseError(NamedTuple):
    """Distance in metres and angle in radians between two poses."""

    translation: float
    rotation: float


def rigid(rotation: FloatArray, translation: FloatArray) -> FloatArray:
    """The (4, 4) matrix of a rotation (3, 3) and a translation (3,) in metres."""
    transform = np.eye(4)
    transform[:3, :3] = rotation
    transform[:3, 3] = translation
    return transform


def shifted(transform: FloatArray, offset: FloatArray) -> FloatArray:
    """Rigid motions (..., 4, 4) whose origins lie elsewhere by `offset` (3,)."""
    moved = np.array(transform, dtype=np.float64)
    moved[..., :3, 3] += offset
    return moved


def inverse(transform: FloatArray) -> FloatArray:
    """The inverse of rigid motions, shape (..., 4, 4)."""
    rotation_t = np.swapaxes(transform[..., :3, :3], -1, -2)
    result = np.zeros_like(transform)
    result[..., :3, :3] = rotation_t
    result[..., :3, 3] = -(rotation_t @ transform[..., :3, 3:])[..., 0]
    result[..., 3, 3] = 1.0
    return result


def transformed(T_a_b: FloatArray, points: FloatArray) -> FloatArray:
    """Points (..., 3) in b as points in a, by a pose (4, 4)."""
    return np.asarray(points @ T_a_b[:3, :3].T + T_a_b[:3, 3])


def project_to_so3(matrix: FloatArray) -> FloatArray:
    """The rotation nearest to a (3, 3) matrix in the Frobenius norm."""
    u, _, vt = np.linalg.svd(matrix)
    return np.asarray(u @ np.diag([1.0, 1.0, np.linalg.det(u @ vt)]) @ vt)


def checked_direction(vector: FloatArray) -> FloatArray:
    """A direction (3,) read from outside, of length 1.

    Raises:
        InputError: another shape, values that are not finite, or length 0.
    """
    vector = np.asarray(vector, dtype=np.float64)
    if vector.shape != (3,) or not np.isfinite(vector).all() or not vector.any():
        raise InputError(f"a direction has three finite values that are not all 0: {vector}")
    direction: FloatArray = vector / np.linalg.norm(vector)
    return direction


def checked_rigid(matrix: FloatArray, tolerance: float = 1e-2) -> FloatArray:
    """A (4, 4) pose read from outside with its rotation projected to SO(3).

    Raises:
        InputError: another shape, values that are not finite, a last row other than 0 0 0 1, or a
            rotation further than `tolerance` (largest element) from a rotation matrix.
    """
    matrix = np.asarray(matrix, dtype=np.float64)
    if matrix.shape != (4, 4):
        raise InputError(f"a pose is a 4x4 matrix, not {matrix.shape}")
    if not np.isfinite(matrix).all():
        raise InputError("the pose has values that are not finite")
    if not np.allclose(matrix[3], [0.0, 0.0, 0.0, 1.0], atol=tolerance):
        raise InputError(f"the pose's last row is {matrix[3].tolist()}, not 0 0 0 1")
    rotation = project_to_so3(matrix[:3, :3])
    if np.abs(rotation - matrix[:3, :3]).max() > tolerance:
        raise _no_rotation(matrix[:3, :3])
    return rigid(rotation, matrix[:3, 3])


def _no_rotation(matrix: FloatArray) -> InputError:
    """Says what a (3, 3) matrix is that is no rotation."""
    determinant = float(np.linalg.det(matrix))
    scale = abs(determinant) ** (1 / 3)
    if scale == 0 or np.abs(matrix.T @ matrix / scale**2 - np.eye(3)).max() > 0.02:
        return InputError("the pose is not a rigid motion: its 3x3 part is not a rotation")
    if determinant < 0:
        return InputError(
            "the pose is not a rigid motion: its 3x3 part mirrors, as left-handed axes do (Unity, "
            "Unreal): flip one axis"
        )
    return InputError(
        f"the pose is not a rigid motion: its 3x3 part is not a rotation but {scale:.4g} times one"
    )


def pose_error(T_a_b: FloatArray, T_a_c: FloatArray) -> PoseError:
    """How far two poses lie apart; the angle by atan2, which stays exact for small ones."""
    relative = T_a_b[:3, :3].T @ T_a_c[:3, :3]
    sine = np.linalg.norm(relative - relative.T) / (2.0 * np.sqrt(2.0))
    cosine = (np.trace(relative) - 1.0) / 2.0
    translation = float(np.linalg.norm(T_a_b[:3, 3] - T_a_c[:3, 3]))
    return PoseError(translation, float(np.arctan2(sine, cosine)))


def to_quaternion(transform: FloatArray) -> FloatArray:
    """The rotation of a pose (4, 4) as (x, y, z, w) with w >= 0."""
    return np.asarray(Rotation.from_matrix(transform[:3, :3]).as_quat(canonical=True))


def from_quaternion(translation: FloatArray, quaternion: FloatArray) -> FloatArray:
    """The pose (4, 4) of a translation in metres and a quaternion (x, y, z, w) of any length.

    Raises:
        InputError: values that are not finite, or a zero quaternion.
    """
    check_quaternion(translation, quaternion)
    return rigid(Rotation.from_quat(quaternion).as_matrix(), translation)


def check_quaternion(translation: FloatArray, quaternion: FloatArray) -> None:
    """Raises InputError where a translation and a quaternion are no pose: not finite, or zero."""
    values = np.concatenate([translation, quaternion]).astype(np.float64)
    if not np.isfinite(values).all() or not np.linalg.norm(values[3:]) > 0:
        raise InputError(f"the pose {values.tolist()} is not finite with a non-zero quaternion")


def hat(vectors: Tensor) -> Tensor:
    """The cross-product matrices (..., 3, 3) of vectors (..., 3)."""
    x, y, z = vectors.unbind(-1)
    zero = torch.zeros_like(x)
    rows = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=-1)
    return rows.reshape(*vectors.shape[:-1], 3, 3)


def exp(twists: Tensor) -> Tensor:
    """Exponential map of SE(3): twists (..., 6) = (translation part, rotation vector)."""
    rho, phi = twists[..., :3], twists[..., 3:]
    theta = torch.linalg.vector_norm(phi, dim=-1)[..., None, None]
    small = theta < 1e-4
    safe = torch.where(small, torch.ones_like(theta), theta)
    a = torch.where(small, 1 - theta**2 / 6, torch.sin(safe) / safe)
    # Not 1 - cos θ, of which single precision leaves nothing where θ is small.
    b = torch.where(small, 0.5 - theta**2 / 24, 2 * torch.sin(safe / 2) ** 2 / safe**2)
    c = torch.where(small, 1 / 6 - theta**2 / 120, (safe - torch.sin(safe)) / safe**3)
    k = hat(phi)
    kk = k @ k
    identity = torch.eye(3, dtype=twists.dtype, device=twists.device)
    top = torch.cat(
        [identity + a * k + b * kk, (identity + b * k + c * kk) @ rho[..., None]], dim=-1
    )
    bottom = torch.zeros_like(top[..., :1, :])
    bottom[..., 3] = 1.0
    return torch.cat([top, bottom], dim=-2)


def inverse_tensor(transforms: Tensor) -> Tensor:
    """The inverse of rigid motions (..., 4, 4)."""
    rotation_t = transforms[..., :3, :3].transpose(-1, -2)
    result = torch.zeros_like(transforms)
    result[..., :3, :3] = rotation_t
    result[..., :3, 3:] = -rotation_t @ transforms[..., :3, 3:]
    result[..., 3, 3] = 1.0
    return result
